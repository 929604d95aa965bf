import { describe, expect, it } from 'vitest';
import { ask, askUntil, CLIENTS, start, useSandbox, type Asked } from './support.ts';

const sandbox = useSandbox();
const vendor = () => sandbox.current.vendors['draft-and-goal'];
const headers = () => CLIENTS['draft-and-goal'].auth(vendor().key);
const run = (asked: Asked, workflow = 'my-workflow') =>
  ask(`${vendor().baseUrl}/v1/workflows/${workflow}/run`, {
    method: 'POST',
    headers: headers(),
    body: { inputs: {} },
    ...asked,
  });
const read = (id: string, query = '') =>
  ask(`${vendor().baseUrl}/v1/workflow-runs/${id}${query}`, { headers: headers() });
const readEnded = (id: string, query = '') =>
  askUntil(
    () => read(id, query),
    ({ status }) => status !== 250,
  );
const begin = async (workflow: string): Promise<string> =>
  (await start(sandbox.current, 'draft-and-goal', workflow)).body.data.id;

describe('a Draft & Goal run', () => {
  it('is accepted with a run id, before it is done', async () => {
    const answer = await start(sandbox.current, 'draft-and-goal', 'my-workflow');
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      success: true,
      data: { id: expect.stringMatching(/^[0-9a-f-]{36}$/), message: 'Workflow is running in the background.' },
    });
  });

  it('is answered with 250 and no data while it goes on', async () => {
    const answer = await read(await begin('runs-60000'));
    expect(answer.status).toBe(250);
    expect(answer.body).toEqual({ message: expect.stringContaining('Workflow Run generation on the way') });
  });

  it('ends DONE with the steps that have a downloadable output', async () => {
    const id = await begin('my-workflow');
    const { status, body } = await readEnded(id);
    expect(status).toBe(200);
    expect(body.success).toBe(true);
    expect(body.data).toMatchObject({
      run_id: id,
      workflow_id: 'my-workflow',
      inputs: { Text_0: { value: 'Hello world', type: 'text' } },
      state: 'DONE',
      error: null,
      failed_steps: [],
    });
    expect(body.data.started_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
    expect(body.data.completed_steps).toEqual([
      {
        step_id: expect.any(String),
        node_id: 'LLM_0',
        state: 'DONE',
        downloadable_output: true,
        output: expect.stringContaining('Hello world'),
        started_at: expect.any(String),
        ended_at: expect.any(String),
      },
    ]);
  });

  it('shows all steps with all_completed_steps=true, the same each time', async () => {
    const id = await begin('runs-0');
    const { body } = await readEnded(id, '?all_completed_steps=true');
    expect(body.data.completed_steps.map((step: { node_id: string }) => step.node_id)).toEqual(['Text_0', 'LLM_0']);
    expect((await read(id, '?all_completed_steps=true')).body).toEqual(body);
    expect((await read(id, '?all_completed_steps=false')).body.data.completed_steps).toHaveLength(1);
  });

  it('can end with no or several downloadable outputs', async () => {
    expect((await readEnded(await begin('runs-0.outputs-0'))).body.data.completed_steps).toEqual([]);
    expect((await readEnded(await begin('runs-0.outputs-2'))).body.data.completed_steps).toHaveLength(2);
  });

  it('ends FAILED with the reason and the failed step', async () => {
    const { status, body } = await readEnded(await begin('runs-0.fails'));
    expect(status).toBe(200);
    expect(body.data).toMatchObject({ state: 'FAILED', error: expect.any(String) });
    expect(body.data.failed_steps).toMatchObject([{ node_id: 'LLM_0', state: 'FAILED', error: expect.any(String) }]);
  });

  it('ends USER_ABORTED', async () => {
    const { body } = await readEnded(await begin('runs-0.aborted'));
    expect(body.data).toMatchObject({ state: 'USER_ABORTED', failed_steps: [{ state: 'USER_ABORTED' }] });
  });

  it('fails its polls as often as the id says, then answers', async () => {
    const id = await begin('runs-0.poll-status-404-x2.poll-html.poll-status-503-x1');
    expect((await read(id)).body).toEqual({
      type: 'error',
      error: { message: 'Invalid workflowrun id | Run deleted' },
    });
    expect((await read(id)).status).toBe(404);
    expect((await read(id)).body).toContain('<!doctype html>');
    expect((await read(id)).status).toBe(503);
    expect((await read(id)).body.data.state).toBe('DONE');
  });
});

describe('Draft & Goal refuses', () => {
  const error = (message: unknown) => ({ type: 'error', error: { message } });

  it('a missing or wrong key, and a key in another header', async () => {
    const key = vendor().key;
    for (const wrong of [{}, { 'x-api-key': 'wrong' }, { authorization: `Bearer ${key}` }, { authorization: key }]) {
      const answer = await run({ headers: { 'content-type': 'application/json', ...wrong } });
      expect([answer.status, answer.body]).toEqual([401, error('Invalid API key')]);
    }
  });

  it.each([
    ['no inputs', {}],
    ['inputs that are a list', { inputs: [] }],
    ['inputs without the wrapper', { inputs: { Text_0: 'Hello' } }],
    ['a value that is no string', { inputs: { Text_0: { value: 1, type: 'text' } } }],
    ['a type other than text', { inputs: { Text_0: { value: 'a', type: 'file' } } }],
    ['an input without a type', { inputs: { Text_0: { value: 'a' } } }],
    ['an unknown field', { inputs: {}, workflow: 'x' }],
    ['a list', []],
  ])('%s', async (_what, body) => {
    const answer = await run({ body });
    expect([answer.status, answer.body]).toEqual([400, error(expect.any(String))]);
    expect(sandbox.current.starts()).toEqual([]);
  });

  it('a body that is no JSON, is no UTF-8, or is not said to be JSON', async () => {
    expect((await run({ raw: '{"inputs":' })).status).toBe(400);
    expect((await run({ raw: Buffer.from([0x7b, 0xff, 0x7d]) })).status).toBe(400);
    expect((await run({ headers: { ...headers(), 'content-type': 'text/plain' } })).status).toBe(400);
  });

  it('a read that does not send the content type, which the documents ask of every request', async () => {
    const id = await begin('runs-0');
    const { status } = await ask(`${vendor().baseUrl}/v1/workflow-runs/${id}`, {
      headers: { 'x-api-key': vendor().key },
    });
    expect(status).toBe(400);
  });

  it('an unknown run, and a workflow or an id of another form', async () => {
    expect(await read('00000000-0000-0000-0000-000000000000')).toMatchObject({
      status: 404,
      body: error('Invalid workflowrun id | Run deleted'),
    });
    expect(await run({}, 'a%2Fb')).toMatchObject({ status: 404, body: error('Invalid workflow id') });
    expect((await run({}, 'a'.repeat(201))).status).toBe(404);
    expect((await read('x', '?all_completed_steps=yes')).status).toBe(400);
  });

  it('another path with 404 and another method with 405', async () => {
    const { origin, baseUrl } = vendor();
    const asked = { method: 'POST', headers: headers(), body: { inputs: {} } };
    expect((await ask(`${origin}/v1/workflows/w/run`, asked)).status).toBe(404);
    expect((await ask(`${baseUrl}/v1/workflows/w/run/`, asked)).status).toBe(404);
    expect((await ask(`${baseUrl}/v1/workflows//run`, asked)).status).toBe(404);
    const wrongMethod = await ask(`${baseUrl}/v1/workflows/w/run`, { headers: headers() });
    expect([wrongMethod.status, wrongMethod.headers.get('allow')]).toEqual([405, 'POST']);
    expect((await ask(`${baseUrl}/v1/workflow-runs/x`, { method: 'DELETE', headers: headers() })).status).toBe(405);
  });
});
