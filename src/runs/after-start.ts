import type { Clock } from '../core/clock.ts';
import type { ErrorBody } from '../core/errors.ts';
import type { RunId } from '../core/ids.ts';
import type { Random } from '../core/random.ts';
import type { AnyProviderKind } from '../providers/define-provider.ts';
import type { Outcome } from '../providers/outcome.ts';
import { refusedStartError, vendorError } from './answers.ts';
import type { OnceResult } from './call-once.ts';
import { applyOutcome, closeAttempt, end, endAtDeadline, schedule, type Moment } from './changes.ts';
import { mayHaveBegunBefore } from './has-not-begun.ts';
import type { Run } from './model.ts';
import type { Change } from './ports.ts';

/** After a start that our own heartbeat held back, somebody tries again so much later. */
const HEARTBEAT_WAIT_MS = 1_000;

interface AfterStartParts {
  kindOf: (run: Run) => AnyProviderKind;
  clock: Clock;
  random: Random;
  isFollowed: (id: RunId) => boolean;
}

/** What the result of a start makes of the run as it is now. */
export function afterStart(parts: AfterStartParts, run: Run, result: OnceResult): Change {
  const kind = parts.kindOf(run);
  const nowMs = parts.clock.now();
  const rateLimit = result.is === 'answered' ? result.rateLimit : null;
  const moment: Moment = { nowMs, random: parts.random, kind, rateLimit, followed: parts.isFollowed(run.id) };
  switch (result.is) {
    case 'answered':
      return afterAnswer(run, result, moment);
    case 'not_sent':
      if (mayHaveBegunBefore(run)) return afterUnknown(run, 'outcome_unknown', moment, result.error);
      return end(run, 'failed', { ...result, notBegun: true }, nowMs);
    case 'unknown':
      return afterUnknown(run, result.cause, moment);
    case 'left':
      return afterUnknown(run, 'outcome_unknown', moment);
    case 'held_back':
      return notBegunYet(run, moment);
    case 'aborted':
      return afterAbort(run, result, moment);
  }
}

function afterAbort(run: Run, { reason, sent }: OnceResult & { is: 'aborted' }, moment: Moment): Change {
  switch (reason) {
    case 'drain':
      return sent ? afterUnknown(run, 'outcome_unknown', moment) : notBegunYet(run, moment);
    case 'deadline':
      return endAtDeadline(run, null, moment.nowMs);
    case 'cancelled':
      // The run has ended before its start is aborted, so there is nothing to write; this is for a row that was lost.
      return end(run, 'cancelled', { patch: { upstream: { ...run.upstream, stopped: false } } }, moment.nowMs);
  }
}

/** Nothing left this process: whoever claims the run next starts it. */
function notBegunYet(run: Run, moment: Moment): Change {
  if (mayHaveBegunBefore(run)) return afterUnknown(run, 'outcome_unknown', moment);
  if (run.status === 'cancelling') return end(run, 'cancelled', { notBegun: true }, moment.nowMs);
  const patch = { attempts: closeAttempt(run, 'not_begun'), care: { step: 'start' } as const };
  return schedule(run, run.status, patch, moment, HEARTBEAT_WAIT_MS);
}

function afterAnswer(run: Run, { reading, answer }: OnceResult & { is: 'answered' }, moment: Moment): Change {
  const { kind, nowMs } = moment;
  const upstream = { ...run.upstream, rateLimit: moment.rateLimit };
  switch (reading.is) {
    case 'outcome':
      if (canGoOn(run, reading.outcome, kind)) return applyOutcome(run, reading.outcome, moment);
      // It waits at the vendor, under a name that no event of its stream has told.
      if (reading.outcome.is === 'waiting') return afterUnknown(run, 'outcome_unknown', moment);
      break;
    case 'broken':
      return afterUnknown(run, 'outcome_unknown', moment);
    case 'refused': {
      const error = refusedStartError(kind, run.provider, answer, nowMs);
      const notBegun = kind.notStarted({ status: reading.status });
      if (notBegun && mayHaveBegunBefore(run)) return afterUnknown(run, 'outcome_unknown', moment, error);
      return end(run, 'failed', { error, notBegun, patch: { upstream } }, nowMs);
    }
    case 'unreadable':
      break;
  }
  const error = vendorError('upstream_invalid_response', kind, run.provider, answer);
  return end(run, 'failed', { error, patch: { upstream } }, nowMs);
}

/** A run that has not ended must have a name at the vendor, or nobody can ever poll or resume it. */
function canGoOn(run: Run, outcome: Outcome, kind: AnyProviderKind): boolean {
  if (outcome.is !== 'running' && outcome.is !== 'waiting') return true;
  const isNamed = (outcome.runId ?? run.upstream.runId) !== null;
  return isNamed && (outcome.is === 'waiting' || kind.poll !== undefined);
}

/**
 * Bytes left and no answer tells what became of them: polled where the vendor has named its run before a stream broke,
 * asked by our own id where the kind can, else ended. `attemptError`: what the last start came to, where that is known.
 */
function afterUnknown(
  run: Run,
  cause: 'outcome_unknown' | 'upstream_timeout',
  moment: Moment,
  attemptError?: ErrorBody,
): Change {
  const { kind, nowMs } = moment;
  if (run.upstream.runId !== null && kind.poll) {
    const patch = { attempts: closeAttempt(run, 'began'), care: { step: 'poll', tries: 0, notFound: 0 } as const };
    return schedule(run, run.status, patch, moment, 0);
  }
  if (!kind.lookup) {
    const error = vendorError(cause, kind, run.provider);
    return end(run, 'failed', { error, attemptError: attemptError ?? error }, nowMs);
  }
  const care = { step: 'lookup', cause, tries: 0, unknownSince: null } as const;
  return schedule(run, run.status, { care }, moment, 0);
}

/** An open attempt of a process that is gone: looked up, or ended; never sent again. */
export function recoverOpenAttempt(run: Run, moment: Moment): Change {
  return afterUnknown(run, 'outcome_unknown', moment);
}
