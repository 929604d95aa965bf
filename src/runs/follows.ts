import type { Clock } from '../core/clock.ts';
import type { RunId } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import type { AnyProviderKind, StreamOperation } from '../providers/define-provider.ts';
import { logFailure } from './call-once.ts';
import type { Run } from './model.ts';
import type { OutputLogs } from './output-logs.ts';
import { readStream } from './read-stream.ts';
import type { VendorCalls } from './vendor-calls.ts';

/**
 * Streams of runs that go on at a vendor which lets one attach to them (`follow`), while somebody reads their events.
 *
 * A followed run stays this process's, without a due time: the stream says when a poll would learn something. It is only
 * a hint, so the poll alone says what became of the run; and when the stream ends, breaks, or is silent for long, the run
 * is polled and goes on as any other, until the next poll finds a reader and follows again. Nothing is lost with a stream
 * but what it would have said.
 */
export interface Follows {
  /** Follows the run if that is of use; false: it is to be polled as usual. */
  take(run: Run): boolean;
  has(id: RunId): boolean;
  ids(): RunId[];
  /** Lets go of runs whose deadline has come or whom nobody reads any more. */
  sweep(): void;
  /** The process drains: closes every stream. Resolves when none is left. */
  close(): Promise<void>;
}

/** Open streams of one process; beyond it runs are polled. */
const FOLLOWS_MAX = 1_000;
/** A stream that says again and again that something has changed is no reason to poll faster. */
const ASK_GAP_MS = 1_000;

interface Parts {
  calls: VendorCalls;
  outputLogs: OutputLogs;
  kindOf: (run: Run) => AnyProviderKind;
  isFollowed: (id: RunId) => boolean;
  clock: Clock;
  log: Log;
  /** Asks the vendor and writes what it says; `keep`: the run stays ours while it goes on. Null: it does not. */
  poll(run: Run, options: { keep: boolean }): Promise<Run | null>;
}

interface Following {
  run: Run;
  controller: AbortController;
  done: Promise<void>;
}

export function createFollows(parts: Parts): Follows {
  const { clock, log } = parts;
  const following = new Map<RunId, Following>();
  let closed = false;

  function take(run: Run): boolean {
    const operation: StreamOperation<unknown> | undefined = parts.kindOf(run).follow;
    const wanted = operation !== undefined && run.status === 'running' && run.upstream.runId !== null;
    if (!wanted || closed || following.size >= FOLLOWS_MAX || following.has(run.id)) return false;
    if (!parts.isFollowed(run.id)) return false;
    const controller = new AbortController();
    const done = follow(run, operation, controller.signal)
      .catch((err: unknown) => log.error({ err, run_id: run.id }, 'run could not be followed'))
      .finally(() => following.delete(run.id));
    following.set(run.id, { run, controller, done });
    return true;
  }

  async function follow(run: Run, operation: StreamOperation<unknown>, signal: AbortSignal): Promise<void> {
    // The run as this process last wrote it; null: it is no longer ours to poll.
    let current: Run | null = run;
    let askedMs = -Infinity;
    const listener = {
      named: async () => {},
      async ask() {
        const now = clock.monotonic();
        if (now - askedMs < ASK_GAP_MS) return true;
        askedMs = now;
        current &&= await parts.poll(current, { keep: true });
        return current !== null;
      },
    };
    try {
      const opened = await parts.calls.follow(run, signal);
      if (opened.is === 'stream') {
        const { stream } = opened;
        const reader = operation.open({ headers: stream.headers });
        const end = await readStream(stream, reader, { log: parts.outputLogs.open(run), listener, signal });
        if (end.is === 'stale') current = null;
      }
    } catch (cause) {
      if (!signal.aborted) logFailure(log, run, { operation: 'follow', cause });
    }
    if (current !== null && !closed) await parts.poll(current, { keep: false });
  }

  return {
    take,
    has: (id) => following.has(id),
    ids: () => [...following.keys()],
    sweep() {
      const now = clock.now();
      for (const { run, controller } of following.values()) {
        if (run.deadlineAt <= now || !parts.isFollowed(run.id)) controller.abort();
      }
    },
    async close() {
      closed = true;
      for (const { controller } of following.values()) controller.abort();
      await Promise.all(Array.from(following.values(), ({ done }) => done));
    },
  };
}
