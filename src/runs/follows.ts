import type { Clock } from '../core/clock.ts';
import type { RunId } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import type { AnyProviderKind, StreamOperation } from '../providers/define-provider.ts';
import { logFailure } from './call-once.ts';
import type { Carer } from './care.ts';
import type { Run } from './model.ts';
import { pacePolls, type PacedPolls } from './paced-polls.ts';
import type { OutputLog, OutputLogs } from './output-logs.ts';
import { readStream } from './read-stream.ts';
import type { VendorCalls } from './vendor-calls.ts';

/**
 * Streams of runs that go on at a vendor which lets one attach to them (`follow`), while somebody reads their events.
 *
 * A followed run stays this process's, without a due time, and is polled from here: at its usual pace, since what a stream
 * said before it was opened was missed, and what it says is not documented; and soon where the stream, or the vendor's
 * webhook, hints at news. The poll alone says what became of the run. When the stream ends, breaks, or is silent for long,
 * the run goes on as any other, until the next poll finds a reader and follows again. Nothing is lost with a stream but
 * what it would have said.
 */
export interface Follows {
  /** Follows the run if that is of use; false: it is to be polled as usual. */
  take(run: Run): boolean;
  /** The vendor may have news of the run: where it is followed, it is polled soon. */
  hint(id: RunId): void;
  ids(): RunId[];
  /** Lets go of runs whose deadline has come or whom nobody reads any more. */
  sweep(): void;
  /** The process drains: closes every stream. Resolves when none is left. */
  close(): Promise<void>;
}

/** Open streams of one process; beyond it runs are polled. */
const FOLLOWS_MAX = 1_000;
/** A run with so many events is polled alone: a vendor that repeats itself would fill the disk while somebody reads. */
export const FOLLOWED_EVENTS_MAX = 10_000;

interface Parts {
  calls: VendorCalls;
  outputLogs: OutputLogs;
  kindOf: (run: Run) => AnyProviderKind;
  isFollowed: (id: RunId) => boolean;
  clock: Clock;
  log: Log;
  poll: Carer['poll'];
}

interface Following {
  run: Run;
  /** Aborted: the stream is closed. */
  controller: AbortController;
  polls: PacedPolls;
  done: Promise<void>;
}

export function createFollows(parts: Parts): Follows {
  const { clock, log } = parts;
  const following = new Map<RunId, Following>();
  const closing = new AbortController();

  function take(run: Run): boolean {
    const operation: StreamOperation<unknown> | undefined = parts.kindOf(run).follow;
    const wanted = operation !== undefined && run.status === 'running' && run.upstream.runId !== null;
    if (!wanted || closing.signal.aborted || following.size >= FOLLOWS_MAX || following.has(run.id)) return false;
    if (run.seq >= FOLLOWED_EVENTS_MAX || !parts.isFollowed(run.id)) return false;
    const controller = new AbortController();
    const output = bounded(parts.outputLogs.open(run), FOLLOWED_EVENTS_MAX - run.seq);
    const polls = pacePolls(run, { ...parts, output, closing: closing.signal, onLost: () => controller.abort() });
    const done = follow(run, { operation, output, polls, signal: controller.signal })
      .catch((err: unknown) => log.error({ err, run_id: run.id }, 'run could not be followed'))
      .finally(() => following.delete(run.id));
    following.set(run.id, { run, controller, polls, done });
    return true;
  }

  async function follow(
    run: Run,
    {
      operation,
      output,
      polls,
      signal,
    }: { operation: StreamOperation<unknown>; output: BoundedLog; polls: PacedPolls; signal: AbortSignal },
  ): Promise<void> {
    const listener = {
      named: async () => {},
      async ask() {
        polls.hint();
        return true;
      },
    };
    let polled: Promise<Run | null> = Promise.resolve(run);
    let isStale = false;
    const over = new AbortController();
    try {
      const opened = await parts.calls.follow(run, signal);
      if (opened.is === 'stream') {
        const { stream } = opened;
        const reader = operation.open({ headers: stream.headers });
        polled = polls.until(over.signal);
        const end = await readStream(stream, reader, { log: output, listener, signal });
        if (output.full) log.warn({ run_id: run.id }, 'a run has too many steps to be followed further, and is polled');
        isStale = end.is === 'stale' && !output.full;
      }
    } catch (cause) {
      if (!signal.aborted) logFailure(log, run, { operation: 'follow', cause });
    }
    over.abort();
    const current = await polled;
    if (current !== null && !isStale && !closing.signal.aborted) await parts.poll(current, { keep: false });
  }

  return {
    take,
    hint: (id) => following.get(id)?.polls.hint(),
    ids: () => [...following.keys()],
    sweep() {
      const now = clock.now();
      for (const { run, controller } of following.values()) {
        if (run.deadlineAt <= now || !parts.isFollowed(run.id)) controller.abort();
      }
    },
    async close() {
      closing.abort();
      for (const { controller } of following.values()) controller.abort();
      await Promise.all(Array.from(following.values(), ({ done }) => done));
    },
  };
}

interface BoundedLog extends OutputLog {
  readonly full: boolean;
}

/** The same log, which takes so many steps and then counts as stale: a followed stream says nothing but steps. */
function bounded(output: OutputLog, steps: number): BoundedLog {
  let left = steps;
  return {
    delta: (text) => output.delta(text),
    progress(name, data) {
      if (left <= 0) return;
      left -= 1;
      output.progress(name, data);
    },
    ready: () => output.ready(),
    flush: () => output.flush(),
    get full() {
      return left <= 0;
    },
    get stale() {
      return output.stale || left <= 0;
    },
  };
}
