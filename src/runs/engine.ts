import type { Caller } from '../core/caller.ts';
import { pause, type Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import type { Ids, RunId } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import type { Outbound, TraceContext } from '../core/outbound.ts';
import type { Random } from '../core/random.ts';
import type { AnyProviderKind } from '../providers/define-provider.ts';
import type { Registry } from '../providers/registry.ts';
import type { VerifySignature } from '../vault/verify-signature.ts';
import { createAttempts } from './attempts.ts';
import { createAttendances } from './attendance.ts';
import { createBreakers, type BreakerState } from './breakers.ts';
import { createCallerLimits, type UsedByCaller } from './caller-limits.ts';
import { createCarer } from './care.ts';
import { createCensus } from './census.ts';
import { createDeliverer, type SignMessage } from './deliverer.ts';
import { createFairShares } from './fair-shares.ts';
import { createEndedElsewhere } from './ended-elsewhere.ts';
import { createFeed } from './feed.ts';
import { createFollows } from './follows.ts';
import { createRunCommands } from './commands.ts';
import { createRunCreator } from './create-run.ts';
import { createFlights } from './flights.ts';
import type { EngineLimits } from './limits.ts';
import { hasEnded, isSettled, type Run } from './model.ts';
import { createClaims } from './claims.ts';
import { createInboundWebhooks, type InboundWebhooks } from './inbound.ts';
import { meterCalls } from './metered-calls.ts';
import { createMover } from './mover.ts';
import { createNextStarts } from './next-start.ts';
import type { EngineGauges, RunObserver } from './observer.ts';
import { createOutputLogs } from './output-logs.ts';
import { createPacing } from './pacing.ts';
import { createPlaces } from './places.ts';
import type { CredentialSource, QueuedShare, RunStore } from './ports.ts';
import { createQueue } from './queue.ts';
import { createRetryBudget } from './retry-budget.ts';
import type { RunService } from './run-service.ts';
import { createRunService } from './service.ts';
import { createResumer } from './resume.ts';
import { COUNTED_START_MS } from './start-limits.ts';
import { createSweep } from './sweep.ts';
import { createTargets } from './targets.ts';
import { createUnsureRuns } from './unsure-runs.ts';
import { createVendorCalls } from './vendor-calls.ts';
import { createWaits, type Settled } from './waits.ts';

export interface EngineParts {
  store: RunStore;
  outbound: Outbound;
  credentials: CredentialSource;
  registry: () => Registry;
  clock: Clock;
  random: Random;
  ids: Ids;
  log: Log;
  limits: EngineLimits;
  /** Hears of what happens, for metrics and logs. */
  observer: RunObserver;
  /** What calls for a run are traced below. */
  traceOf: (run: Run) => TraceContext | null;
  webhooks: {
    /** Signs a message to a caller's webhook with the secrets of the run's key. */
    sign: SignMessage;
    /** Whether a vendor's message was signed with the provider's credential. */
    verify: VerifySignature;
    /** Whether messages may go to addresses that are not public. */
    allowPrivateNetwork: boolean;
  };
}

/** The run engine of one process: what HTTP asks of it, and its life. */
export interface RunEngine {
  service: RunService;
  /** Vendors' own webhooks. */
  inbound: InboundWebhooks;
  /** Takes over what dead processes left, then begins to care. */
  start(): Promise<void>;
  /** Null while everything is well; else why new runs are refused. */
  unready(): 'draining' | 'store' | null;
  /** What is true at this moment, for metrics. */
  gauges(): EngineGauges;
  /** What a caller's line of keys, and its token, have used up. Throws what the store throws. */
  usedBy(caller: Caller): Promise<UsedByCaller>;
  /** The worst of a provider's circuit breakers. */
  breakerOf(provider: string): BreakerState;
  /**
   * Stops claiming, lets waiting callers and readers go, gives polled runs back and meanwhile waits
   * for blocking calls up to `drainTimeoutMs`, then ends what is left as `outcome_unknown`. Resolves when nothing is left to write.
   */
  drain(): Promise<void>;
}

/** Streams beside runs get this long to write what they have said, before the runs are given back. */
const FOLLOWS_CLOSE_MS = 1_000;
/** Once the blocking calls are aborted, their last moves get this long. */
const LAST_WRITES_MS = 5_000;

export function createRunEngine(parts: EngineParts): RunEngine {
  const { store, clock, log, ids, limits, observer, registry, random } = parts;
  const owner = ids.owner();
  const waits = createWaits({ clock });
  const stop = new AbortController();
  const kindOf = kindFinder(registry);
  const census = createCensus();
  const queue = createQueue({ runsMax: limits.queuedMax });
  const budget = createRetryBudget({ clock, share: limits.retries.budgetShare });
  const pacing = createPacing({ clock, counts: census });
  const breakers = createBreakers({
    clock,
    limits: limits.breaker,
    onChange: (provider, credential, state) =>
      log.warn({ provider, credential, state }, 'a circuit breaker changed its state'),
  });
  const targets = createTargets({ credentials: parts.credentials, breakers, pacing, clock, random });
  const unsure = createUnsureRuns({ store });
  let draining = false;
  let hasCounted = false;

  const mover = createMover({
    store,
    clock,
    log,
    onMoved: (run, { output }) => {
      if (hasEnded(run)) observer.ended(run);
      settled(run, { run, output: output ?? null });
    },
    onDropped: (run) => observer.dropped(run),
    onUnsure: (id) => unsure.add(id),
  });
  const heartbeatIsYoung = () => sweep.heartbeatIsYoung();
  const vendorCalls = createVendorCalls({ ...parts, kindOf, timeouts: limits.timeouts, heartbeatIsYoung });
  const calls = meterCalls(vendorCalls, { observer, clock });
  const nextStarts = createNextStarts({ ...parts, targets, budget, kindOf, calls, limits: limits.retries });
  const shared = { store, mover, calls, kindOf, clock, random: parts.random, log, owner, stopped: stop.signal };
  const places = createPlaces(limits.startsMax, roomMade);
  const flights = createFlights({ mover, clock, log, stopped: stop.signal });
  const feed = createFeed({ store, clock, log, limits });
  const isFollowed = (id: RunId) => feed.isFollowed(id);
  const outputLogs = createOutputLogs({ ...shared, limits });
  const starts = { flights, places, heartbeatIsYoung, outputLogs, isFollowed, draining: () => draining };
  const attempts = createAttempts({ ...shared, ...starts, nextStarts });
  const carer = createCarer({ ...shared, flights, attempts, isFollowed, follow: (run) => follows.take(run) });
  const follows = createFollows({ ...shared, outputLogs, isFollowed, poll: (run, how) => claims.poll(run, how) });
  const others = () => [...follows.ids(), ...deliverer.runIds()];
  const queued = { places, queue, fairShares: createFairShares(), roomsOf };
  const claims = createClaims({ ...shared, ...queued, carer, flights, others, limits, onRoom: () => sweep.soon() });
  const commands = createRunCommands({ store, mover, clock, kindOf });
  const attendances = createAttendances({ clock, log, isFollowed, cancel });
  const deliverer = createDeliverer({ ...shared, ...parts.webhooks, outbound: parts.outbound, limits });
  const endedElsewhere = createEndedElsewhere({ ...shared, census, onEnded: recheck });
  const sweepable = [feed, attendances, follows, endedElsewhere];
  const rechecking = { unsure: () => unsure.next(), onHint: recheck };
  const sweep = createSweep({ ...shared, ...rechecking, flights, waits, sweepable, claims, deliverer, limits });
  const callerLimits = createCallerLimits({ counts: census, store, clock });
  const creating = { queue, targets, callerLimits, census, budget, onUnsure: (id: RunId) => unsure.addNew(id) };
  const starting = { heartbeatIsYoung, draining: () => draining };
  const service = createRunService({
    store,
    waits,
    flights,
    feed,
    attendances,
    kindOf,
    create: createRunCreator({ ...parts, ...starting, ...creating, places, flights, attempts, owner }),
    resume: createResumer({ ...shared, ...starting, flights, isFollowed }),
    commands,
    soon: () => sweep.soon(),
  });

  async function cancel(id: RunId): Promise<Run> {
    const run = await commands.cancel(id);
    sweep.soon();
    return run;
  }

  /** Queued runs may wait for what has become free. */
  function roomMade(): void {
    if (queue.total > 0) sweep.soon();
  }

  async function roomsOf(shares: readonly QueuedShare[]): Promise<ReadonlyMap<string, number>> {
    const rooms = new Map<string, number>();
    for (const name of new Set(shares.map(({ provider }) => provider))) {
      const provider = registry().provider(name);
      // What is configured no more holds nothing back: each run has its own credential pinned.
      rooms.set(name, provider ? (await targets.open(provider)).room() : Infinity);
    }
    return rooms;
  }

  function settled(run: Run, known: Settled | null): void {
    census.saw(run);
    if (isSettled(run)) roomMade();
    if (hasEnded(run)) flights.abort(run.id, 'cancelled');
    else if (run.care.step === 'cancel' || run.care.step === 'pause') flights.handOver(run.id);
    if (isSettled(run)) waits.wake(run.id, known);
  }

  async function giveBack(except: readonly RunId[]): Promise<void> {
    await store.release(owner, except).catch((err: unknown) => log.warn({ err }, 'runs could not be given back'));
  }

  /** Another process may have changed this run: whoever waits for it or flies for it looks again. */
  async function recheck(id: RunId): Promise<void> {
    // Its row may be written while the answer, that there is none, is on its way.
    const isBeingWritten = flights.isBoarding(id);
    const run = await unsure.peek(id);
    if (run) return settled(run, null);
    if (isBeingWritten) return unsure.add(id);
    // A row that was there is only removed once its run has ended: nobody wants to know any more what flies for it.
    flights.abort(id, 'cancelled');
    census.forget(id);
    waits.wake(id, null);
  }

  /** A start of the engine that failed may be tried again: what is known by then is newer than what the store tells. */
  async function countOnce(): Promise<void> {
    if (hasCounted) return;
    const unfinished = await store.unfinished();
    const recent = await store.recentStarts(clock.now() - COUNTED_START_MS);
    census.recount(unfinished);
    pacing.remember(recent);
    hasCounted = true;
  }

  const inbound = createInboundWebhooks({
    ...parts,
    verify: parts.webhooks.verify,
    soon: () => sweep.soon(),
    onHint: (id) => follows.hint(id),
  });

  return {
    service,
    inbound,
    async start() {
      await countOnce();
      await queue.recount(() => store.queuedShares());
      store.watch((id) => {
        feed.changed(id);
        if (id === null) endedElsewhere.look();
      }, stop.signal);
      await sweep.start();
    },
    unready: () => (draining ? 'draining' : sweep.heartbeatIsYoung() ? null : 'store'),
    gauges: () => ({
      startsInFlight: flights.ids().length,
      readsInFlight: claims.reads(),
      queued: queue.total,
      unfinished: census.unfinished,
      waiting: waits.ids().length,
      followers: feed.size(),
      deliveriesInFlight: deliverer.runIds().length,
      breakers: breakers.states(),
      allowances: pacing.allowances(),
    }),
    usedBy: (caller) => callerLimits.usedBy(caller),
    breakerOf: (provider) => breakers.worstOf(provider),
    async drain() {
      draining = true;
      sweep.stop();
      waits.releaseAll();
      feed.releaseAll();
      const followed = follows.close();
      await Promise.race([followed, pause(clock, FOLLOWS_CLOSE_MS)]);
      const givenBack = giveBack([...flights.ids(), ...others()]);
      await Promise.race([Promise.all([flights.idle(), deliverer.idle()]), pause(clock, limits.drainTimeoutMs)]);
      for (const id of flights.ids()) flights.abort(id, 'drain');
      await Promise.race([flights.idle(), pause(clock, LAST_WRITES_MS)]);
      stop.abort();
      await Promise.race([sweep.end(), pause(clock, LAST_WRITES_MS)]);
      await Promise.all([followed, givenBack, claims.idle(), deliverer.idle()]);
      // A run whose message was under way was kept until now, though nobody cares for it here any more.
      await giveBack(flights.ids());
    },
  };
}

/** Runs outlive configurations: the row's kind counts, whatever its provider is now. */
function kindFinder(registry: () => Registry): (run: Run) => AnyProviderKind {
  return (run) => {
    const kind = registry().kind(run.kind);
    if (!kind) throw new GatewayError('internal', { cause: new Error(`no provider kind ${run.kind}`) });
    return kind;
  };
}
