import type { Caller } from '../core/caller.ts';
import type { Clock } from '../core/clock.ts';
import { errorBody, GatewayError, type ErrorBody } from '../core/errors.ts';
import type { Owner, RunId } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import type { Random } from '../core/random.ts';
import type { SealedCredential } from '../core/secret.ts';
import type { AnyProviderKind } from '../providers/define-provider.ts';
import { refusedStartError, vendorError } from './answers.ts';
import { callOnce, type OnceResult } from './call-once.ts';
import { applyOutcome, end, endAtDeadline, schedule, type Moment } from './changes.ts';
import { claimOf, replay } from './idempotency.ts';
import type { Flights } from './flights.ts';
import { hasEnded, type ResumeKey, type Run, type WaitingFor } from './model.ts';
import type { Mover } from './mover.ts';
import type { Change, IdempotencyClaim, RunStore } from './ports.ts';
import { checkResumeOptions } from './resolve-run.ts';
import type { RequestContext, ResumeRequest, StartedRun } from './run-service.ts';
import type { VendorCalls } from './vendor-calls.ts';

/**
 * Resumes: like starts they are written first and never sent twice.
 *
 * The row leaves `waiting` for `running` with `care.step` `resume`, which holds what it waited for; so
 * a second resume, or a copy, finds it not waiting. The vendor's answer moves it on. Where the vendor
 * refuses, or nothing was sent, the run is `waiting` again and the key given back. Where the resume's
 * fate is not known, the vendor is asked by polling; without a poll the run ends as `outcome_unknown`.
 */
export interface ResumeParts {
  store: RunStore;
  mover: Mover;
  flights: Flights;
  calls: VendorCalls;
  kindOf: (run: Run) => AnyProviderKind;
  clock: Clock;
  random: Random;
  log: Log;
  owner: Owner;
  isFollowed: (id: RunId) => boolean;
  heartbeatIsYoung: () => boolean;
  draining: () => boolean;
}

const RACES_MAX = 20;

type Care = Run['care'] & { step: 'resume' };

export function createResumer(parts: ResumeParts) {
  const { store, mover } = parts;

  /** The caller may see the run; everything else is checked here, before anything is written. */
  return async function resume(
    caller: Caller,
    id: RunId,
    request: ResumeRequest,
    context: RequestContext,
  ): Promise<StartedRun> {
    const claim = claimOf(caller, context, () => ['POST /runs/{id}/resume', id, { ...request }]);
    const earlier = claim === null ? null : await store.findByKey(claim);
    if (earlier) return replay(earlier);
    if (parts.draining()) throw new GatewayError('shutting_down', { retryAfterS: 1 });
    if (!parts.heartbeatIsYoung()) throw new GatewayError('store_unavailable', { retryAfterS: 5 });
    for (let races = 0; races < RACES_MAX; races++) {
      const run = await store.peek(id);
      if (!run) throw new GatewayError('not_found', { param: 'id' });
      const kind = parts.kindOf(run);
      if (!kind.resume) throw cannot(kind, 'resume');
      if (run.status !== 'waiting' || !run.waiting) throw new GatewayError('run_not_waiting', { runId: id });
      const options = checkResumeOptions(kind, request.options);
      const credential = await parts.calls.credentialOf(run);
      const { waiting } = run;
      // Once more, because something was awaited since: what is written from here on, a drain waits for.
      if (parts.draining()) throw new GatewayError('shutting_down', { retryAfterS: 1 });
      const leave = parts.flights.board(id);
      try {
        const written = await write(run, leaveWaiting(parts, run, { waiting, key: claim && keyOf(claim) }), claim);
        if (written === 'stale') continue;
        if (written.kind !== 'moved') return replay(written);
        return send(written.run, { ...request, options, waitingFor: waiting.for }, { kind, credential });
      } finally {
        leave();
      }
    }
    throw new GatewayError('overloaded', { message: 'The run changes too fast; try again.', retryAfterS: 1 });
  };

  async function write(run: Run, change: Change, claim: IdempotencyClaim | null) {
    if (claim) return mover.moveOnce(run, change, claim);
    const moved = await mover.move(run, change);
    return moved === 'stale' ? moved : ({ kind: 'moved', run: moved } as const);
  }

  function send(
    run: Run,
    request: ResumeRequest & { waitingFor: WaitingFor['for'] },
    { kind, credential }: { kind: AnyProviderKind; credential: SealedCredential },
  ): StartedRun {
    const key = run.care.step === 'resume' ? run.care.key : null;
    let refusal: ErrorBody | null = null;
    let overtaken = false;
    const flight = parts.flights.launch<OnceResult>(run, {
      operation: 'resume',
      async call(open) {
        const result = await callOnce(parts, { run, kind, operation: 'resume' }, open, (signal) =>
          parts.calls.resume(run, request, credential, signal),
        );
        refusal = refusalOf(parts, run, result);
        return result;
      },
      land(latest, result) {
        const change = afterResume(parts, { sent: run, latest }, { result, refused: refusal !== null });
        // A resume that is under way now may be another of the same key, whose claim is not to be taken away.
        overtaken = change === null && latest.care.step !== 'resume';
        return change;
      },
      landed: () => void (refusal && overtaken && key !== null && giveKeyBack(run, key)),
      fault: (latest) => {
        const result = { is: 'unknown', cause: 'outcome_unknown' } as const;
        return afterResume(parts, { sent: run, latest }, { result, refused: false });
      },
    });
    return {
      run,
      replayed: false,
      vendorHeaders: () => ({}),
      upstreamMs: () => flight.upstreamMs,
      refusal: () => refusal && { ...refusal, run_id: run.id },
    };
  }

  /**
   * A refused resume is to be sent again, with its own key too, whatever a command has made of the run meanwhile. Beside the
   * row, which is whose it is: its carer would take a move for another's.
   */
  async function giveKeyBack({ id }: Run, key: ResumeKey): Promise<void> {
    await parts.store.giveBackResumeKey(id, key).catch((err: unknown) => {
      parts.log.warn({ err, run_id: id }, 'the key of a refused resume could not be given back');
    });
  }
}

function keyOf({ lineage, subject, key }: IdempotencyClaim): ResumeKey {
  return { lineage, subject, key };
}

/** Before any I/O: what a kind cannot do. */
export function cannot(kind: AnyProviderKind, operation: string): GatewayError {
  return new GatewayError('unsupported_operation', { message: `${kind.title} has no ${operation}.` });
}

/** The run goes on; what it waited for is kept until the vendor has taken the resume. */
function leaveWaiting(
  { clock, owner }: ResumeParts,
  run: Run,
  { waiting, key }: { waiting: WaitingFor; key: ResumeKey | null },
): Change {
  const at = clock.now();
  const care: Care = { step: 'resume', key, back: { waiting, deadlineAt: run.deadlineAt } };
  return {
    status: 'running',
    patch: { waiting: null, remainingMs: null, deadlineAt: at + (run.remainingMs ?? run.timeoutMs), care },
    events: [{ type: 'run.resumed', at, data: {} }],
    owner,
    dueInMs: null,
  };
}

/** Why the vendor has not taken the resume, where that is certain; null where it has, or nobody knows. */
function refusalOf({ kindOf, clock }: ResumeParts, run: Run, result: OnceResult): ErrorBody | null {
  const kind = kindOf(run);
  switch (result.is) {
    case 'not_sent':
      return result.error;
    case 'held_back':
      return errorBody('store_unavailable', { provider: run.provider });
    case 'answered': {
      const { reading, answer } = result;
      if (reading.is !== 'refused' || reading.status < 400 || reading.status >= 500) return null;
      if (reading.status === 404) return vendorError('upstream_run_not_found', kind, run.provider, answer);
      return refusedStartError(kind, run.provider, answer, clock.now());
    }
    case 'unknown':
    case 'left':
      return null;
    case 'aborted':
      return result.sent || result.reason !== 'drain' ? null : errorBody('shutting_down', { provider: run.provider });
  }
}

function afterResume(
  parts: ResumeParts,
  { sent, latest: run }: { sent: Run; latest: Run },
  { result, refused }: { result: OnceResult; refused: boolean },
): Change | null {
  const kind = parts.kindOf(run);
  const nowMs = parts.clock.now();
  const rateLimit = result.is === 'answered' ? result.rateLimit : null;
  const moment: Moment = { nowMs, random: parts.random, kind, rateLimit, followed: parts.isFollowed(run.id) };
  const change = decide(run, { result, refused }, moment);
  // A cancel was faster, and since then the run may even have waited and been resumed again: only what the vendor
  // says of the run's end is news to it. No move is made beside a resume, so `version` tells whose the row is.
  const isOurs = run.care.step === 'resume' && run.version === sent.version;
  return isOurs || (result.is === 'answered' && hasEnded(change)) ? change : null;
}

function decide(run: Run, { result, refused }: { result: OnceResult; refused: boolean }, moment: Moment): Change {
  if (refused) return waitAgain(run, moment);
  if (result.is === 'aborted' && result.reason === 'deadline') return endAtDeadline(run, null, moment.nowMs);
  if (result.is === 'answered' && result.reading.is === 'outcome')
    return applyOutcome(run, result.reading.outcome, moment);
  return afterUnknownResume(run, moment);
}

/** The resume may have been taken: only the vendor can say, and only by a poll. */
export function afterUnknownResume(run: Run, moment: Moment): Change {
  const { kind, nowMs } = moment;
  if (!kind.poll) return end(run, 'failed', { error: vendorError('outcome_unknown', kind, run.provider) }, nowMs);
  return schedule(run, run.status, { care: { step: 'poll', tries: 1, notFound: 0 } }, moment, 0);
}

/** As before the resume; the time for people goes on from where it was. */
function waitAgain(run: Run, moment: Moment): Change {
  if (run.care.step !== 'resume') return afterUnknownResume(run, moment);
  const { key, back } = run.care;
  const { waiting, deadlineAt } = back;
  const remainingMs = Math.max(0, run.deadlineAt - moment.nowMs);
  const patch = { waiting, deadlineAt, remainingMs, care: { step: 'poll', tries: 1, notFound: 0 } } as const;
  return {
    ...schedule({ ...run, deadlineAt }, 'waiting', patch, moment),
    events: [{ type: 'run.waiting', at: moment.nowMs, data: { waiting: { for: waiting.for, hint: waiting.hint } } }],
    ...(key === null ? {} : { giveBackKey: { resume: key } }),
  };
}
