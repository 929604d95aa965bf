import type { Clock } from '../core/clock.ts';
import { pause } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import type { Ids, RunId } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import type { Outbound } from '../core/outbound.ts';
import type { Random } from '../core/random.ts';
import type { AnyProviderKind } from '../providers/define-provider.ts';
import type { Registry } from '../providers/registry.ts';
import { createAttempts } from './attempts.ts';
import { createCarer } from './care.ts';
import { createRunCommands } from './commands.ts';
import { createRunCreator } from './create-run.ts';
import { createFlights } from './flights.ts';
import type { EngineLimits } from './limits.ts';
import { hasEnded, type Run } from './model.ts';
import { createClaims } from './claims.ts';
import { createMover } from './mover.ts';
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
}

/** The run engine of one process: what HTTP asks of it, and its life. */
export interface RunEngine {
  service: RunService;
  /** Takes over what dead processes left, then begins to care. */
  start(): Promise<void>;
  /** Null while everything is well; else why new runs are refused. */
  unready(): 'draining' | 'store' | null;
  /**
   * Stops claiming, lets waiting callers go, gives polled runs back, waits for blocking calls up to
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
  const attempts = createAttempts({ ...shared, flights, places, heartbeatIsYoung, draining: () => draining });
  const carer = createCarer({ ...shared, flights, attempts });
  const claims = createClaims({ ...shared, carer, flights, places, limits, onRoom: () => sweep.soon() });
  const sweep = createSweep({ ...shared, flights, waits, claims, limits, onHint: recheck });
  const starting = { heartbeatIsYoung, draining: () => draining };
  const service = createRunService({
    store,
    waits,
    flights,
    kindOf,
    create: createRunCreator({ ...parts, ...starting, places, attempts, owner }),
    resume: createResumer({ ...shared, ...starting, flights }),
    commands: createRunCommands({ store, mover, clock, kindOf }),
    soon: () => sweep.soon(),
  });

  function settled(run: Run, known: Settled | null): void {
    if (hasEnded(run)) flights.abort(run.id, 'cancelled');
    if (hasEnded(run) || run.status === 'waiting') waits.wake(run.id, known);
  }

  /** Another process may have changed this run: whoever waits for it or flies for it looks again. */
  async function recheck(id: RunId): Promise<void> {
    const run = await store.peek(id);
    if (!run) waits.wake(id, null);
    else settled(run, null);
  }

  return {
    service,
    async start() {
      if ((await store.countUnfinished()).queued === 0) places.queueIsEmpty();
      await sweep.start();
    },
    unready: () => (draining ? 'draining' : sweep.heartbeatIsYoung() ? null : 'store'),
    async drain() {
      draining = true;
      sweep.stop();
      waits.releaseAll();
      await store
        .release(owner, flights.ids())
        .catch((cause: unknown) => log.warn({ cause }, 'runs could not be given back'));
      await Promise.race([flights.idle(), pause(clock, limits.drainTimeoutMs)]);
      for (const id of flights.ids()) flights.abort(id, 'drain');
      await Promise.race([flights.idle(), pause(clock, LAST_WRITES_MS)]);
      stop.abort();
      await claims.idle();
      sweep.end();
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
