import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PROVIDER_KINDS } from '../../src/providers/catalog.generated.ts';
import { prepareTestGateway, type Client, type TestGateway } from '../support/gateway.ts';
import { linesUntil, startChild, type Child } from '../support/processes/child.ts';
import { PROGRAM } from '../support/program.ts';
import { joinedDeltas } from '../support/streams.ts';
import { readPatiently, type ReconnectingReader } from '../support/streams-reconnecting.ts';

const SLOW_MS = 90_000;
const READERS_OF_EACH = 3;

let gateway: TestGateway;
let child: Child;
let url: string;
let readers: ReconnectingReader[];
const at = { url: () => url, authorization: '' };
let client: Client;

beforeEach(async () => {
  gateway = await prepareTestGateway();
  at.authorization = gateway.authorization;
  readers = [];
});
afterEach(async () => {
  for (const reader of readers) reader.stop();
  child.signal('SIGKILL');
  await child.gone;
  await gateway.stop();
});

/** `rungate serve` on the test's data; where it has run before, at the same address. */
async function serve(environment: Record<string, string> = {}): Promise<void> {
  const port = url === '' ? '0' : new URL(url).port;
  const all = { ...gateway.environment, RUNGATE_LOG_LEVEL: 'silent', RUNGATE_DELTA_GROUP_MS: '10', ...environment };
  child = startChild([PROGRAM, 'serve'], { ...all, RUNGATE_PORT: port });
  const lines = await linesUntil(
    child,
    (line) => line.startsWith('admin API'),
    () => 'the gateway did not start',
  );
  url = /runs API +(\S+)/.exec(lines.join('\n'))?.[1] ?? '';
  client = gateway.at(url);
}

/** For each kind a run with several readers, the first of whom has begun it. */
async function beginLoad(workflowOf: (kind: string) => string): Promise<void> {
  for (const { kind } of PROVIDER_KINDS) {
    const workflow = gateway.workflowId(kind, workflowOf(kind));
    const body = { provider: kind, workflow, inputs: {} };
    const first = readPatiently(at, { body, idempotencyKey: `load ${kind}` });
    readers.push(first);
    await expect.poll(() => first.id(), { timeout: 5_000 }).not.toBeNull();
    for (let i = 1; i < READERS_OF_EACH; i++) readers.push(readPatiently(at, { id: first.id() ?? '' }));
  }
  // Everybody has seen something of the run itself, so the stop comes into the middle of it.
  await expect
    .poll(() => Math.min(...readers.map((reader) => reader.events().length)), { timeout: 15_000 })
    .toBeGreaterThan(2);
}

/** Every reader's log is the run's, whole, in order, and each event once. */
async function expectWholeLogs(): Promise<void> {
  await Promise.all(readers.map(({ over }) => over));
  for (const reader of readers) {
    const { body } = await client.get(`/runs/${reader.id()}/events?limit=1000`, { accept: 'application/json' });
    expect(reader.events()).toEqual(body.data);
    expect(reader.events().map(({ seq }) => seq)).toEqual(reader.events().map((_, i) => i + 1));
    const others = readers.filter((other) => other.id() === reader.id());
    expect(new Set(others.map((other) => other.lines().join('\n'))).size).toBe(1);
  }
}

function endOf(kind: string) {
  const own = readers.find((reader) => reader.events().at(-1)?.data.run?.provider === kind);
  return own?.events().at(-1)?.data.run;
}

const startsOf = (kind: string, workflow: string) => gateway.sandbox.starts({ kind, workflow });
const workflowOf = (kind: string) =>
  kind === 'draft-and-goal' ? 'under-load.runs-7000' : 'under-load.deltas-200.runs-7000';

describe('a gateway that is told to stop while it streams', () => {
  beforeEach(() => void (url = ''));

  it(
    'waits for streamed starts, refuses new runs, answers who waits, and loses no event for who comes back',
    async () => {
      await serve();
      await beginLoad(workflowOf);
      const held = PROVIDER_KINDS.map(({ kind }) =>
        client.post('/runs', { provider: kind, workflow: gateway.workflowId(kind, 'held.runs-3000') }),
      );
      await expect.poll(() => gateway.sandbox.starts({ workflow: 'held.runs-3000' }).length).toBe(held.length);
      child.signal('SIGTERM');
      const provider = PROVIDER_KINDS[0]?.kind ?? '';
      const refused = { provider, workflow: gateway.workflowId(provider, 'too-late') };
      await expect.poll(async () => (await fetch(`${url}/readyz`)).status).toBe(503);
      const answer = await client.post('/runs', refused);
      expect(answer).toMatchObject({ status: 503, body: { error: { code: 'shutting_down', retryable: true } } });
      expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
      for (const { status, body } of await Promise.all(held)) {
        expect(status === 202 ? body.status : status).toBe(status === 202 ? 'running' : 200);
      }
      expect(await child.gone).toBe('exit 0');
      // A start whose answer is a stream was read to its end.
      for (const { kind, startStream } of PROVIDER_KINDS) {
        if (startStream === undefined) continue;
        const own = startsOf(kind, workflowOf(kind))[0];
        expect(Date.now() - Date.parse(own?.at ?? '')).toBeGreaterThan(6_500);
      }
      await serve();
      await expectWholeLogs();
      for (const { kind, startStream } of PROVIDER_KINDS) {
        const run = endOf(kind);
        expect(run).toMatchObject({ status: 'succeeded', error: null });
        if (startStream !== undefined) {
          const own = readers.find((reader) => reader.id() === run.id)!;
          expect(joinedDeltas(own.events())).toBe(run.output.text);
        }
        expect(startsOf(kind, workflowOf(kind))).toHaveLength(1);
        expect(startsOf(kind, 'held.runs-3000')).toHaveLength(1);
      }
      // Nobody was cut off without a word.
      for (const reader of readers) {
        expect([reader.goodbyes() > 0, reader.breaks() <= 1]).toEqual([true, true]);
      }
      expect(gateway.sandbox.starts({ workflow: 'too-late' })).toEqual([]);
      for (const answered of await Promise.all(held)) {
        expect(await client.end(answered.body.id)).toMatchObject({ status: 'succeeded' });
      }
    },
    SLOW_MS,
  );

  it(
    'gives up streamed starts that take longer than the drain: polled where they are named, else unknown',
    async () => {
      await serve({ RUNGATE_DRAIN_TIMEOUT_S: '1' });
      await beginLoad(workflowOf);
      child.signal('SIGTERM');
      expect(await child.gone).toBe('exit 0');
      await serve();
      await expectWholeLogs();
      for (const { kind, poll } of PROVIDER_KINDS) {
        if (poll !== undefined) expect(endOf(kind)).toMatchObject({ status: 'succeeded', error: null });
        else expect(endOf(kind)).toMatchObject({ status: 'failed', error: { code: 'outcome_unknown' } });
        expect(startsOf(kind, workflowOf(kind))).toHaveLength(1);
      }
    },
    SLOW_MS,
  );
});

describe('a gateway that is killed while it streams', () => {
  beforeEach(() => void (url = ''));

  it(
    'has told nothing that is missing or other afterwards, and begins no run twice',
    async () => {
      await serve();
      await beginLoad(workflowOf);
      child.signal('SIGKILL');
      await child.gone;
      const seenBefore = readers.map((reader) => [...reader.lines()]);
      await serve();
      await expectWholeLogs();
      for (const [i, lines] of seenBefore.entries()) expect(readers[i]?.lines().slice(0, lines.length)).toEqual(lines);
      for (const { kind, poll } of PROVIDER_KINDS) {
        if (poll !== undefined) expect(endOf(kind)).toMatchObject({ status: 'succeeded', error: null });
        else expect(endOf(kind)).toMatchObject({ status: 'failed', error: { code: 'outcome_unknown' } });
        expect(startsOf(kind, workflowOf(kind))).toHaveLength(1);
      }
    },
    SLOW_MS,
  );
});
