import { performance } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Clock } from '../core/clock.ts';

const LOOK_MS = 1_000;
/** A loop that is busy for no more of its time keeps nobody waiting. */
const BUSY_SHARE_MAX = 0.05;
/** After so many looks without a rest there is more than the start's garbage, and the pause would be longer. */
const LOOKS_MAX = 30;

export interface ReleaseParts {
  clock: Pick<Clock, 'after'>;
  /** Of its time since it was last asked, what share the event loop was busy. */
  busyShare: () => number;
  /** Collects all garbage, and gives back the room that it had. */
  collect: () => void;
}

/**
 * Gives back what the start needed and nobody needs any more, once, as soon as the process has rested for a second. While
 * modules load, V8 enlarges the space for young objects to 32 MB, and on its own keeps it: that was a quarter of an idle
 * gateway's private memory (97 MB, then 72). It takes 30 to 70 ms, which is why it waits for a rest.
 */
export function releaseStartMemory({ clock, busyShare, collect }: ReleaseParts): void {
  let looks = 0;
  clock.after(LOOK_MS, function look() {
    looks += 1;
    if (busyShare() <= BUSY_SHARE_MAX) collect();
    else if (looks < LOOKS_MAX) clock.after(LOOK_MS, look);
  });
}

/** Of this thread's event loop. */
export function busyShareOfLoop(): () => number {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return utilization;
  };
}

/** Node.js shows `gc` to contexts that are made while the flag is set; the flavor is what also gives room back. */
export function collectGarbage(): void {
  const options = { type: 'major', flavor: 'last-resort' } as const;
  // Whoever started Node.js with the flag keeps it.
  if (globalThis.gc) {
    globalThis.gc(options);
    return;
  }
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('globalThis.gc');
  setFlagsFromString('--no-expose-gc');
  if (typeof collect === 'function') collect(options);
}
