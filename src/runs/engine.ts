import type { Caller } from '../core/caller.ts';
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
import type { EngineLimits } from './limits.ts';
import { hasEnded, type Run, type RunWithPayloads } from './model.ts';
import { createMover } from './mover.ts';
import { createPlaces } from './places.ts';
import type { CredentialSource, RunStore } from './ports.ts';
import type { RunService } from './run-service.ts';
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
  const places = createPlaces(limits.startsMax);
  const attempts = createAttempts({ ...shared, places, heartbeatIsYoung: () => sweep.heartbeatIsYoung() });
  const carer = createCarer({ ...shared, attempts });
  const sweep = createSweep({ ...shared, attempts, places, waits, carer, limits, onHint: recheck });
  const commands = createRunCommands({ store, mover, clock, kindOf });
  const create = createRunCreator({
    ...parts,
    attempts,
    places,
    owner,
    heartbeatIsYoung: () => sweep.heartbeatIsYoung(),
    draining: () => draining,
  });

  function settled(run: Run, known: Settled | null): void {
    if (hasEnded(run)) attempts.abort(run.id, 'cancelled');
    if (hasEnded(run) || run.status === 'waiting') waits.wake(run.id, known);
  }

  /** Another process may have changed this run: whoever waits for it or flies for it looks again. */
  async function recheck(id: RunId): Promise<void> {
    const run = await store.peek(id);
    if (!run) waits.wake(id, null);
    else settled(run, null);
  }

  async function visible(caller: Caller, id: RunId): Promise<RunWithPayloads> {
    const run = await store.get(id);
    if (!run || !maySee(caller, run)) throw new GatewayError('not_found', { param: 'id' });
    return run;
  }

  const service: RunService = {
    create,
    get: visible,
    async settle(caller, id, { ms, signal, written }) {
      // Subscribe, then read, then wait: an end between reading and waiting would otherwise be missed.
      // While the vendor has not answered the start, there is nothing to read.
      const wait = waits.wait(id, ms, signal);
      try {
        const now = written && attempts.isUnanswered(id) ? written : await store.peek(id);
        const moved = now && !hasEnded(now) && now.status !== 'waiting' ? await wait.done : null;
        if (moved && written) return { ...moved.run, inputs: written.inputs, output: moved.output };
      } finally {
        wait.stop();
      }
      return visible(caller, id);
    },
    async list(caller, filter, page) {
      const everyone = seesEveryone(caller);
      const subject = everyone || caller.subject === null ? {} : { subject: caller.subject };
      return store.list({ ...filter, lineage: everyone ? null : caller.lineage, ...subject }, page);
    },
    async cancel(caller, id) {
      await visible(caller, id);
      await commands.cancel(id);
      sweep.soon();
      return visible(caller, id);
    },
  };

  return {
    service,
    start: () => sweep.start(),
    unready: () => (draining ? 'draining' : sweep.heartbeatIsYoung() ? null : 'store'),
    async drain() {
      draining = true;
      sweep.stop();
      waits.releaseAll();
      await store
        .release(owner, attempts.ids())
        .catch((cause: unknown) => log.warn({ cause }, 'runs could not be given back'));
      await Promise.race([attempts.idle(), pause(clock, limits.drainTimeoutMs)]);
      for (const id of attempts.ids()) attempts.abort(id, 'drain');
      await Promise.race([attempts.idle(), pause(clock, LAST_WRITES_MS)]);
      stop.abort();
      await sweep.idle();
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

function seesEveryone(caller: Caller): boolean {
  return caller.role !== 'runs';
}

/** A run belongs to the line of keys that started it and to its subject; readers and admins see everyone's. */
function maySee(caller: Caller, run: Run): boolean {
  if (seesEveryone(caller)) return true;
  return run.lineage === caller.lineage && (caller.subject === null || caller.subject === run.subject);
}
