import type { Clock } from '../core/clock.ts';
import { pause } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import type { Ids, RunId } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import type { Outbound } from '../core/outbound.ts';
import type { Random } from '../core/random.ts';
import type { AnyProviderKind } from '../providers/define-provider.ts';
import type { Registry } from '../providers/registry.ts';
import type { VerifySignature } from '../vault/verify-signature.ts';
import { createAttempts } from './attempts.ts';
import { createAttendances } from './attendance.ts';
import { createCarer } from './care.ts';
import { createDeliverer, type SignMessage } from './deliverer.ts';
import { createFeed } from './feed.ts';
import { createFollows } from './follows.ts';
import { createRunCommands } from './commands.ts';
import { createRunCreator } from './create-run.ts';
import { createFlights } from './flights.ts';
import type { EngineLimits } from './limits.ts';
import { hasEnded, isSettled, type Run } from './model.ts';
import { createClaims } from './claims.ts';
import { createInboundWebhooks, type InboundWebhooks } from './inbound.ts';
import { createMover } from './mover.ts';
import { createOutputLogs } from './output-logs.ts';
import { createPlaces } from './places.ts';
import type { CredentialSource, RunStore } from './ports.ts';
import type { RunService } from './run-service.ts';
import { createRunService } from './service.ts';
import { createResumer } from './resume.ts';
import { createSweep } from './sweep.ts';
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
  /**
   * Stops claiming, lets waiting callers and readers go, gives polled runs back, waits for blocking calls up to
   * `drainTimeoutMs`, then ends what is left as `outcome_unknown`. Resolves when nothing is left to write.
   */
  drain(): Promise<void>;
}

/** Once the blocking calls are aborted, their last moves get this long. */
const LAST_WRITES_MS = 5_000;

export function createRunEngine(parts: EngineParts): RunEngine {
  const { store, clock, log, ids, limits } = parts;
  const owner = ids.owner();
  const waits = createWaits({ clock });
  const stop = new AbortController();
  const kindOf = kindFinder(parts.registry);
  let draining = false;

  const mover = createMover({
    store,
    clock,
    log,
    onMoved: (run, { output }) => settled(run, { run, output: output ?? null }),
  });
  const calls = createVendorCalls({ outbound: parts.outbound, credentials: parts.credentials, kindOf });
  const shared = { store, mover, calls, kindOf, clock, random: parts.random, log, owner, stopped: stop.signal };
  const places = createPlaces(limits.startsMax, () => sweep.soon());
  const heartbeatIsYoung = () => sweep.heartbeatIsYoung();
  const flights = createFlights({ mover, clock, log, stopped: stop.signal });
  const feed = createFeed({ store, clock, log, limits });
  const isFollowed = (id: RunId) => feed.isFollowed(id);
  const outputLogs = createOutputLogs({ ...shared, limits });
  const starts = { flights, places, heartbeatIsYoung, outputLogs, isFollowed, draining: () => draining };
  const attempts = createAttempts({ ...shared, ...starts });
  const carer = createCarer({ ...shared, flights, attempts, isFollowed, follow: (run) => follows.take(run) });
  const follows = createFollows({ ...shared, outputLogs, isFollowed, poll: (run, how) => carer.poll(run, how) });
  const others = () => [...follows.ids(), ...deliverer.runIds()];
  const claims = createClaims({ ...shared, carer, flights, others, places, limits, onRoom: () => sweep.soon() });
  const commands = createRunCommands({ store, mover, clock, kindOf });
  const attendances = createAttendances({ clock, log, isFollowed, cancel });
  const deliverer = createDeliverer({ ...shared, ...parts.webhooks, outbound: parts.outbound, limits });
  const sweepable = [feed, attendances, follows];
  const sweep = createSweep({ ...shared, flights, waits, sweepable, claims, deliverer, limits, onHint: recheck });
  const starting = { heartbeatIsYoung, draining: () => draining };
  const service = createRunService({
    store,
    waits,
    flights,
    feed,
    attendances,
    kindOf,
    create: createRunCreator({ ...parts, ...starting, places, flights, attempts, owner }),
    resume: createResumer({ ...shared, ...starting, flights, isFollowed }),
    commands,
    soon: () => sweep.soon(),
  });

  async function cancel(id: RunId): Promise<void> {
    await commands.cancel(id);
    sweep.soon();
  }

  function settled(run: Run, known: Settled | null): void {
    if (hasEnded(run)) flights.abort(run.id, 'cancelled');
    else if (run.care.step === 'cancel' || run.care.step === 'pause') flights.handOver(run.id);
    if (isSettled(run)) waits.wake(run.id, known);
  }

  /** Another process may have changed this run: whoever waits for it or flies for it looks again. */
  async function recheck(id: RunId): Promise<void> {
    const run = await store.peek(id);
    if (!run) waits.wake(id, null);
    else settled(run, null);
  }

  const inbound = createInboundWebhooks({ ...parts, verify: parts.webhooks.verify, soon: () => sweep.soon() });

  return {
    service,
    inbound,
    async start() {
      if ((await store.countUnfinished()).queued === 0) places.queueIsEmpty();
      store.watch((id) => feed.changed(id), stop.signal);
      await sweep.start();
    },
    unready: () => (draining ? 'draining' : sweep.heartbeatIsYoung() ? null : 'store'),
    async drain() {
      draining = true;
      sweep.stop();
      waits.releaseAll();
      feed.releaseAll();
      await follows.close();
      await store
        .release(owner, [...flights.ids(), ...deliverer.runIds()])
        .catch((err: unknown) => log.warn({ err }, 'runs could not be given back'));
      await Promise.race([Promise.all([flights.idle(), deliverer.idle()]), pause(clock, limits.drainTimeoutMs)]);
      for (const id of flights.ids()) flights.abort(id, 'drain');
      await Promise.race([flights.idle(), pause(clock, LAST_WRITES_MS)]);
      stop.abort();
      await Promise.race([sweep.end(), pause(clock, LAST_WRITES_MS)]);
      await Promise.all([claims.idle(), deliverer.idle()]);
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
