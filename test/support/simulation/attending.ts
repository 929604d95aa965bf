import type { StartedRun } from '../../../src/runs/run-service.ts';
import { CALLER } from './caller.ts';
import type { AttendanceNoted, Journal } from './journal.ts';
import type { Readers, Serving } from './readers.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedClock } from './simulated-clock.ts';

interface Attending {
  serving: Serving;
  listening: boolean;
  clock: SimulatedClock;
  random: SeededRandom;
  journal: Journal;
  readers: Readers;
}

/** As HTTP does: whoever sent the request waits for its answer, or reads events, and may leave before the end. */
export function attendRun(
  started: StartedRun,
  { serving, listening, clock, random, journal, readers }: Attending,
): void {
  const { run, replayed } = started;
  const note = (is: AttendanceNoted['is']) =>
    void journal.attendance.push({ is, at: clock.now(), process: serving.number, id: run.id });
  const attendance = serving.service.attend(run, replayed);
  note(replayed ? 'joined' : 'attended');
  const end = (how: 'left' | 'answered') => {
    if (!serving.alive()) return;
    note(how);
    attendance[how]();
  };
  if (listening) return readers.read(run.id, { attends: end });
  const leaving = new AbortController();
  const hold = { ms: random.chance(0.1) ? 0 : random.below(30_000), signal: leaving.signal, written: null };
  if (random.chance(0.5)) clock.after(random.below(random.chance(0.5) ? 1_000 : 15_000), () => leaving.abort());
  const answer = () => end(leaving.signal.aborted ? 'left' : 'answered');
  serving.service.settle(CALLER, run.id, hold).then(answer, answer);
}
