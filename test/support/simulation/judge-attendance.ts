import type { RunId } from '../../../src/core/ids.ts';
import type { RunEvent } from '../../../src/runs/model.ts';
import type { AttendanceNoted, Journal, RunHistory } from './journal.ts';
import { stateOf } from './vendor-run.ts';
import type { SimulatedVendors } from './simulated-vendor.ts';

/** What the rules about callers who leave look at. */
export interface AttendancePlayed {
  histories: readonly RunHistory[];
  journal: Pick<Journal, 'attendance' | 'entries' | 'stopped'>;
  vendors: Pick<SimulatedVendors, 'begun'>;
  now: number;
}

const GRACE_MS = 5_000;
/** A store that is slow or down, and commands that are faster, may hold the cancel up for so long. */
const PATIENCE_MS = 30_000;

/** What does not hold of runs whose callers have left, as sentences. */
export function judgeAttendance({ histories, journal, vendors, now }: AttendancePlayed): string[] {
  const byRun = Map.groupBy(journal.attendance, ({ id }) => id);
  return histories.flatMap(({ run, events }) => {
    const noted = byRun.get(run.id) ?? [];
    const cancelled = cancelOf(run.id, journal.entries);
    const vendor = vendors.begun(typeof run.inputs['text'] === 'string' ? run.inputs['text'] : '')[0];
    const vendorsOwn = vendor !== undefined && stateOf(vendor, now) === 'cancelled' && !hasAsked(events);
    const faults: string[] = [];
    if (cancelled && !vendorsOwn && !isExplained(cancelled, run.onDisconnect, noted))
      faults.push('it was cancelled, and nobody wanted that');
    const leftAt = run.onDisconnect === 'cancel' ? abandonedAt(noted, journal.stopped) : null;
    const until = run.finishedAt ?? now;
    const limit = leftAt === null ? Infinity : leftAt + GRACE_MS + PATIENCE_MS;
    if (until > limit && !hasAsked(events) && !vendorsOwn) faults.push('everybody left, and it was not cancelled');
    return faults.map((fault) => `${run.id} (${run.kind}, ${run.status}): ${fault}`);
  });
}

function hasAsked(events: readonly RunEvent[]): boolean {
  return events.some(({ type }) => type === 'run.cancelling');
}

interface Cancelled {
  at: number;
  process: number;
}

/** The commit by which the run was cancelled here. */
function cancelOf(id: RunId, entries: Journal['entries']): Cancelled | null {
  for (const entry of entries) {
    if (entry.is !== 'moved' || entry.id !== id) continue;
    if (entry.status === 'cancelling' || entry.status === 'cancelled') return entry;
  }
  return null;
}

function isExplained({ at, process }: Cancelled, onDisconnect: string, noted: readonly AttendanceNoted[]): boolean {
  if (noted.some((entry) => entry.is === 'cancel_asked' && entry.at <= at)) return true;
  if (onDisconnect !== 'cancel') return false;
  return leaves(noted).some((left) => left.process === process && left.at + GRACE_MS <= at);
}

/** When a run was left by all for good, so that its process, which lived on, had to cancel it; null: never. */
function abandonedAt(noted: readonly AttendanceNoted[], stopped: ReadonlyMap<number, number>): number | null {
  const found = leaves(noted).find(({ at, process, isSure }) => {
    const servedUntil = stopped.get(process) ?? Infinity;
    return isSure && servedUntil > at + GRACE_MS + PATIENCE_MS;
  });
  return found?.at ?? null;
}

interface Left extends Cancelled {
  /** The process saw the run begin, and nobody came back for a good while. */
  isSure: boolean;
}

/** The moments at which the last of all open requests was dropped, and none was ever answered, and nobody came within the grace. */
function leaves(noted: readonly AttendanceNoted[]): Left[] {
  const found: Left[] = [];
  let answered = false;
  const open = new Map<number, number>();
  const reading = new Map<number, number>();
  for (const [i, { is, at, process }] of noted.entries()) {
    const count = (of: Map<number, number>, by: number) => of.set(process, (of.get(process) ?? 0) + by);
    switch (is) {
      case 'attended':
      case 'joined':
        count(open, 1);
        break;
      case 'answered':
        answered = true;
        count(open, -1);
        break;
      case 'followed':
        count(reading, 1);
        break;
      case 'unfollowed':
        count(reading, -1);
        break;
      case 'left': {
        count(open, -1);
        if (answered || (open.get(process) ?? 0) > 0 || (reading.get(process) ?? 0) > 0) break;
        const later = noted.slice(i + 1);
        const backMs = Math.min(
          ...later.filter((entry) => isBack(entry) && entry.process === process).map((entry) => entry.at - at),
        );
        const isBegun = noted.some((entry) => entry.is === 'attended' && entry.process === process && entry.at <= at);
        if (backMs >= GRACE_MS) found.push({ at, process, isSure: isBegun && backMs > GRACE_MS + PATIENCE_MS });
        break;
      }
      case 'cancel_asked':
        break;
    }
  }
  return found;
}

function isBack({ is }: AttendanceNoted): boolean {
  return is === 'attended' || is === 'joined' || is === 'followed';
}
