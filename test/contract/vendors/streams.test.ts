import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { DAMAGE_RULES } from '../../../src/sandbox/damages.ts';
import { allAtOnce } from '../../support/all-at-once.ts';
import { dataLines } from '../../support/event-client.ts';
import { startTestGateway, vendorOf, type TestGateway, type TestProvider } from '../../support/gateway.ts';
import { beginStream, isEnd, joinedDeltas, seenBy, type SeenEvent } from '../../support/streams.ts';
import { ERRORS, QUICK_KINDS } from './contract-table.ts';
import { faultsOfKinds, nameOf, providerOf, providersOf, restsLong, type FaultOfKind } from './faults-of-kinds.ts';
import { FORMATS, streamedEnd, tokenError, wayOf, type StreamedEnd } from './stream-table.ts';

interface Case extends FaultOfKind {
  expected: StreamedEnd;
}

interface Streamed {
  status: number;
  replayed: string | null;
  events: SeenEvent[];
  lines: string[];
}

/** A silent vendor is given up after a while, twice where its run is polled afterwards. */
const SILENT_MS = 40_000;
/** How soon a run ends whose vendor is not silent, on a busy machine; one that nobody cares for is found after 15 s. */
const PROMPT_MS = 14_000;
/** `<the key>.token-<damage>` at the sandbox is a good credential whose tokens cannot be had. */
const TOKEN_DAMAGES = DAMAGE_RULES.flatMap(({ examples }) => examples);
const TROUBLES = [
  'deltas-0',
  'deltas-40',
  'breaks-2',
  'stalls-2',
  'unended-2',
  'errs-2',
  'rubbish-frames',
  'unknown-events',
];

const single = faultsOfKinds('start', 'run', 'stream');
const combined: FaultOfKind[] = PROVIDER_KINDS.flatMap((kind) => {
  const way = wayOf(kind);
  const prefixes = way === 'http' ? FORMATS.slice(1) : way === 'websocket' ? ['unnamed'] : [];
  const troubles = [...TROUBLES, ...(way === 'websocket' ? ['fails', 'loops', 'cancelled-by-vendor', 'asks'] : [])];
  return prefixes.flatMap((prefix) => troubles.map((trouble) => ({ kind, workflow: `${prefix}.${trouble}` })));
});
const faults = [...single, ...combined];
const cases: Case[] = faults.flatMap((fault) => {
  const expected = streamedEnd(fault.kind, fault.workflow);
  return expected === null ? [] : [{ ...fault, expected }];
});
const tokenCases = PROVIDER_KINDS.filter(({ startStream }) => startStream?.token !== undefined).flatMap((kind) =>
  TOKEN_DAMAGES.map((damage) => ({ kind, damage, workflow: `no-token-${damage}` })),
);
const results = allAtOnce(cases, nameOf, (one) => streamTwice(providerOf(one), one));
const tokenResults = allAtOnce(tokenCases, nameOf, (one) => streamTwice(tokenProvider(one.kind.kind, one.damage), one));
let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startTestGateway({
    kinds: QUICK_KINDS,
    environment: { RUNGATE_IDLE_TIMEOUT_MS: '2000' },
    providers: (sandbox) => ({ ...providersOf(cases, sandbox), ...withoutTokens(sandbox) }),
  });
  results.begin();
  tokenResults.begin();
});
afterAll(() => gateway.stop());

function tokenProvider(kind: string, damage: string): string {
  return `${kind}-without-${damage}`;
}

function withoutTokens(sandbox: TestGateway['sandbox']): Record<string, TestProvider> {
  return Object.fromEntries(
    tokenCases.map(({ kind: { kind }, damage }) => {
      const { baseUrl, key } = vendorOf(sandbox, kind);
      return [tokenProvider(kind, damage), { kind, baseUrl, secret: `${key}.token-${damage}` }];
    }),
  );
}

/** One start with a listener, and the same request again when the run has ended or waits. */
async function streamTwice(
  provider: string,
  { kind, workflow, expected }: FaultOfKind & { expected?: StreamedEnd },
): Promise<{ first: Streamed; again: Streamed; began: boolean[] }> {
  const body = {
    provider,
    workflow: gateway.workflowId(kind.kind, workflow),
    inputs: { Text_0: 'Héllo 🦊 world' },
    ...(expected?.timeoutS === undefined ? {} : { timeout_s: expected.timeoutS }),
  };
  const until = expected?.status === 'waiting' && expected.endsLater !== true ? 'run.waiting' : null;
  const headers = { 'idempotency-key': `${provider} ${workflow}` };
  const first = await streamOnce(body, headers, until);
  const began = gateway.sandbox.starts({ kind: kind.kind, workflow }).map((start) => start.began);
  return { first, began, again: await streamOnce(body, headers, until) };
}

async function streamOnce(body: object, headers: Record<string, string>, until: string | null): Promise<Streamed> {
  const client = beginStream(gateway, body, headers);
  await client.until(() => client.isWhole() || seenBy(client).at(-1)?.type === until);
  client.leave();
  return {
    status: client.status(),
    replayed: client.header('idempotent-replayed'),
    events: seenBy(client),
    lines: dataLines(client.text()),
  };
}

/** Created, started, whatever was said, and one end, numbered without a gap. */
function expectLog(events: readonly SeenEvent[], waits: boolean): void {
  const types = events.map(({ type }) => type);
  expect(types.slice(0, 2)).toEqual(['run.created', 'run.started']);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1));
  const said = types.slice(2, -1);
  expect(said.filter((type) => !/^run\.(progress|output\.delta|waiting|resumed)$/.test(type))).toEqual([]);
  expect(events.filter(isEnd)).toHaveLength(waits ? 0 : 1);
  expect(isEnd(events.at(-1)!)).toBe(!waits);
}

/** By vendor or by deadline. */
function hangs(workflow: string): boolean {
  return /never-answers|stall|uncancellable/.test(workflow);
}

async function readPage(id: string): Promise<unknown[]> {
  const { body } = await gateway.get(`/runs/${id}/events?limit=1000`, { accept: 'application/json' });
  return body.data;
}

describe('the table of special workflow ids', () => {
  it('has nothing whose end with a listener this suite does not know', () => {
    expect(faults.length).toBeGreaterThan(PROVIDER_KINDS.length * 40);
    expect(cases.map(nameOf)).toEqual(faults.map(nameOf));
  });
});

describe.each(PROVIDER_KINDS)('a run of $kind that somebody listens to', (kind) => {
  it.each(cases.filter((one) => one.kind === kind))(
    '$workflow is $expected.status $expected.code',
    async (one) => {
      const { first, began } = await results.resultOf(nameOf(one));
      const { status, code, begins, text, waitsFor, endsLater } = one.expected;
      const { events } = first;
      const ends = status !== 'waiting' || endsLater === true;
      expect(first.status).toBe(200);
      expectLog(events, !ends);
      // The vendor saw one start, and never another.
      expect(began).toEqual([begins]);
      const run = (await gateway.get(`/runs/${events[0]?.run_id}`)).body;
      expect(run.status).toBe(endsLater ? 'succeeded' : status);
      if (ends) expect(events.at(-1)?.data).toEqual({ run });
      else expect(events.at(-1)?.data.waiting).toEqual(waitsFor ?? { for: 'resume', hint: null });
      if (code === undefined) expect(run.error).toBeNull();
      else {
        const retryable = ERRORS[code].retryable && kind.notStarted({ status: 429 });
        expect(run.error).toMatchObject({ ...ERRORS[code], code, retryable, provider: providerOf(one) });
        if (retryable) expect(began).toEqual([false]);
      }
      expectText(joinedDeltas(events), run.output, text);
      const tookMs = Date.parse(events.at(-1)!.at) - Date.parse(events[0]!.at);
      if (!hangs(one.workflow)) expect(tookMs).toBeLessThan(PROMPT_MS);
      if (ends) expect(await readPage(run.id)).toEqual(events);
    },
    SILENT_MS,
  );

  it(
    'is the same stream for whoever sends the same request again',
    async () => {
      for (const one of cases.filter((other) => other.kind === kind)) {
        const { first, again } = await results.resultOf(nameOf(one));
        const error = first.events.at(-1)?.data?.run?.error;
        if (error?.retryable === true) {
          if (restsLong(error)) expectRefused(one.workflow, again);
          else expect(again.replayed).toBeNull();
          continue;
        }
        expect(again.replayed).toBe('true');
        const shown = again.lines.slice(0, first.lines.length);
        expect({ workflow: one.workflow, lines: shown }).toEqual({ workflow: one.workflow, lines: first.lines });
        expect(gateway.sandbox.starts({ kind: kind.kind, workflow: one.workflow })).toHaveLength(1);
      }
    },
    SILENT_MS,
  );

  it('never shows our credential, even where the vendor repeats it', async () => {
    const { first } = await results.resultOf(nameOf({ kind, workflow: 'answer-echo-key' }));
    expect(first.lines.join()).not.toContain(vendorOf(gateway.sandbox, kind.kind).key);
  });
});

/** The key was given back: this is another request, which is refused while the vendor is given its rest. */
function expectRefused(workflow: string, { status, replayed, events }: Streamed): void {
  expect({ workflow, status, replayed, events }).toEqual({ workflow, status: 429, replayed: null, events: [] });
}

function expectText(joined: string, output: { text: string | null } | null, text: StreamedEnd['text']): void {
  switch (text) {
    case 'whole':
      expect(joined).not.toBe('');
      return expect(joined).toBe(output?.text);
    case 'part':
      expect(joined).not.toBe('');
      if (output !== null) expect(output.text?.startsWith(joined.trimEnd())).toBe(true);
      return;
    case 'none':
      return expect(joined).toBe('');
    case 'any':
      return;
  }
}

describe.each(tokenCases)('a token step at $kind.kind that is answered $damage', (one) => {
  it(
    'ends the run as not begun',
    async () => {
      const { first, again, began } = await tokenResults.resultOf(nameOf(one));
      const code = tokenError(one.damage);
      const run = first.events.at(-1)?.data.run;
      expect(run.error).toMatchObject({ ...ERRORS[code], code });
      expectLog(first.events, false);
      expect(run.attempts).toHaveLength(1);
      expect(began).toEqual([]);
      // Only what promises to be worth another try gives its key back.
      if (code === 'upstream_rate_limited' && restsLong(run.error)) expectRefused(one.workflow, again);
      else expect(again.replayed).toBe(run.error.retryable ? null : 'true');
      const { key } = vendorOf(gateway.sandbox, one.kind.kind);
      expect(JSON.stringify(first.events)).not.toContain(key);
      expect(gateway.sandbox.starts({ kind: one.kind.kind, workflow: one.workflow })).toEqual([]);
    },
    SILENT_MS,
  );
});

describe('the gateway', () => {
  it(
    'makes no mistake of its own in all this',
    async () => {
      await Promise.allSettled(cases.map((one) => results.resultOf(nameOf(one))));
      await Promise.allSettled(tokenCases.map((one) => tokenResults.resultOf(nameOf(one))));
      expect(gateway.complaints).toEqual([]);
    },
    SILENT_MS,
  );
});
