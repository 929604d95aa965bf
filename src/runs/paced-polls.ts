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

/** Hints that come again and again are no reason to poll faster: within this time of a hinted poll, one is heeded after it. */
const GAP_MS = 1_000;

/** Polls a run at the pace that its polls ask for, and soon after a hint. */
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
    /** The run is polled from here no more. */
    onLost: () => void;
  },
): PacedPolls {
  let hinted = new AbortController();

  async function pollUntil(over: AbortSignal): Promise<Run | null> {
    const before = () => output.flush();
    let current = run;
    // At once: what was said before the stream was opened was missed.
    let dueInMs = 0;
    for (;;) {
      await pause(clock, dueInMs, AbortSignal.any([over, hinted.signal]));
      if (over.aborted) return current;
      const gapMs = hinted.signal.aborted ? GAP_MS : 0;
      hinted = new AbortController();
      const polled = await poll(current, { keep: true, before, signal: closing });
      if (polled === null) {
        onLost();
        return null;
      }
      current = polled.run;
      await pause(clock, gapMs, over);
      // At its deadline a run is due at once, until the sweep ends it.
      dueInMs = Math.max(GAP_MS, polled.dueInMs) - gapMs;
    }
  }

  return {
    hint: () => hinted.abort(),
    until(over) {
      const polled = pollUntil(over);
      // Nobody looks at it while the stream is read, and a stream without polls beside it is of no use.
      polled.catch(onLost);
      return polled;
    },
  };
}
