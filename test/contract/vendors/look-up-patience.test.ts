import { afterEach, describe, expect, it } from 'vitest';
import type { Caller } from '../../../src/core/caller.ts';
import { createIds } from '../../../src/core/ids.ts';
import { OutboundError, type Outbound, type OutboundAnswer } from '../../../src/core/outbound.ts';
import { Secret, type SealedCredential } from '../../../src/core/secret.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { createRegistry } from '../../../src/providers/registry.ts';
import { createRunEngine } from '../../../src/runs/engine.ts';
import { hasEnded, type Run } from '../../../src/runs/model.ts';
import { openStore, type Store } from '../../../src/store/open-store.ts';
import { oneCredential, UNOBSERVED } from '../../support/quiet-engine.ts';
import { engineLimits } from '../../support/engine-limits.ts';
import { quietLog } from '../../support/simulation/quiet-log.ts';
import { seededRandom } from '../../support/simulation/seeded-random.ts';
import { simulatedClock } from '../../support/simulation/simulated-clock.ts';
import { workflowIdOf } from '../../support/workflow-ids.ts';

const PATIENCE_MS = 30_000;
const STEPS_MAX = 10_000;
const CALLER: Caller = {
  keyId: 'k',
  keyName: 'k',
  lineage: 'k',
  subject: null,
  role: 'runs',
  allowedWorkflows: [],
  allowedProviders: [],
  limits: { requestsPerMinute: null, concurrentRuns: null, runsPerDay: null },
};
const CONTEXT = { requestId: 'r', trace: null, idempotencyKey: null, listening: false };
const credential: SealedCredential = { id: 'c', origin: 'https://vendor.example', open: async () => new Secret('s') };

interface Played {
  run: Run;
  starts: number;
  /** Milliseconds since the start broke, of each look-up. */
  lookUps: number[];
  endedAfterMs: number;
}

let store: Store | null = null;
afterEach(() => store?.close());

/** A start whose connection breaks, and look-ups that are answered 404 except where `faultAt` says otherwise. */
async function play(kind: string, faultAt: (ms: number) => number = () => 404, timeoutS = 300): Promise<Played> {
  const clock = simulatedClock();
  const random = seededRandom(1);
  store = await openStore({ url: 'sqlite::memory:', clock, log: quietLog, role: 'serve', writer: 'inline' });
  const played = { starts: 0, lookUps: [] as number[] };
  let brokenAt = 0;
  const outbound: Outbound = {
    async send({ method }): Promise<OutboundAnswer> {
      if (method === 'POST') {
        played.starts += 1;
        brokenAt = clock.monotonic();
        throw new OutboundError('reset', { sent: true });
      }
      const ms = clock.monotonic() - brokenAt;
      played.lookUps.push(ms);
      return { status: faultAt(ms), headers: {}, body: { kind: 'json', value: { message: 'no' } }, durationMs: 1 };
    },
    openStream: () => Promise.reject(new Error('nobody listens')),
    post: () => Promise.reject(new Error('nobody has a webhook')),
  };
  const registry = createRegistry({ kinds: PROVIDER_KINDS, providers: {}, workflows: [] });
  const engine = createRunEngine({
    store: store.runs,
    outbound,
    clock,
    random,
    log: quietLog,
    limits: engineLimits(),
    webhooks: { sign: async () => [], verify: async () => 'wrong', allowPrivateNetwork: false },
    credentials: oneCredential(credential),
    ...UNOBSERVED,
    registry: () => registry,
    ids: createIds({ clock, random }),
  });
  await engine.start();
  const request = {
    provider: kind,
    workflow: workflowIdOf(kind, 'wf'),
    inputs: {},
    options: {},
    metadata: {},
    tags: [],
    timeoutS,
    waitingTimeoutS: 60,
    onDisconnect: 'continue' as const,
    webhook: null,
  };
  const { run } = await engine.service.create(CALLER, request, CONTEXT);
  for (let steps = 0; steps < STEPS_MAX; steps++) {
    await clock.step();
    const now = await store.runs.peek(run.id);
    if (now !== null && hasEnded(now)) return { ...played, run: now, endedAfterMs: clock.monotonic() - brokenAt };
  }
  throw new Error('the run did not end');
}

describe.each(PROVIDER_KINDS.filter(({ lookup }) => lookup !== undefined))('a broken start at $kind', ({ kind }) => {
  it('is asked for by our own id until it was unknown for 30 s, and never sent again', async () => {
    const { run, starts, lookUps, endedAfterMs } = await play(kind);
    expect(run).toMatchObject({ status: 'failed', accepted: false, error: { code: 'outcome_unknown', status: 502 } });
    expect(starts).toBe(1);
    expect(lookUps.length).toBeGreaterThan(3);
    expect(endedAfterMs).toBeGreaterThanOrEqual(PATIENCE_MS);
    expect(endedAfterMs).toBeLessThan(PATIENCE_MS + 3_000);
  });

  it('is only unknown for as long as the vendor says so without a break', async () => {
    // At 20 s the vendor is out of order, so the 30 s begin anew.
    const { run, endedAfterMs } = await play(kind, (ms) => (ms > 15_000 && ms < 25_000 ? 503 : 404));
    expect(run.error?.code).toBe('outcome_unknown');
    expect(endedAfterMs).toBeGreaterThan(PATIENCE_MS + 15_000);
  });

  it('is asked for until the deadline where nobody answers', async () => {
    const { run, starts, endedAfterMs } = await play(kind, () => 503, 120);
    expect(run).toMatchObject({ status: 'failed', error: { code: 'outcome_unknown' } });
    expect(starts).toBe(1);
    expect(endedAfterMs).toBeGreaterThanOrEqual(119_000);
    expect(endedAfterMs).toBeLessThan(123_000);
  });
});

describe.each(PROVIDER_KINDS.filter(({ lookup }) => lookup === undefined))('a broken start at $kind', ({ kind }) => {
  it('is given up at once, as nobody can be asked', async () => {
    const { run, starts, lookUps, endedAfterMs } = await play(kind);
    expect(run).toMatchObject({ status: 'failed', accepted: false, error: { code: 'outcome_unknown' } });
    expect([starts, lookUps]).toEqual([1, []]);
    expect(endedAfterMs).toBeLessThan(1_000);
  });
});
