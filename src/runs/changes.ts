import { errorBody, type ErrorBody, withRetryAfter } from '../core/errors.ts';
import type { Random } from '../core/random.ts';
import type { AnyProviderKind } from '../providers/define-provider.ts';
import type { Outcome } from '../providers/outcome.ts';
import { vendorText } from './answers.ts';
import { hasNotBegun } from './has-not-begun.ts';
import type { Attempt, Care, NewEvent, RateLimitSeen, Run, RunOutput, RunStatus } from './model.ts';
import { pollDelayMs } from './pace.ts';
import type { Change, RunPatch } from './ports.ts';

/**
 * Pure: what a run becomes when something is learnt of it. Each function takes the run as it is now,
 * so the mover can ask again when another carer or a command was faster.
 */
export interface Moment {
  nowMs: number;
  random: Random;
  kind: AnyProviderKind;
  rateLimit: RateLimitSeen | null;
  /** Somebody reads the run's events as they come: its stream is opened at once, and a poll that finds it going is told. */
  followed: boolean;
}

/**
 * When a command is due: before all that is overdue, and after earlier commands. The overdue polls of a vendor that has fallen
 * silent need minutes for their turns.
 */
export const COMMAND_DUE_IN_MS = -1e12;

type Ended = 'succeeded' | 'failed' | 'cancelled' | 'timed_out';

export interface Ending {
  error?: ErrorBody;
  /** What the last attempt came to, where that is another error. */
  attemptError?: ErrorBody;
  output?: RunOutput;
  partial?: boolean;
  /** Proof that no run exists at the vendor. */
  notBegun?: boolean;
  patch?: RunPatch;
}

/** The end of a run. A provably unstarted one with a retryable error gives its idempotency key back. */
export function end(
  run: Run,
  status: Ended,
  { error, attemptError = error, output, partial, notBegun, patch }: Ending,
  nowMs: number,
): Change {
  return {
    status,
    patch: {
      error: error ? { ...withRetryAfter(error), run_id: run.id } : null,
      partial: partial ?? false,
      waiting: null,
      remainingMs: null,
      finishedAt: nowMs,
      care: { step: 'none' },
      attempts: closeAttempt(run, notBegun ? 'not_begun' : 'began', attemptError),
      ...patch,
    },
    ...(output ? { output } : {}),
    events: [{ type: `run.${status}`, at: nowMs, data: null }],
    owner: null,
    dueInMs: null,
    ...(notBegun && error?.retryable ? { giveBackKey: 'start' as const } : {}),
  };
}

/** The deadline has come. A look-up that is still open ends as what it was to find out. */
export function endAtDeadline(run: Run, lookupError: ErrorBody | null, nowMs: number): Change {
  if (lookupError) return end(run, 'failed', { error: lookupError }, nowMs);
  const message =
    run.status === 'waiting'
      ? 'Nobody resumed the run within its waiting_timeout_s.'
      : 'The run did not end within its timeout_s.';
  const { pollError } = run.upstream;
  // A cancel that was refused leaves one too, and so does a credential that we cannot open.
  const refused =
    pollError?.source === 'upstream' && run.care.step === 'poll'
      ? ` The vendor refused to tell how it went (${pollError.code}).`
      : '';
  const error = errorBody('run_timed_out', { message: message + refused, provider: run.provider });
  return end(run, 'timed_out', { error, notBegun: hasNotBegun(run) }, nowMs);
}

/** What the vendor's word makes of the run. */
export function applyOutcome(run: Run, outcome: Outcome, moment: Moment): Change {
  const { nowMs } = moment;
  const patch: RunPatch = { accepted: true, upstream: upstreamAfter(run, outcome, moment) };
  switch (outcome.is) {
    case 'running':
      return stillGoing(run, patch, moment);
    case 'waiting':
      return run.status === 'cancelling' ? stillGoing(run, patch, moment) : wait(run, outcome, patch, moment);
    case 'succeeded':
      return end(run, 'succeeded', { output: outcome.output, partial: outcome.partial, patch }, nowMs);
    case 'failed': {
      const error = workflowFailed(run, outcome, moment.kind);
      return end(run, 'failed', { error, ...(outcome.output ? { output: outcome.output } : {}), patch }, nowMs);
    }
    case 'cancelled': {
      const stopped = run.status === 'cancelling' ? true : null;
      return end(
        run,
        'cancelled',
        { patch: { ...patch, upstream: { ...upstreamAfter(run, outcome, moment), stopped } } },
        nowMs,
      );
    }
    case 'timed_out': {
      const message = outcome.message
        ? vendorText(outcome.message)
        : `${moment.kind.title} ended the run as timed out.`;
      const error = errorBody('run_timed_out', { message, provider: run.provider });
      return end(run, 'timed_out', { error, patch }, nowMs);
    }
  }
}

function stillGoing(run: Run, patch: RunPatch, moment: Moment): Change {
  const attempts = closeAttempt(run, 'began');
  if (run.status === 'cancelling') {
    if (run.care.step === 'cancel' && run.care.next === 'look') {
      return schedule(
        run,
        'cancelling',
        { ...patch, attempts, care: { ...run.care, next: 'ask', notFound: 0 } },
        moment,
      );
    }
    // The cancel was sent (then its confirmation is awaited), or could not be sent before now.
    const asked = run.care.step === 'cancel' || run.care.step === 'poll';
    const care: Care = asked ? nextPoll(run) : { step: 'cancel', next: 'ask', tries: 0, notFound: 0, from: 'running' };
    return schedule(run, 'cancelling', { ...patch, attempts, care }, moment, asked ? undefined : COMMAND_DUE_IN_MS);
  }
  if (run.status !== 'waiting') {
    const begins = run.care.step === 'start';
    const inMs = begins && moment.followed && moment.kind.follow ? 0 : undefined;
    const change = schedule(run, 'running', { ...patch, attempts, care: nextPoll(run) }, moment, inMs);
    return moment.followed && !begins ? { ...change, events: [polled(patch, moment)] } : change;
  }
  const deadlineAt = moment.nowMs + (run.remainingMs ?? run.timeoutMs);
  const resumed: RunPatch = {
    ...patch,
    waiting: null,
    remainingMs: null,
    deadlineAt,
    care: { step: 'poll', tries: 0, notFound: 0 },
  };
  return {
    ...schedule({ ...run, deadlineAt }, 'running', resumed, moment),
    events: [{ type: 'run.resumed', at: moment.nowMs, data: {} }],
  };
}

/** What a reader of events sees of a vendor without a stream. */
function polled({ upstream }: RunPatch, { nowMs }: Moment): NewEvent {
  return { type: 'run.progress', at: nowMs, data: { name: 'poll', data: { status: upstream?.status ?? null } } };
}

function wait(run: Run, { waiting }: Outcome & { is: 'waiting' }, patch: RunPatch, moment: Moment): Change {
  const attempts = closeAttempt(run, 'began');
  if (run.status === 'waiting') return schedule(run, 'waiting', { ...patch, waiting, care: nextPoll(run) }, moment);
  const deadlineAt = moment.nowMs + run.waitingTimeoutMs;
  const remainingMs = Math.max(0, run.deadlineAt - moment.nowMs);
  const event: NewEvent = {
    type: 'run.waiting',
    at: moment.nowMs,
    data: { waiting: { for: waiting.for, hint: waiting.hint } },
  };
  return {
    ...schedule(
      { ...run, deadlineAt },
      'waiting',
      { ...patch, attempts, waiting, deadlineAt, remainingMs, care: nextPoll(run) },
      moment,
    ),
    events: [event],
  };
}

/** Keeps the run where it is and says when somebody has to care again; never later than the deadline. */
export function schedule(run: Run, status: RunStatus, patch: RunPatch, moment: Moment, inMs?: number): Change {
  const care = patch.care ?? run.care;
  const delayMs = inMs ?? pollDelayMs(moment.kind, 'tries' in care ? Math.max(0, care.tries - 1) : 0, moment.random);
  const allowedMs = Math.max(delayMs, untilAllowanceMs(moment));
  const dueInMs = Math.min(allowedMs, Math.max(0, run.deadlineAt - moment.nowMs));
  return { status, patch, events: [], owner: null, dueInMs };
}

/** A vendor that says that nothing is left of its limit is asked again when the limit is reset. */
function untilAllowanceMs({ rateLimit, nowMs }: Moment): number {
  return rateLimit?.remaining === 0 && rateLimit.reset !== null ? rateLimit.reset - nowMs : -Infinity;
}

/** The care of the next read; it counts the reads since the start or the last change of what is done. */
export function nextPoll(run: Run): Care & { step: 'poll' } {
  const tries = run.care.step === 'poll' ? run.care.tries + 1 : 1;
  return { step: 'poll', tries, notFound: 0 };
}

function upstreamAfter(run: Run, outcome: Outcome, moment: Moment): Run['upstream'] {
  return {
    ...run.upstream,
    runId: run.upstream.runId ?? outcome.runId ?? null,
    status: outcome.status ?? run.upstream.status,
    requestId: outcome.requestId ?? run.upstream.requestId,
    pollError: null,
    rateLimit: moment.rateLimit ?? run.upstream.rateLimit,
  };
}

function workflowFailed(
  run: Run,
  { message, code, requestId }: Outcome & { is: 'failed' },
  kind: AnyProviderKind,
): ErrorBody {
  const said = message ? vendorText(message) : null;
  return errorBody('workflow_failed', {
    message: said ?? `${kind.title} ran the workflow, and it failed.`,
    provider: run.provider,
    upstream: { status: null, code: code ? vendorText(code) : null, message: said, request_id: requestId ?? null },
  });
}

/** Writes what became of the last attempt; earlier ones are closed already. */
export function closeAttempt(run: Run, state: Attempt['state'], error?: ErrorBody): readonly Attempt[] {
  const last = run.attempts.at(-1);
  if (!last || last.state !== 'open') return run.attempts;
  return [...run.attempts.slice(0, -1), { ...last, state, errorCode: error?.code ?? null }];
}
