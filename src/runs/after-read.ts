import type { ErrorBody } from '../core/errors.ts';
import type { OutboundAnswer } from '../core/outbound.ts';
import { retryAfter, startErrorCode, vendorError, type Reading } from './answers.ts';
import { applyOutcome, end, nextPoll, schedule, type Moment } from './changes.ts';
import type { Care, Run } from './model.ts';
import type { Change } from './ports.ts';
import type { ReadOperation } from './vendor-calls.ts';

/** So many 404s in a row mean that the vendor has forgotten the run. */
const NOT_FOUND_MAX = 3;
/** After a broken start, a vendor may need this long to know our id. */
const LOOKUP_PATIENCE_MS = 30_000;
/** A vendor that cannot be made to pause is not asked for ever: the run goes on without. */
const PAUSE_TRIES_MAX = 3;

/** What came of asking the vendor. */
export interface ReadResult {
  /** `cut_short`: ended by ourselves, at the run's deadline or because the process stops, so that nothing was learnt. */
  reading: Reading | { is: 'failed'; error: ErrorBody | null } | { is: 'cut_short' };
  answer: OutboundAnswer | null;
}

/** What an answer to a read, or to a command, makes of the run as it is now. Reads are patient: a failure is never the run's. */
export function afterRead(
  run: Run,
  { reading, answer, operation }: ReadResult & { operation: ReadOperation },
  moment: Moment,
): Change {
  switch (reading.is) {
    case 'outcome': {
      const { outcome } = reading;
      // A look-up that finds the run has learnt its id, even where the answer does not repeat it.
      return applyOutcome(
        run,
        operation === 'lookup' ? { ...outcome, runId: outcome.runId ?? run.id } : outcome,
        moment,
      );
    }
    case 'refused':
      if (operation === 'cancel' && isRefusal(reading.status)) return cancelRefused(run, moment);
      if (operation === 'pause' && reading.status < 500 && reading.status !== 429) {
        return pollAtOnce(run, moment, pollErrorOf(run, moment, answer));
      }
      // Only a read tells that the vendor has forgotten the run: who may not cancel it may be told the same.
      if (reading.status === 404 && operation !== 'cancel') return afterNotFound(run, moment, answer);
      return tryAgain(run, moment, answer, pollErrorOf(run, moment, answer));
    case 'failed':
      return tryAgain(run, moment, answer, reading.error);
    case 'cut_short':
      // A cancel that has left may have been taken, which the next read tells.
      return schedule(run, run.status, operation === 'cancel' ? { care: triedAgain(run.care) } : {}, moment);
    case 'unreadable':
    case 'broken':
      // A 2xx has taken the cancel or the pause, whatever its body says: what became of it shows in the next poll.
      if (operation === 'cancel' || operation === 'pause') return pollAtOnce(run, moment);
      return tryAgain(run, moment, answer, null);
  }
}

/** A 4xx that speaks of the run's state, not of the credential, the load or the path. */
function isRefusal(status: number): boolean {
  return status >= 400 && status < 500 && ![401, 402, 403, 404, 408, 429].includes(status);
}

/** An answer that speaks of the credential, and not of the run. */
export function isRefusedRead({ status }: OutboundAnswer): boolean {
  return [401, 402, 403].includes(status);
}

function pollErrorOf(run: Run, { kind }: Moment, answer: OutboundAnswer | null): ErrorBody | null {
  if (!answer || !isRefusedRead(answer)) return null;
  return vendorError(startErrorCode(answer.status), kind, run.provider, answer);
}

/** Later, by the back-off or the vendor's `Retry-After`, whichever is longer. */
function tryAgain(run: Run, moment: Moment, answer: OutboundAnswer | null, pollError: ErrorBody | null): Change {
  const upstream = { ...run.upstream, pollError, rateLimit: moment.rateLimit ?? run.upstream.rateLimit };
  const change = schedule(run, run.status, { upstream, care: triedAgain(run.care) }, moment);
  const askedMs = (answer ? (retryAfter(answer, moment.nowMs) ?? 0) : 0) * 1000;
  const untilDeadlineMs = Math.max(0, run.deadlineAt - moment.nowMs);
  return { ...change, dueInMs: Math.min(Math.max(change.dueInMs ?? 0, askedMs), untilDeadlineMs) };
}

function triedAgain(care: Care): Care {
  switch (care.step) {
    case 'lookup':
      return { ...care, tries: care.tries + 1, unknownSince: null };
    case 'poll':
      return { ...care, tries: care.tries + 1, notFound: 0 };
    case 'pause':
      return care.tries + 1 < PAUSE_TRIES_MAX
        ? { ...care, tries: care.tries + 1 }
        : { step: 'poll', tries: 1, notFound: 0 };
    case 'cancel':
      // Only looks count how often the vendor does not know the run, in a row.
      return care.next === 'ask'
        ? { ...care, tries: care.tries + 1, next: 'look' }
        : { ...care, tries: care.tries + 1, next: 'ask', notFound: 0 };
    case 'resume':
    case 'start':
    case 'none':
      return care;
  }
}

function afterNotFound(run: Run, moment: Moment, answer: OutboundAnswer | null): Change {
  const { care } = run;
  const { nowMs, kind } = moment;
  if (care.step === 'lookup') {
    // A clock that was set back prolongs no patience.
    const unknownSince = Math.min(care.unknownSince ?? nowMs, nowMs);
    if (nowMs - unknownSince >= LOOKUP_PATIENCE_MS) {
      return end(run, 'failed', { error: vendorError(care.cause, kind, run.provider) }, nowMs);
    }
    const next = schedule(run, run.status, { care: { ...care, tries: care.tries + 1, unknownSince } }, moment);
    // The last question falls on the end of the patience, not a back-off later.
    const patienceMs = unknownSince + LOOKUP_PATIENCE_MS - nowMs;
    return { ...next, dueInMs: Math.min(next.dueInMs ?? 0, patienceMs) };
  }
  const notFound = 'notFound' in care ? care.notFound + 1 : 1;
  if (notFound >= NOT_FOUND_MAX) {
    return end(
      run,
      'failed',
      { error: vendorError('upstream_run_not_found', kind, run.provider, answer ?? undefined) },
      nowMs,
    );
  }
  const counted: Care =
    care.step === 'cancel' ? { ...care, next: 'ask', tries: care.tries + 1, notFound } : { ...nextPoll(run), notFound };
  return schedule(run, run.status, { care: counted }, moment);
}

function pollAtOnce(run: Run, moment: Moment, pollError: ErrorBody | null = null): Change {
  const upstream = pollError ? { ...run.upstream, pollError } : run.upstream;
  return schedule(run, run.status, { care: nextPoll(run), upstream }, moment, 0);
}

/** The run returns to its state and is polled at once: most often it has just ended. */
function cancelRefused(run: Run, moment: Moment): Change {
  const from = run.care.step === 'cancel' ? run.care.from : 'running';
  const change = schedule(
    run,
    from,
    { care: { step: 'poll', tries: 1, notFound: 0 }, upstream: { ...run.upstream, stopped: false } },
    moment,
    0,
  );
  if (run.status !== 'cancelling') return change;
  const at = moment.nowMs;
  const event =
    from === 'waiting'
      ? { type: 'run.waiting' as const, at, data: { waiting: run.waiting ? { ...run.waiting } : null } }
      : { type: 'run.resumed' as const, at, data: {} };
  return { ...change, events: [event] };
}
