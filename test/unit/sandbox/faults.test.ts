import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { reviveJson } from '../../../src/core/json.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import { FAULTS, faultsFor, readPlan } from '../../../src/sandbox/faults.ts';
import { createStartRecorder } from '../../../src/sandbox/start-recorder.ts';
import type { VendorParts } from '../../../src/sandbox/vendor.ts';
import { VENDOR_SANDBOXES } from '../../../src/sandbox/vendors.ts';
import { plainNames } from '../../../src/sandbox/workflow-names.ts';
import { ask, CLIENTS, start, startOverSocket, startRequest, useSandbox } from './support.ts';

const sandbox = useSandbox();
const SILENCE_MS = 150;
const recorder = createStartRecorder({ clock: systemClock, recordsMax: 1 });
const PARTS: VendorParts = {
  clock: systemClock,
  random: createSystemRandom(),
  key: 'key',
  runMs: 0,
  runsMax: 1,
  starts: recorder,
  resumes: recorder,
  names: plainNames,
  watch: () => undefined,
};

/** A body without its texts, some of which are made up anew each time. */
function shapeOf(body: unknown): unknown {
  return reviveJson(JSON.stringify(body, (_, value: unknown) => (typeof value === 'string' ? 'text' : value)));
}

describe('the table of special workflow ids', () => {
  it.each(VENDOR_SANDBOXES)('is understood by $kind, every example of it', ({ traits }) => {
    const ordinary = readPlan('my-workflow', traits);
    const examples = faultsFor(traits).flatMap((fault) => fault.examples);
    expect(examples.length).toBeGreaterThan(40);
    expect(new Set(examples).size).toBe(examples.length);
    for (const example of examples) {
      expect(example).toMatch(/^[A-Za-z0-9._-]+$/);
      expect({ example, plan: readPlan(example, traits) }).not.toEqual({ example, plan: ordinary });
    }
  });

  it('says of each form once what it does', () => {
    expect(new Set(FAULTS.map(({ form }) => form)).size).toBe(FAULTS.length);
    for (const { effect } of FAULTS) expect(effect).toMatch(/^[a-z].{20}/);
  });

  it('takes every other id for an ordinary workflow', () => {
    for (const id of [
      'wf_abc123',
      '0cf35172-859e-4b26-8ce9-6c2588a77b40',
      'status-99',
      'slow-',
      'runs-daily',
      'failsafe',
    ]) {
      expect(readPlan(id, ['poll', 'cancel', 'asking', 'pause', 'resume'])).toEqual(readPlan('my-workflow', []));
    }
  });

  it('joins parts, and ignores what a vendor does not have', () => {
    const plan = readPlan('runs-2000.poll-status-503-x2.poll-html.my-test', ['poll']);
    expect(plan.runMs).toBe(2000);
    expect(plan.polls.map(({ times }) => times)).toEqual([2, 1]);
    expect(readPlan('poll-status-503.waits.uncancellable', [])).toEqual(readPlan('my-workflow', []));
  });
});

describe.each(VENDOR_SANDBOXES)('a start at $kind', (vendor) => {
  const { kind } = vendor;
  const begun = () => sandbox.current.starts().map(({ began }) => began);

  it.each([400, 401, 402, 403, 404, 408, 409, 410, 418, 422, 429, 500, 502, 503, 504, 529])(
    'answers %i with a JSON error, counted as begun only when that may be so',
    async (status) => {
      const answer = await start(sandbox.current, kind, `status-${status}`);
      expect(answer.status).toBe(status);
      expect(JSON.stringify(answer.body)).toMatch(/"\w+":"[^"]{2,}"/);
      expect(begun()).toEqual([status >= 500]);
    },
  );

  it('answers other statuses that are no success', async () => {
    expect(await start(sandbox.current, kind, 'status-204')).toMatchObject({ status: 204, body: '' });
    expect(await start(sandbox.current, kind, 'status-250')).toMatchObject({ status: 250 });
    for (const status of [301, 302, 307]) {
      const answer = await start(sandbox.current, kind, `status-${status}`);
      expect([answer.status, answer.headers.get('location')]).toEqual([status, '/redirected']);
    }
    expect(begun()).toEqual([true, true, false, false, false]);
  });

  it('says when to come back, in seconds or as a date', async () => {
    const header = async (workflow: string) =>
      (await start(sandbox.current, kind, workflow)).headers.get('retry-after');
    expect(await header('status-429-retry-7')).toBe('7');
    expect(Date.parse((await header('status-503-retry-date-3600')) ?? '')).toBeGreaterThan(Date.now());
  });

  it('answers late, the run having begun before', async () => {
    const pending = start(sandbox.current, kind, 'slow-60000.runs-0').catch((error: unknown) => error);
    await expect.poll(() => begun()).toEqual([true]);
    expect((await start(sandbox.current, kind, 'slow-1.runs-0')).status).toBe(200);
    await expect(Promise.race([pending, Promise.resolve('still open')])).resolves.toBe('still open');
  });

  it.each([
    ['cut-on-accept', /^$/, false],
    ['cut-before-headers', /^$/, true],
    ['cut-in-headers', /^HTTP\/1\.1 200 OK\r\ncontent-type: applica$/, true],
    ['cut-in-body', /^HTTP\/1\.1 200 OK\r\n[^]*content-length: \d+\r\n[^]*\r\n\r\n\{[^]*[^}]$/i, true],
    ['cut-in-error-body', /^HTTP\/1\.1 500 [^]*content-length: \d+\r\n[^]*\r\n\r\n\{[^]*[^}]$/i, true],
    ['answer-half', /^HTTP\/1\.1 200 [^]*transfer-encoding: chunked\r\n[^]*\r\n\{[^]*[^}\n]\r\n$/i, true],
  ])('%s shows this on the wire and closes', async (workflow, wire, began) => {
    const seen = await startOverSocket(sandbox.current, kind, workflow);
    expect(seen.text).toMatch(wire);
    expect(seen.connection).not.toBe('open');
    expect(begun()).toEqual([began]);
  });

  it('reset-before-headers resets the connection', async () => {
    const seen = await startOverSocket(sandbox.current, kind, 'reset-before-headers');
    expect([seen.text, seen.connection]).toEqual(['', 'reset']);
    expect(begun()).toEqual([true]);
  });

  it.each([
    ['reset-in-headers', /^HTTP\/1\.1 200 OK\r\ncontent-type: applica$/],
    ['reset-in-body', /^HTTP\/1\.1 200 OK\r\n[^]*content-length: \d+\r\n[^]*\r\n\r\n\{[^]*[^}]$/i],
  ])('%s resets the connection there', async (workflow, wire) => {
    const seen = await startOverSocket(sandbox.current, kind, `runs-0.${workflow}`);
    expect(seen.text).toMatch(wire);
    expect(seen.connection).toBe('reset');
    expect(begun()).toEqual([true]);
  });

  it.each([
    ['interim-100', /^HTTP\/1\.1 100 Continue\r\n[^]*\r\n\r\nHTTP\/1\.1 200 OK\r\n[^]*\}$/],
    ['interim-101', /^HTTP\/1\.1 101 Switching Protocols\r\n[^]*upgrade: [^]*\r\n\r\nHTTP\/1\.1 200 OK\r\n[^]*\}$/],
    ['interim-103', /^HTTP\/1\.1 103 Early Hints\r\n[^]*\r\n\r\nHTTP\/1\.1 200 OK\r\n[^]*\}$/],
    [
      'answer-broken-chunks',
      /^HTTP\/1\.1 200 [^]*transfer-encoding: chunked\r\n[^]*\r\n\r\n[0-9a-f]+\r\n\{[^]*\r\nno size/,
    ],
    ['slow-headers-60', /^HTTP\/1\.1 200 OK\r\n[^]*content-length: \d+\r\n[^]*\r\n\r\n\{[^]*\}$/i],
    ['slow-body-60', /^HTTP\/1\.1 200 OK\r\n[^]*content-length: \d+\r\n[^]*\r\n\r\n\{[^]*\}$/i],
  ])('%s shows this on the wire', async (workflow, wire) => {
    const seen = await startOverSocket(sandbox.current, kind, `runs-0.${workflow}`);
    expect(seen.text).toMatch(wire);
    expect(begun()).toEqual([true]);
  });

  it('duplicate-keys has each member twice, and only the last counts', async () => {
    const [answer, ordinary] = await Promise.all(
      ['runs-0.duplicate-keys', 'runs-0'].map((workflow) => start(sandbox.current, kind, workflow)),
    );
    const { text } = await startOverSocket(sandbox.current, kind, 'runs-0.duplicate-keys');
    expect(text).toMatch(/\r\n\r\n\{"\w+":null,/);
    expect(Object.keys(answer?.body as object)).toEqual(Object.keys(ordinary?.body as object));
  });

  it('never-answers and stall-in-body keep the connection open and silent', async () => {
    const silent = await startOverSocket(sandbox.current, kind, 'runs-0.never-answers', SILENCE_MS);
    expect([silent.text, silent.connection]).toEqual(['', 'open']);
    const stalled = await startOverSocket(sandbox.current, kind, 'runs-0.stall-in-body', SILENCE_MS);
    expect(stalled.text).toMatch(/^HTTP\/1\.1 200 [^]*\r\n\r\n\{[^]*[^}]$/);
    expect(stalled.connection).toBe('open');
    expect(begun()).toEqual([true, true]);
  });

  it.each([
    ['answer-html', /text\/html[^]*<!doctype html>/],
    ['answer-empty', /application\/json[^]*\r\n\r\n$/],
    ['answer-not-json', /application\/json[^]*\r\n\r\nWorkflow started/],
    ['answer-wrong-shape', /\r\n\r\n\{"hello":[^]*\}$/],
    ['answer-array', /\r\n\r\n\[[^]*\]$/],
    ['answer-nan', /"id":NaN/],
    ['answer-deep', /\[{100000}\]{100000}$/],
  ])('%s is a 200 with this body', async (workflow, body) => {
    const seen = await startOverSocket(sandbox.current, kind, workflow);
    expect(seen.text).toMatch(/^HTTP\/1\.1 200 /);
    expect(seen.text).toMatch(body);
    expect(begun()).toEqual([true]);
  });

  it('answer-success-false is a 200 that says in the vendor’s own way that nothing began', async () => {
    const answer = await start(sandbox.current, kind, 'answer-success-false');
    expect([answer.status, shapeOf(answer.body)]).toEqual([200, shapeOf(vendor.create(PARTS).unsuccessful())]);
    expect(begun()).toEqual([false]);
  });

  it('answer-bad-utf8 has bytes that are no UTF-8', async () => {
    const { bytes } = await startOverSocket(sandbox.current, kind, 'answer-bad-utf8');
    expect(() => new TextDecoder('utf-8', { fatal: true }).decode(bytes)).toThrow(TypeError);
  });

  it('answer-wrong-length sends more than it announces', async () => {
    const { text } = await startOverSocket(sandbox.current, kind, 'answer-wrong-length');
    const [head = '', body = ''] = text.split('\r\n\r\n');
    expect(body.length).toBeGreaterThan(Number(/content-length: (\d+)/i.exec(head)?.[1]));
  });

  it('answer-huge streams 50 MB, and stops when nobody reads on', async () => {
    const { url, headers, body } = startRequest(sandbox.current, kind, 'answer-huge');
    const huge = () => fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
    expect((await (await huge()).text()).length).toBeGreaterThan(50 * 1024 * 1024);
    await (await huge()).body?.cancel();
  });

  it('answer-many-headers has 100 KB of them', async () => {
    const { text } = await startOverSocket(sandbox.current, kind, 'answer-many-headers');
    expect(text.indexOf('\r\n\r\n')).toBeGreaterThan(100_000);
  });

  it('answer-echo-key repeats the credential in headers and message', async () => {
    const { key } = sandbox.current.vendors[kind];
    const answer = await start(sandbox.current, kind, 'answer-echo-key');
    expect([answer.status, answer.headers.get('x-ratelimit-limit')]).toEqual([400, key]);
    expect(JSON.stringify(answer.body)).toContain(key);
    expect(begun()).toEqual([false]);
  });

  it('follows no workflow’s instructions for a wrong credential', async () => {
    for (const workflow of ['cut-on-accept', 'status-500', 'answer-huge', 'never-answers']) {
      const { url, ...wrong } = startRequest(sandbox.current, kind, workflow, 'wrong');
      expect((await ask(url, wrong)).status).toBe(401);
    }
    expect(begun()).toEqual([]);
  });
});

describe('a damaged poll', () => {
  it.each([
    'cut-before-headers',
    'cut-in-headers',
    'cut-in-body',
    'cut-in-error-body',
    'cut-on-accept',
    'reset-before-headers',
    'half',
    'many-headers',
  ])('%s happens as often as the id says, then the run is read', async (damage) => {
    await start(sandbox.current, 'b3os', `poll-${damage}-x2`);
    const { baseUrl, key } = sandbox.current.vendors.b3os;
    const read = () => ask(`${baseUrl}/v1/runs/run_chosen`, { headers: CLIENTS.b3os.auth(key) });
    await expect(read()).rejects.toThrow(TypeError);
    await expect(read()).rejects.toThrow(TypeError);
    expect((await read()).status).toBe(200);
  });
});
