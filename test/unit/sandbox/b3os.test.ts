import { describe, expect, it } from 'vitest';
import { ask, CLIENTS, useSandbox, type Asked } from './support.ts';

const sandbox = useSandbox();
const vendor = () => sandbox.current.vendors.b3os;
const headers = () => CLIENTS.b3os.auth(vendor().key);
const start = (workflow: string, body: unknown = { runId: 'run_mine', payload: { city: 'Lyon' } }, asked: Asked = {}) =>
  ask(`${vendor().baseUrl}/v1/workflows/${workflow}/run`, { method: 'POST', headers: headers(), body, ...asked });
const read = (id = 'run_mine', query = '') => ask(`${vendor().baseUrl}/v1/runs/${id}${query}`, { headers: headers() });
const cancel = (id = 'run_mine') =>
  ask(`${vendor().baseUrl}/v1/runs/${id}/cancel`, { method: 'POST', headers: headers() });
const readStatus = async () => (await read()).body.data?.status;

describe('a B3OS run', () => {
  it('is accepted under an id of its own, or the client’s', async () => {
    const own = await start('my-workflow', {});
    expect(own.status).toBe(200);
    expect(own.body).toEqual({
      code: 200,
      data: { runId: expect.stringMatching(/^run_/) },
      message: 'success',
      requestId: expect.any(String),
    });
    expect((await start('my-workflow')).body.data).toEqual({ runId: 'run_mine' });
    expect(sandbox.current.starts().map(({ clientRunId }) => clientRunId)).toEqual([null, 'run_mine']);
  });

  it('needs no body at all', async () => {
    const { status } = await start('my-workflow', undefined, {
      raw: '',
      headers: { authorization: `Bearer ${vendor().key}` },
    });
    expect(status).toBe(200);
  });

  it('is running, then a success with each node’s result under its id', async () => {
    await start('runs-60000');
    expect((await read()).body).toMatchObject({ code: 200, data: { status: 'running', finishedAt: null } });
    sandbox.skip(60_000);
    const { body } = await read();
    expect(body.data).toEqual({
      id: 'run_mine',
      status: 'success',
      workflowId: 'runs-60000',
      workflowVersion: 1,
      organizationId: expect.any(String),
      startedAt: expect.stringMatching(/Z$/),
      finishedAt: expect.stringMatching(/Z$/),
      executionState: {
        root: { city: 'Lyon' },
        describe: { text: expect.stringContaining('Lyon') },
        send: { sent: true },
      },
      workflowDefinition: { nodes: expect.any(Array) },
      propValues: {},
      triggerSource: 'api',
      triggeredBy: expect.any(String),
      sourceRunId: null,
      isDustTest: false,
      isSimulation: false,
      simulationMode: null,
      simulationForks: [],
      totalCu: expect.any(Number),
    });
  });

  it('leaves the state out of a summary and shows only the nodes asked for', async () => {
    await start('runs-0');
    const summary = (await read('run_mine', '?summary=true')).body.data;
    expect(summary).toMatchObject({ status: 'success' });
    expect(summary).not.toHaveProperty('executionState');
    expect(summary).not.toHaveProperty('workflowDefinition');
    expect(Object.keys((await read('run_mine', '?nodeIds=root,send')).body.data.executionState)).toEqual([
      'root',
      'send',
    ]);
  });

  it('remembers simulation, dust test and version', async () => {
    await start('runs-0', { runId: 'run_mine', simulate: true, dustTest: false, version: 7, chatMessageId: 'msg_1' });
    expect((await read()).body.data).toMatchObject({ isSimulation: true, isDustTest: false, workflowVersion: 7 });
    await start('runs-0', { runId: 'run_mine', dustTest: true });
    expect((await read()).body.data).toMatchObject({ isSimulation: false, isDustTest: true });
  });

  it.each([
    ['fails', 'failure'],
    ['partial', 'partial'],
    ['cancelled-by-vendor', 'cancelled'],
    ['waits', 'waiting'],
  ])('of %s ends or stays as %s', async (workflow, status) => {
    await start(`runs-0.${workflow}`);
    expect(await readStatus()).toBe(status);
  });

  it('waits as long as the id says, then succeeds', async () => {
    await start('runs-0.waits-60000');
    expect(await readStatus()).toBe('waiting');
    sandbox.skip(60_000);
    expect(await readStatus()).toBe('success');
  });

  it('begins again under a repeated id: that it does not is not documented', async () => {
    await start('runs-0');
    await start('runs-60000');
    expect(await readStatus()).toBe('running');
    expect(sandbox.current.starts({ kind: 'b3os', began: true })).toHaveLength(2);
  });
});

describe('a B3OS cancel', () => {
  it('ends a run that goes on or waits', async () => {
    for (const workflow of ['runs-60000', 'runs-0.waits']) {
      await start(workflow);
      const { status, body } = await cancel();
      expect([status, body.code, body.data.status]).toEqual([200, 200, 'cancelled']);
      expect((await read()).body.data).toMatchObject({ status: 'cancelled', finishedAt: expect.any(String) });
    }
  });

  it('is refused with 409 once the run has ended, or when it cannot be cancelled', async () => {
    for (const workflow of ['runs-0', 'uncancellable']) {
      await start(workflow);
      expect(await cancel()).toMatchObject({ status: 409, body: { code: 409, message: expect.any(String) } });
    }
    expect(await readStatus()).toBe('running');
  });

  it('can take its time', async () => {
    await start('runs-90000.cancel-slow-60000');
    expect((await cancel()).body.data.status).toBe('running');
    expect(await readStatus()).toBe('running');
    sandbox.skip(60_000);
    expect(await readStatus()).toBe('cancelled');
  });

  it('can fail, and then the run goes on', async () => {
    await start('cancel-status-503-x1');
    expect((await cancel()).status).toBe(503);
    expect(await readStatus()).toBe('running');
    expect((await cancel()).body.data.status).toBe('cancelled');
  });

  it('can lose its answer, and then the run is cancelled', async () => {
    await start('cancel-cut-before-headers');
    await expect(cancel()).rejects.toThrow(TypeError);
    expect(await readStatus()).toBe('cancelled');
  });

  it('of an unknown run is 404', async () => {
    expect(await cancel('run_unknown')).toMatchObject({ status: 404, body: { message: 'Run not found' } });
  });
});

describe('a broken B3OS start', () => {
  it('can have begun', async () => {
    await expect(start('cut-begun')).rejects.toThrow(TypeError);
    expect((await read()).status).toBe(200);
    expect(sandbox.current.starts()).toMatchObject([{ began: true, runId: 'run_mine' }]);
  });

  it('can not have begun', async () => {
    await expect(start('cut-unbegun')).rejects.toThrow(TypeError);
    expect(await read()).toMatchObject({ status: 404, body: { code: 404, message: 'Run not found' } });
    expect(sandbox.current.starts()).toMatchObject([{ began: false, runId: null, clientRunId: 'run_mine' }]);
  });

  it('can become known late', async () => {
    await expect(start('cut-late-60000')).rejects.toThrow(TypeError);
    expect((await read()).status).toBe(404);
    sandbox.skip(60_000);
    expect((await read()).status).toBe(200);
  });
});

describe('B3OS refuses', () => {
  it('a missing or wrong key, and a write with a key that may only read', async () => {
    const key = vendor().key;
    const type = { 'content-type': 'application/json' };
    for (const wrong of [{}, { authorization: key }, { authorization: 'Bearer b3sk_no' }, { 'x-api-key': key }]) {
      const answer = await start('w', {}, { headers: { ...type, ...wrong } });
      expect(answer).toMatchObject({
        status: 401,
        body: { code: 401, message: expect.any(String), requestId: expect.any(String) },
      });
    }
    await start('w');
    const readOnly = { authorization: `Bearer ${key}_read_only`, ...type };
    expect((await start('w', {}, { headers: readOnly })).status).toBe(403);
    expect((await ask(`${vendor().baseUrl}/v1/runs/run_mine`, { headers: readOnly })).status).toBe(200);
  });

  it.each([
    ['simulate together with dustTest', { simulate: true, dustTest: true }],
    ['a runId without its prefix', { runId: 'mine' }],
    ['a runId that is only the prefix', { runId: 'run_' }],
    ['a payload that is no object', { payload: [1] }],
    ['a version that is no integer', { version: 1.5 }],
    ['a version that is text', { version: '1' }],
    ['simulate that is no boolean', { simulate: 'true' }],
    ['a chatMessageId that is no text', { chatMessageId: 7 }],
    ['an unknown field', { inputs: {} }],
    ['a list', []],
  ])('%s', async (_what, body) => {
    expect(await start('w', body)).toMatchObject({ status: 400, body: { code: 400, message: expect.any(String) } });
    expect(sandbox.current.starts()).toEqual([]);
  });

  it('a body of another type, an archived workflow, a wrong query, path and method', async () => {
    expect((await start('w', {}, { headers: { ...headers(), 'content-type': 'text/plain' } })).status).toBe(400);
    expect(await start('archived')).toMatchObject({ status: 400, body: { message: 'Workflow is archived' } });
    await start('w');
    expect((await read('run_mine', '?summary=1')).status).toBe(400);
    expect((await ask(`${vendor().baseUrl}/workflows/w/run`, { method: 'POST', headers: headers() })).status).toBe(404);
    expect((await ask(`${vendor().baseUrl}/v1/workflows/w/run`, { headers: headers() })).status).toBe(405);
  });

  it('with Retry-After on 429, and in the introduction’s shape where it is asked for', async () => {
    expect((await start('status-429')).headers.get('retry-after')).toBe('1');
    expect((await start('status-429-retry-7')).headers.get('retry-after')).toBe('7');
    const { body } = await start('status-404-older');
    expect(body).toEqual({ success: false, error: { message: 'Workflow not found', code: 'NOT_FOUND' } });
  });
});
