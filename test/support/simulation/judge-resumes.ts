import type { RunId } from '../../../src/core/ids.ts';
import { RESUMABLE, type AskedResume, type RefusedCommand } from './callers.ts';
import type { Journal, Noted } from './journal.ts';

/** What the rules about resumes, pauses and removals look at. */
export interface ResumesPlayed {
  resumes: readonly AskedResume[];
  refused: readonly RefusedCommand[];
  journal: Pick<Journal, 'entries' | 'removed'>;
}

type Sent = Noted & { is: 'resume_sent' };
type Answered = Noted & { is: 'resume_answered' };
type Moved = Noted & { is: 'moved' };

/** What does not hold of resumes, as sentences. */
export function judgeResumes(played: ResumesPlayed): string[] {
  const { entries, removed } = played.journal;
  const byVendorRun = Map.groupBy(
    entries.filter((entry) => entry.vendorRun !== null),
    ({ vendorRun }) => vendorRun,
  );
  return [
    ...[...byVendorRun].flatMap(([vendorRun, own]) => judgeVendorRun(own).map((fault) => `${vendorRun}: ${fault}`)),
    ...played.resumes.flatMap((asked) =>
      judgeAsked(asked, entries, removed).map((fault) => `${asked.token}: ${fault}`),
    ),
    ...played.refused.flatMap((refused) => judgeCommand(refused, removed)),
  ];
}

/**
 * One run's commits and calls, in their order. A commit that leaves `waiting` for a resume allows one call,
 * until the row waits again. So at most one resume reaches the vendor for each waiting that callers saw.
 */
function judgeVendorRun(entries: readonly Noted[]): string[] {
  const faults: string[] = [];
  let allowed = false;
  let overtaken = false;
  let late = 0;
  let knownTaken = 0;
  /** The call that the row is about. */
  let current: Sent | null = null;
  const untaken = untakenOf(entries);
  const taken = new Map<number, number>();
  for (const [i, entry] of entries.entries()) {
    switch (entry.is) {
      case 'moved':
        if (entry.gaveBack !== null && current && !untaken.has(current.number))
          faults.push(`${current.token} may have been taken, and its key was given back`);
        if (entry.status === 'cancelling') overtaken = true;
        if (entry.status === 'waiting') {
          // The store has not said yet that the resume is written, and a cancel came and went meanwhile.
          if (allowed && overtaken) late += 1;
          allowed = false;
        }
        if (entry.step !== 'resume' || entry.from.status !== 'waiting') break;
        allowed = true;
        overtaken = false;
        current = null;
        break;
      case 'resume_sent':
        if (!allowed && late > 0) {
          late -= 1;
          break;
        }
        current = entry;
        if (!allowed) faults.push(`${entry.token} was sent, and no move of the row asked for it`);
        if (!entry.lags && entry.waitings <= knownTaken)
          faults.push(`${entry.token} was sent for waiting ${knownTaken}, which was known to be over`);
        allowed = false;
        break;
      case 'resume_taken':
        taken.set(entry.number, entry.waiting);
        break;
      case 'resume_answered': {
        const next = entries.slice(i + 1).find((later) => later.is === 'moved');
        const written = next?.process === entry.process && next.from.step === 'resume';
        // A late answer: since then the row was cancelled, or even waited and was resumed again.
        if (!written || next.status === 'cancelling' || current?.number !== entry.number) break;
        if (entry.how === 'taken') knownTaken = Math.max(knownTaken, taken.get(entry.number) ?? 0);
        const { token } = current;
        faults.push(...judgeRefusal(entry, next).map((fault) => `${token} ${fault}`));
        break;
      }
    }
  }
  return faults;
}

/** The calls of which their sender was told, by an answer or by the network, that they came to nothing. */
function untakenOf(entries: readonly Noted[]): Set<number> {
  const answered = entries.filter((entry) => entry.is === 'resume_answered');
  return new Set(answered.filter(({ how }) => how !== 'taken' && how !== 'unknown').map(({ number }) => number));
}

/** After a proof that the vendor has not taken it, everything is as before. */
function judgeRefusal({ how }: Answered, { status, from, gaveBack }: Moved): string[] {
  const refused = how === 'refused' || how === 'unsent';
  if (refused && status !== 'waiting') return [`was not taken, and the run became ${status}`];
  if (refused && gaveBack !== from.key) return ['was not taken, and its key was not given back'];
  return [];
}

const ALWAYS = ['run_not_waiting', 'store_unavailable', 'shutting_down'];

function judgeAsked(asked: AskedResume, entries: readonly Noted[], removed: ReadonlyMap<RunId, unknown>): string[] {
  const { token, idempotent, provider } = asked;
  const faults: string[] = [];
  const sent = entries.filter((entry) => entry.is === 'resume_sent' && entry.token === token) as Sent[];
  const taken = entries.filter((entry) => entry.is === 'resume_taken' && entry.token === token).length;
  if (!idempotent && sent.length > 1) faults.push(`sent ${sent.length} times`);
  if (!idempotent && asked.replayed > 0) faults.push('it has no key and was answered as a copy');
  if (taken > 1) faults.push(`the vendor took it ${taken} times`);
  // Only what the vendor provably has not taken may be sent for a later copy.
  const untaken = untakenOf(entries);
  if (sent.slice(0, -1).some(({ number }) => !untaken.has(number)))
    faults.push('sent again, though it may have been taken before');
  const claims = entries.filter((entry) => entry.is === 'moved' && entry.claimed === token).length;
  const begun = idempotent ? claims : 1;
  if (asked.begun > begun) faults.push(`${asked.begun} callers were told that they had begun it, ${begun} had`);
  if (asked.refused.length + taken > begun) faults.push('a caller was told that it was refused, and it was taken');
  for (const code of asked.errors) {
    const known =
      ALWAYS.includes(code) ||
      (code === 'unsupported_operation' && provider !== RESUMABLE) ||
      (code === 'not_found' && removed.has(asked.runId));
    if (!known) faults.push(`refused with ${code}`);
  }
  return faults;
}

const COMMAND_REFUSALS: Readonly<Record<RefusedCommand['command'], readonly string[]>> = {
  pause: ['run_not_running', 'run_not_addressable', 'store_unavailable', 'shutting_down'],
  remove: ['run_not_ended', 'store_unavailable', 'shutting_down'],
};

function judgeCommand({ command, runId, provider, code }: RefusedCommand, removed: ReadonlyMap<RunId, unknown>) {
  const known =
    COMMAND_REFUSALS[command].includes(code) ||
    (code === 'not_found' && removed.has(runId)) ||
    (code === 'unsupported_operation' && command === 'pause' && provider !== RESUMABLE);
  return known ? [] : [`${runId}: ${command} was refused with ${code}`];
}
