import { pause, systemClock as clock } from '../core/clock.ts';

const LAST_WRITES_MS = 2_000;

/** Waits, when the process stops, for what nobody waits for: not for long. */
export async function lastWrites(work: Promise<void>): Promise<void> {
  await Promise.race([work, pause(clock, LAST_WRITES_MS)]);
}
