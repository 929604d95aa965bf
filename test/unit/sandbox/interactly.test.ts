import { describe, expect, it } from 'vitest';
import { createHexNames, hexIdOf } from '../../../src/sandbox/workflow-names.ts';
import { ask, CLIENTS, start, useSandbox, type Answered, type Asked } from './support.ts';

const sandbox = useSandbox();
const vendor = () => sandbox.current.vendors.interactly;
const headers = () => CLIENTS.interactly.auth(vendor().key);
const url = () => `${vendor().baseUrl}/v1/workflow-runs`;
const post = (body: unknown, asked: Asked = {}) => ask(url(), { method: 'POST', headers: headers(), body, ...asked });
const read = (id: string) => ask(`${url()}/${id}`, { headers: headers() });
const order = (command: string, id: string, given: object = {}) =>
  post({ command, workflow_run_id: id, dynamic_variables: given });

/** The run inside the run of an answer. */
const runIn = ({ body }: Answered) => body.workflow_run.workflow_run;
const statusOf = async (id: string) => runIn(await read(id)).status;
const lastOutput = async (id: string) => runIn(await read(id)).input_output_pairs.at(-1).run_output;
const saidBy = ({ events }: { events: { type: string; content?: string }[] }) =>
  events.filter(({ type }) => type === 'assistant_response').map(({ content }) => content);

async function begin(workflow: string): Promise<string> {
  return (await start(sandbox.current, 'interactly', workflow)).body.workflow_run._id;
}

describe('an Interactly run', () => {
  it('is accepted under an id of 24 digits, nested twice', async () => {
    const answer = await start(sandbox.current, 'interactly', 'my-workflow');
    expect([answer.status, answer.headers.get('x-request-id')]).toEqual([200, expect.stringMatching(/^[0-9a-f]+$/)]);
    const id = vendor().workflowId('my-workflow');
    expect(answer.body.workflow_run).toEqual({
      team_id: expect.any(String),
      created_by: expect.any(String),
      updated_by: expect.any(String),
      created_at: expect.stringMatching(/Z$/),
      updated_at: expect.stringMatching(/Z$/),
      _id: expect.stringMatching(/^[0-9a-f]{24}$/),
      workflow_run: expect.objectContaining({ workflow_id: id, status: 'not_started', termination_source: null }),
    });
    expect(runIn(answer).input_output_pairs[0].run_input).toEqual(CLIENTS.interactly.start(id).body);
  });

  it('says what it made of its variables when it is completed', async () => {
    const id = await begin('runs-60000');
    expect(await statusOf(id)).toBe('running');
    sandbox.skip(60_000);
    expect(await statusOf(id)).toBe('completed');
    const output = await lastOutput(id);
    expect(saidBy(output)).toEqual([expect.stringContaining('Lyon')]);
    expect(output.thread_to_node_outputs).toEqual({ '0': [expect.objectContaining({ output: expect.anything() })] });
  });

  it.each([
    ['fails', 'failed', 'execution_error'],
    ['loops', 'aborted_looping_risk', null],
    ['cancelled-by-vendor', 'cancelled', null],
    ['waits', 'paused', null],
    ['asks', 'waiting_for_user_input', null],
  ])('of %s ends or stays as %s', async (workflow, status, source) => {
    const answer = await start(sandbox.current, 'interactly', `runs-0.${workflow}`);
    expect(runIn(answer)).toMatchObject({ status, termination_source: source });
  });

  it('can be answered when its turn is over', async () => {
    expect(runIn(await start(sandbox.current, 'interactly', 'slow-20.runs-10')).status).toBe('completed');
    expect(runIn(await start(sandbox.current, 'interactly', 'slow-20.runs-10.asks')).status).toBe(
      'waiting_for_user_input',
    );
  });

  it('is listed, newest first and without its turns', async () => {
    const ids = [await begin('runs-0'), await begin('runs-0'), await begin('runs-60000')];
    const list = async (query: string) => (await ask(`${url()}${query}`, { headers: headers() })).body;
    const { workflow_runs: runs, total } = await list('?size=2');
    expect([runs.map((run: { _id: string }) => run._id), total]).toEqual([[ids[2], ids[1]], 3]);
    expect(runs[0].workflow_run).toEqual({
      logical_id: expect.any(String),
      workflow_id: hexIdOf('runs-60000'),
      status: 'running',
    });
    expect((await list('?size=2&page=2')).workflow_runs).toHaveLength(1);
  });
});

describe('a conversation with Interactly', () => {
  it('asks, and answers with what it was told', async () => {
    const id = await begin('runs-0.asks');
    expect(saidBy(await lastOutput(id))).toEqual([expect.stringContaining('Question 1')]);
    const answer = await order('data', id, { name: 'Ada' });
    expect([answer.status, runIn(answer).status]).toEqual([200, 'completed']);
    const [said] = saidBy(await lastOutput(id));
    for (const part of ['Lyon', 'name = "Ada"']) expect(said).toContain(part);
  });

  it('asks twice, working in between', async () => {
    const id = await begin('runs-60000.asks-2');
    sandbox.skip(60_000);
    expect(runIn(await order('data', id)).status).toBe('running');
    sandbox.skip(60_000);
    expect(await statusOf(id)).toBe('waiting_for_user_input');
    expect(saidBy(await lastOutput(id))).toEqual([expect.stringContaining('Question 2')]);
    await order('data', id);
    sandbox.skip(60_000);
    expect(await statusOf(id)).toBe('completed');
    expect(runIn(await read(id)).input_output_pairs).toHaveLength(3);
  });

  it('goes on from a pause that the workflow has, when it is resumed or by itself', async () => {
    const resumed = await begin('runs-0.waits');
    expect(runIn(await order('resume', resumed)).status).toBe('completed');
    const patient = await begin('runs-0.waits-60000');
    sandbox.skip(60_000);
    expect(await statusOf(patient)).toBe('completed');
  });

  it('is paused and does what was left of it when it is resumed', async () => {
    const id = await begin('runs-100000');
    sandbox.skip(60_000);
    expect(runIn(await order('pause', id)).status).toBe('paused');
    expect((await order('pause', id)).status).toBe(200);
    sandbox.skip(1_000_000);
    expect(runIn(await order('resume', id)).status).toBe('running');
    sandbox.skip(41_000);
    expect(await statusOf(id)).toBe('completed');
  });

  it('refuses with 409 what does not fit the run', async () => {
    const asking = await begin('runs-0.asks');
    const running = await begin('runs-60000');
    const over = await begin('runs-0');
    const refused: [string, string][] = [
      ['resume', asking],
      ['data', running],
      ['resume', running],
      ...['data', 'resume', 'pause', 'stop'].map((command): [string, string] => [command, over]),
      ['pause', await begin('unpausable')],
      ['stop', await begin('uncancellable')],
    ];
    for (const [command, id] of refused) {
      expect(await order(command, id)).toMatchObject({ status: 409, body: { message: 'Conflict' } });
    }
    expect(sandbox.current.resumes({ began: true })).toEqual([]);
  });

  it('takes a resume once, however its answer is damaged', async () => {
    const lost = await begin('runs-0.resume-cut-before-headers');
    await expect(order('data', lost)).rejects.toThrow(TypeError);
    expect((await order('data', lost)).status).toBe(409);
    expect(await statusOf(lost)).toBe('completed');
    const refused = await begin('runs-0.resume-status-429-x1');
    expect((await order('data', refused)).status).toBe(429);
    expect(await statusOf(refused)).toBe('waiting_for_user_input');
    expect((await order('data', refused)).status).toBe(200);
    expect(sandbox.current.resumes().map(({ runId, began }) => [runId, began])).toEqual([
      [lost, true],
      [lost, false],
      [refused, false],
      [refused, true],
    ]);
  });

  it('is stopped while it runs, waits or asks', async () => {
    for (const workflow of ['runs-60000', 'runs-0.waits', 'runs-0.asks', 'runs-60000.asks']) {
      const id = await begin(workflow);
      expect(runIn(await order('stop', id)).status).toBe('cancelled');
      expect(await statusOf(id)).toBe('cancelled');
    }
  });
});

describe('Interactly refuses', () => {
  it('a missing or wrong key', async () => {
    const type = { 'content-type': 'application/json' };
    for (const wrong of [{}, { authorization: vendor().key }, { authorization: 'Bearer no' }]) {
      const answer = await post({ workflow_id: hexIdOf('w') }, { headers: { ...type, ...wrong } });
      expect(answer).toMatchObject({ status: 401, body: { message: 'Unauthorized', error: expect.any(String) } });
      expect((await ask(url(), { headers: wrong })).status).toBe(401);
    }
    expect(sandbox.current.starts()).toEqual([]);
  });

  it.each([
    ['command', { command: 'begin' }],
    ['workflow_id', { workflow_id: 'short' }],
    ['workflow_id', { workflow_id: 'g'.repeat(24) }],
    ['workflow_run_id', { workflow_run_id: '1' }],
    ['dynamic_variables', { dynamic_variables: [] }],
    ['thread_to_node_inputs', { thread_to_node_inputs: 'x' }],
    ['version_number', { version_number: -1 }],
    ['inputs', { inputs: {} }],
  ])('a wrong %s with 422 that names it', async (field, body) => {
    const answer = await post({ workflow_id: hexIdOf('w'), ...body });
    expect([answer.status, answer.body]).toEqual([
      422,
      { detail: [{ loc: ['body', field], msg: expect.any(String), type: expect.any(String) }] },
    ]);
  });

  it('commands without the id that they need, runs it does not know, and bodies that are no object', async () => {
    expect(await post({})).toMatchObject({ status: 400, body: { message: 'Bad Request' } });
    expect(await post({ command: 'stop' })).toMatchObject({ status: 400 });
    for (const command of ['data', 'resume', 'pause', 'stop']) {
      expect((await order(command, '0'.repeat(24))).status).toBe(404);
    }
    expect((await read('0'.repeat(24))).status).toBe(404);
    expect((await read('not-an-id')).status).toBe(422);
    expect((await post(undefined, { raw: '[]' })).status).toBe(400);
  });
});

describe('the ids of names', () => {
  it('show a short name, and stand for a longer one once it was asked for', () => {
    const names = createHexNames(['poll-status-503-x2']);
    expect(names.idOf('asks')).toBe('61736b730000000000000000');
    expect(names.nameOf('61736B730000000000000000')).toBe('asks');
    expect(names.nameOf(hexIdOf('poll-status-503-x2'))).toBe('poll-status-503-x2');
    const unknown = hexIdOf('runs-2000.some-longer-name');
    expect(names.nameOf(unknown)).toBe(unknown);
    expect(names.idOf('runs-2000.some-longer-name')).toBe(unknown);
    expect(names.nameOf(unknown)).toBe('runs-2000.some-longer-name');
  });

  it('leave an id of the right form as it is', () => {
    const names = createHexNames([]);
    expect(names.idOf('5eb7cf5a86d9755df3a6c593')).toBe('5eb7cf5a86d9755df3a6c593');
    expect(names.nameOf('5eb7cf5a86d9755df3a6c593')).toBe('5eb7cf5a86d9755df3a6c593');
  });
});
