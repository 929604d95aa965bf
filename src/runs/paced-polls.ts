import { pause, type Clock } from '../core/clock.ts';
import type { Carer } from './care.ts';
import type { Run } from './model.ts';
import type { OutputLog } from './output-logs.ts';

/** The polls of one run that is followed, one at a time. */
export interface PacedPolls {
  /** The vendor may have news: the next poll comes soon. */
  hint(): void;
  /** Polls until `over`. Resolves to the run as it was last written, or null: it is no longer ours to poll. */
  until(over: AbortSignal): Promise<Run | null>;
}

/** Hints that come again and again are no reason to poll faster; one that comes within this time is heeded after it. */
const GAP_MS = 1_000;

export function pacePolls(
  run: Run,
  {
    poll,
    clock,
    output,
    closing,
    onLost,
  }: {
    poll: Carer['poll'];
    clock: Clock;
    /** What the stream says, which is to be in the run's log before its end is. */
    output: Pick<OutputLog, 'flush'>;
    /** The process drains: the poll under way is given up. */
    closing: AbortSignal;
    /** The run is no longer ours to poll. */
    onLost: () => void;
  },
): PacedPolls {
  let hinted = new AbortController();

  return {
    hint: () => hinted.abort(),
    async until(over) {
      const before = () => output.flush();
      let current = run;
      // At once: what was said before the stream was opened was missed.
      for (let dueInMs = 0; ;) {
        await pause(clock, dueInMs, AbortSignal.any([over, hinted.signal]));
        if (over.aborted) return current;
        hinted = new AbortController();
        const polled = await poll(current, { keep: true, before, signal: closing });
        if (polled === null) {
          onLost();
          return null;
        }
        current = polled.run;
        await pause(clock, GAP_MS, over);
        dueInMs = Math.max(0, polled.dueInMs - GAP_MS);
      }
    },
  };
}
