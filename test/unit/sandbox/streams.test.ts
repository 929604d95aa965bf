import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { ask, CLIENTS, start, useSandbox } from './support.ts';

const sandbox = useSandbox();
const JSON_TYPE = { 'content-type': 'application/json' };

const tutor = () => sandbox.current.vendors['ai-tutor'];

async function token(key = tutor().key): Promise<string> {
  const headers = { authorization: `Bearer ${key}` };
  return (await ask(`${tutor().baseUrl}/api/v1/token?ttl=60`, { headers })).body.token;
}

async function openTutorStream(workflow: string): Promise<Response> {
  const url = `${tutor().baseUrl}/api/v1/run/${workflow}/stream?token=${await token()}`;
  return fetch(url, { method: 'POST', headers: JSON_TYPE, body: JSON.stringify({ story: 'a dog' }) });
}

/** Everything that came until the end, whatever end that was. */
async function chunksOf(response: Response): Promise<{ chunks: Uint8Array[]; text: string; broken: boolean }> {
  const chunks: Uint8Array[] = [];
  let broken = false;
  try {
    for await (const chunk of response.body ?? []) chunks.push(chunk);
  } catch {
    broken = true;
  }
  return { chunks, text: Buffer.concat(chunks).toString(), broken };
}

const dataOf = (text: string) => [...text.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => data);

describe('an AI Tutor stream', () => {
  it('brings in pieces what the blocking call answers, characters split between chunks', async () => {
    const response = await openTutorStream('deltas-5.runs-20');
    const { chunks, text, broken } = await chunksOf(response);
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/plain; charset=utf-8']);
    expect(broken).toBe(false);
    expect(text).toBe((await start(sandbox.current, 'ai-tutor', 'deltas-5.runs-20')).body.result);
    expect(text).toMatch(/^pièce 1 ✓ 🦊 pièce 2 /);
    const whole = (chunk: Uint8Array) => !new TextDecoder().decode(chunk).includes('\ufffd');
    expect(chunks.every(whole)).toBe(false);
    expect(sandbox.current.starts()).toHaveLength(2);
  });

  it('can be 200 pieces long', async () => {
    const { text } = await chunksOf(await openTutorStream('deltas-200.runs-0'));
    expect(text.match(/🦊/gu)).toHaveLength(200);
  });

  it('can be Vercel’s data stream', async () => {
    const response = await openTutorStream('as-data-stream.deltas-2.runs-0');
    expect(response.headers.get('x-vercel-ai-data-stream')).toBe('v1');
    const lines = (await response.text()).trim().split('\n');
    expect(lines.map((line) => line.slice(0, 2))).toEqual(['f:', '0:', '0:', 'e:', 'd:']);
    expect(lines[1]).toBe('0:"pièce 1 ✓ 🦊 "');
  });

  it('can be Vercel’s UI message stream', async () => {
    const response = await openTutorStream('as-ui-messages.deltas-1.runs-0');
    expect(response.headers.get('x-vercel-ai-ui-message-stream')).toBe('v1');
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const data = dataOf(await response.text());
    expect(data.at(-1)).toBe('[DONE]');
    expect(data.slice(0, -1).map((text) => JSON.parse(text).type)).toEqual([
      'start',
      'text-start',
      'text-delta',
      'text-end',
      'finish',
    ]);
  });

  it('can be events or lines of JSON', async () => {
    const events = await openTutorStream('as-sse.deltas-1.runs-0');
    expect(events.headers.get('content-type')).toBe('text/event-stream');
    expect(dataOf(await events.text())).toEqual(['{"text":"pièce 1 ✓ 🦊 "}', '[DONE]']);
    const lines = await openTutorStream('as-ndjson.deltas-1.runs-0');
    expect(lines.headers.get('content-type')).toBe('application/x-ndjson');
    expect(await lines.text()).toBe('{"text":"pièce 1 ✓ 🦊 "}\n{"done":true}\n');
  });

  it.each([
    ['breaks-2.deltas-5', 2, true],
    ['errs-2.deltas-5', 2, true],
    ['unended-2.deltas-5', 2, false],
    ['breaks-0.deltas-5', 0, true],
  ])('%s: %i pieces came, broken: %s', async (workflow, pieces, broken) => {
    const seen = await chunksOf(await openTutorStream(`${workflow}.runs-0`));
    expect(seen.text.match(/🦊/gu)?.length ?? 0).toBe(pieces);
    expect(seen.broken).toBe(broken);
  });

  it('says an error where its format can, and leaves out the end of one that is unended', async () => {
    const error = async (form: string) => (await openTutorStream(`${form}.errs-1.runs-0`)).text();
    expect(await error('as-data-stream')).toMatch(/^f:.*\n0:.*\n3:"Something went wrong during execution\."\n$/);
    expect(dataOf(await error('as-ui-messages')).at(-2)).toContain('"errorText"');
    expect(await error('as-sse')).toContain('event: error\ndata: {"error":');
    expect(await error('as-ndjson')).toMatch(/\{"error":".*"\}\n$/);
    const unended = await (await openTutorStream('as-data-stream.unended-1.runs-0')).text();
    expect(unended.split('\n')).toHaveLength(3);
  });

  it('can fall silent on an open connection, and notices that nobody listens', async () => {
    const response = await openTutorStream('stalls-1.runs-0');
    const reader = response.body!.getReader();
    expect((await reader.read()).done).toBe(false);
    const silence = new Promise((resolve) => setTimeout(resolve, 100, 'silent'));
    const more = reader.read().then(({ done }) => (done ? 'ended' : 'more'));
    expect(await Promise.race([more, silence])).toBe('silent');
    await reader.cancel();
  });

  it('can have rubbish and unknown events between its pieces', async () => {
    const text = async (id: string) => (await openTutorStream(`${id}.deltas-2.runs-0`)).text();
    expect(await text('rubbish-frames')).toContain('\ufffd');
    expect(await text('as-data-stream.rubbish-frames.unknown-events')).toMatch(
      /0:.*\nthis is no part\ny:\{"new":true\}\n/,
    );
    expect(await text('as-ui-messages.unknown-events')).toContain('"type":"data-weather"');
    expect(await text('as-ndjson.rubbish-frames')).toContain('{"text":\n');
  });

  it('has no token where the key says so, whatever the workflow', async () => {
    const tokenOf = (damage: string) =>
      ask(`${tutor().baseUrl}/api/v1/token`, { headers: { authorization: `Bearer ${tutor().key}.token-${damage}` } });
    expect([(await tokenOf('status-401')).status, (await tokenOf('status-402')).status]).toEqual([401, 402]);
    expect((await tokenOf('status-429-retry-7')).headers.get('retry-after')).toBe('7');
    expect((await tokenOf('answer-html')).body).toContain('<!doctype html>');
    await expect(tokenOf('cut-before-headers')).rejects.toThrow(TypeError);
    expect(sandbox.current.starts()).toEqual([]);
  });

  it('is refused after a good token where the workflow says so', async () => {
    expect((await openTutorStream('status-402')).status).toBe(402);
    expect(sandbox.current.starts()).toMatchObject([{ workflow: 'status-402', began: false }]);
  });
});

describe('a B3OS run stream', () => {
  const open = async (workflow: string) => {
    await start(sandbox.current, 'b3os', workflow);
    const { baseUrl, key } = sandbox.current.vendors.b3os;
    return fetch(`${baseUrl}/v1/runs/run_chosen/stream`, { headers: CLIENTS.b3os.auth(key) });
  };
  const namesOf = (text: string) => [...text.matchAll(/^event: (.*)$/gm)].map(([, name]) => name);

  it('tells the steps of a run until it ends', async () => {
    const response = await open('runs-60');
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const text = await response.text();
    expect(namesOf(text)).toEqual(['run.started', ...Array<string>(3).fill('node.completed'), 'run.completed']);
    expect(JSON.parse(dataOf(text).at(-1) ?? '')).toEqual({
      type: 'run.completed',
      runId: 'run_chosen',
      status: 'success',
    });
  });

  it('tells all of a run that has ended', async () => {
    const text = await (await open('runs-0.fails')).text();
    expect(namesOf(text).at(-1)).toBe('run.failed');
  });

  it('tells of a wait, and of a cancel', async () => {
    const { baseUrl, key } = sandbox.current.vendors.b3os;
    const pending = open('runs-10.waits').then((response) => response.text());
    const read = () => ask(`${baseUrl}/v1/runs/run_chosen`, { headers: CLIENTS.b3os.auth(key) });
    await expect.poll(async () => (await read()).body.data?.status).toBe('waiting');
    await ask(`${baseUrl}/v1/runs/run_chosen/cancel`, { method: 'POST', headers: CLIENTS.b3os.auth(key) });
    expect(namesOf(await pending).slice(-2)).toEqual(['run.waiting', 'run.cancelled']);
  });

  it('is refused for a wrong key and an unknown run, and where the workflow says so', async () => {
    const { baseUrl, key } = sandbox.current.vendors.b3os;
    const streamOf = (id: string, credential: string) =>
      ask(`${baseUrl}/v1/runs/${id}/stream`, { headers: CLIENTS.b3os.auth(credential) });
    expect((await streamOf('run_x', 'wrong')).status).toBe(401);
    expect((await streamOf('run_x', key)).status).toBe(404);
    expect((await open('stream-status-503-x1.runs-0')).status).toBe(503);
    expect((await streamOf('run_chosen', key)).status).toBe(200);
  });

  it('breaks and ends early', async () => {
    expect((await chunksOf(await open('breaks-1.runs-0'))).broken).toBe(true);
    const unended = await chunksOf(await open('unended-1.runs-0'));
    expect([unended.broken, namesOf(unended.text)]).toEqual([false, ['run.started', 'node.completed']]);
  });
});

interface Talk {
  messages: string[];
  close: { code: number; reason: string };
}

/** One conversation with the WebSocket that Node has; it can send headers. */
async function talk(first: unknown, credential?: string): Promise<Talk> {
  const { baseUrl, key } = sandbox.current.vendors.interactly;
  const headers = { authorization: `Bearer ${credential ?? key}` };
  const socket = new WebSocket(`${baseUrl.replace('http', 'ws')}/v1/workflow-runs/ws`, { headers });
  const messages: string[] = [];
  socket.addEventListener('message', ({ data }) => messages.push(data as string));
  socket.addEventListener('open', () => socket.send(typeof first === 'string' ? first : JSON.stringify(first)));
  const [{ code, reason }] = (await once(socket, 'close')) as [CloseEvent];
  return { messages, close: { code, reason } };
}

const starting = (name: string, more: object = {}) => ({
  command: 'start',
  workflow_id: sandbox.current.vendors.interactly.workflowId(name),
  thread_to_node_inputs: { '0': { node_run_inputs: [] } },
  dynamic_variables: { city: 'Lyon' },
  ...more,
});

describe('an Interactly WebSocket', () => {
  // oxlint-disable-next-line typescript/no-explicit-any -- events of every type
  const eventsOf = ({ messages }: Talk): any[] => messages.map((text) => JSON.parse(text));
  const saidIn = (events: ReturnType<typeof eventsOf>) =>
    events.map(({ type, content }) => (type === 'assistant_response' ? content : '')).join('');

  it('acknowledges, speaks, and closes in order; the record says the same', async () => {
    const seen = await talk(starting('deltas-60.runs-30'));
    const events = eventsOf(seen);
    expect(seen.close.code).toBe(1000);
    expect(events[0]).toEqual({
      message: expect.any(String),
      workflow_run_id: expect.stringMatching(/^[0-9a-f]{24}$/),
    });
    expect(events.slice(1, 3).map(({ type }) => type)).toEqual(['start_workflow', 'start_node_run']);
    expect(events.slice(-2).map(({ type }) => type)).toEqual(['end_workflow_iteration', 'end_workflow']);
    const { baseUrl, key } = sandbox.current.vendors.interactly;
    const read = await ask(`${baseUrl}/v1/workflow-runs/${events[0].workflow_run_id}`, {
      headers: CLIENTS.interactly.auth(key),
    });
    const { thread_to_node_outputs: outputs } = read.body.workflow_run.workflow_run.input_output_pairs[0].run_output;
    expect(outputs['0'][0].output.text).toBe(saidIn(events));
    expect(sandbox.current.starts()).toMatchObject([{ kind: 'interactly', command: 'start', began: true }]);
  });

  it('ends with an error where the run fails', async () => {
    expect(eventsOf(await talk(starting('fails.runs-10'))).at(-1).type).toBe('workflow_error');
    const early = eventsOf(await talk(starting('errs-1.runs-10')));
    expect([saidIn(early).length > 0, early.at(-1).type]).toEqual([true, 'workflow_error']);
  });

  it.each([
    ['a start with its own state', { initial_state: {} }, 4006],
    ['a token of a repeated run that it does not know', { rerun_token: 'x' }, 4007],
    ['no thread', { thread_to_node_inputs: {} }, 1008],
    ['no workflow', { workflow_id: null }, 1008],
    ['an unknown field', { foo: 1 }, 1008],
    ['another command', { command: 'stop' }, 1008],
  ])('refuses %s', async (_, more, code) => {
    expect((await talk(starting('runs-0', more))).close.code).toBe(code);
    expect(sandbox.current.starts()).toEqual([]);
  });

  it('refuses what is no JSON, and a wrong key before the conversation', async () => {
    expect((await talk('hello')).close.code).toBe(1008);
    expect((await talk(starting('runs-0'), 'wrong')).close.code).toBe(1006);
    const { baseUrl, key } = sandbox.current.vendors.interactly;
    const plain = await ask(`${baseUrl}/v1/workflow-runs/ws`, { headers: CLIENTS.interactly.auth(key) });
    expect(plain.status).toBe(422);
  });

  it.each([
    ['breaks-1', 1006, true],
    ['unended-1', 1000, true],
    ['closes-4006', 4006, false],
    ['closes-1011', 1011, false],
    ['status-402', 1008, false],
    ['status-500', 1011, true],
    ['cut-on-accept', 1006, false],
    ['cut-before-headers', 1006, true],
    ['answer-not-json', 1000, true],
  ])('%s closes with %i, began: %s', async (name, code, began) => {
    expect((await talk(starting(`${name}.runs-10`))).close.code).toBe(code);
    expect(sandbox.current.starts().map((one) => one.began)).toEqual([began]);
  });

  it('can leave the run unnamed, and say rubbish and unknown things', async () => {
    const seen = await talk(starting('unnamed.unknown-events.rubbish-frames.deltas-1.runs-0'));
    expect(seen.messages.join('\n')).not.toContain('workflow_run_id');
    expect(seen.messages).toContain('{"type":"assistant_response","content":');
    expect(seen.messages.some((text) => text.includes('weather_changed'))).toBe(true);
  });
});
