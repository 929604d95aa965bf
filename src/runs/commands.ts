import type { Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import type { RunId } from '../core/ids.ts';
import type { AnyProviderKind } from '../providers/define-provider.ts';
import { COMMAND_DUE_IN_MS, end } from './changes.ts';
import { hasNotBegun } from './has-not-begun.ts';
import { hasEnded, type Run } from './model.ts';
import type { Mover } from './mover.ts';
import type { Change, RunStore } from './ports.ts';

/**
 * Commands on runs: they name no owner, so they work from any process, and whoever cares for the run
 * finds the wish in its row.
 */
export interface RunCommands {
  /** The run after the command, or as it is where it has ended. Throws `not_found`. */
  cancel(id: RunId): Promise<Run>;
  /** The run, about to be paused. Throws `not_found`, `run_not_running`, `run_not_addressable`. */
  pause(id: RunId): Promise<Run>;
}

const RACES_MAX = 20;

export function createRunCommands({
  store,
  mover,
  clock,
  kindOf,
}: {
  store: RunStore;
  mover: Mover;
  clock: Clock;
  kindOf: (run: Run) => AnyProviderKind;
}): RunCommands {
  /** Tries until the row stays as it was between reading and writing; `change` null: nothing to do. */
  async function command(id: RunId, change: (run: Run) => Change | null): Promise<Run> {
    for (let races = 0; races < RACES_MAX; races++) {
      const run = await store.peek(id);
      if (!run) throw new GatewayError('not_found', { param: 'id' });
      const wanted = change(run);
      if (wanted === null) return run;
      const moved = await mover.move(run, wanted);
      if (moved !== 'stale') return moved;
    }
    throw new GatewayError('overloaded', { message: 'The run changes too fast; try again.', retryAfterS: 1 });
  }

  return {
    cancel: (id) =>
      command(id, (run) =>
        hasEnded(run) || run.status === 'cancelling' ? null : cancelChange(run, kindOf(run), clock.now()),
      ),
    pause: (id) => command(id, pauseChange),
  };
}

/** The vendor is asked by whoever claims the run next; the run stays `running` until the vendor says that it waits. */
function pauseChange(run: Run): Change | null {
  if (run.status !== 'running') throw new GatewayError('run_not_running', { runId: run.id });
  if (run.upstream.runId === null || run.care.step === 'resume') {
    throw new GatewayError('run_not_addressable', { runId: run.id });
  }
  // Asked already: again would only make the vendor be asked sooner than it wants to be.
  if (run.care.step === 'pause') return null;
  const care = { step: 'pause', tries: 0 } as const;
  return { status: 'running', patch: { care }, events: [], owner: null, dueInMs: COMMAND_DUE_IN_MS };
}

/**
 * A run that was never sent ends at once. A vendor that can be asked is asked, by its run id or by ours;
 * where it cannot, the connection is closed and a late result dropped.
 */
function cancelChange(run: Run, kind: AnyProviderKind, nowMs: number): Change {
  const neverSent = run.care.step === 'start' && hasNotBegun(run);
  if (neverSent) return end(run, 'cancelled', { notBegun: true }, nowMs);
  const askable = kind.cancel && (run.upstream.runId !== null || kind.lookup);
  if (!askable) return end(run, 'cancelled', { patch: { upstream: { ...run.upstream, stopped: false } } }, nowMs);
  const event = { type: 'run.cancelling' as const, at: nowMs, data: {} };
  // Without a vendor's id the start or its look-up is still under way: its carer sends the cancel when it knows more.
  if (run.upstream.runId === null) {
    return {
      status: 'cancelling',
      patch: {},
      events: [event],
      owner: run.owner,
      dueInMs: run.owner === null ? COMMAND_DUE_IN_MS : null,
    };
  }
  const from = run.status === 'waiting' ? 'waiting' : 'running';
  return {
    status: 'cancelling',
    patch: { care: { step: 'cancel', next: 'ask', tries: 0, notFound: 0, from } },
    events: [event],
    owner: null,
    dueInMs: COMMAND_DUE_IN_MS,
  };
}
