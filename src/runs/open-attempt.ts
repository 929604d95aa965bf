import type { Clock } from '../core/clock.ts';
import type { ErrorBody } from '../core/errors.ts';
import type { Owner } from '../core/ids.ts';
import { closeAttempt } from './changes.ts';
import type { Attempt, Run } from './model.ts';
import type { Change, RunPatch } from './ports.ts';
import type { StartSlot } from './start-slot.ts';

/** What the loop that sends starts writes of attempts, as changes of the row as it is; null: a command was faster. */
export interface AttemptWriter {
  clock: Pick<Clock, 'now'>;
  owner: Owner;
}

/** Room may be made sooner than can be foreseen: another run ends, or a credential is mended. */
const ROOM_WAIT_MS_MAX = 5_000;

/** An attempt as it is written before its first byte leaves. */
export function newAttempt(
  run: Pick<Run, 'provider' | 'kind' | 'credentialId' | 'upstreamWorkflow'> & { origin: string; number: number },
  step: Attempt['step'],
  at: number,
): Attempt {
  return {
    number: run.number,
    step,
    provider: run.provider,
    kind: run.kind,
    origin: run.origin,
    credentialId: run.credentialId,
    workflow: run.upstreamWorkflow,
    at,
    state: 'open',
    errorCode: null,
  };
}

/** There is no room: somebody looks again later, or the deadline comes first. Null: a command was faster. */
export function giveBack({ clock, owner }: AttemptWriter, run: Run, waitMs: number): Change | null {
  if (run.owner !== owner) return null;
  const untilDeadlineMs = Math.max(0, run.deadlineAt - clock.now());
  // A queued run waits for room, not for a time.
  const dueInMs = run.status === 'queued' ? untilDeadlineMs : Math.min(waitMs, ROOM_WAIT_MS_MAX, untilDeadlineMs);
  return { status: run.status, patch: {}, events: [], owner: null, dueInMs };
}

/** What the next attempt is opened with. */
export interface Opening {
  step: Attempt['step'];
  /** The run as it was when this was decided: an attempt that is open in it is known to have begun nothing, or may be repeated. */
  from: Run;
  /** When this was decided, which is what its own write is known by. */
  at: number;
  /** Where it goes, as far as that is elsewhere. */
  patch?: RunPatch;
  slot?: StartSlot;
  /** What became of the attempt before it. */
  error?: ErrorBody;
  /** The attempt before may have begun a run, which this one cannot double. */
  repeats?: boolean;
}

/** Write first: the attempt is on disk as `open` before a byte of it leaves. Null: a command was faster. */
export function openAttempt(
  parts: Pick<AttemptWriter, 'owner'>,
  run: Run,
  { step, from, at, patch, slot, error, repeats }: Opening,
): Change | null {
  const isOpened = isAsOpened(run, from, at);
  if (!isOurs(parts, run) || !(isOpened || isAsSent(run, from))) return null;
  const before = isOpened ? run.attempts.slice(0, -1) : closeAttempt(run, repeats ? 'began' : 'not_begun', error);
  const target = { ...run, ...patch };
  const { origin } = new URL(target.baseUrl);
  const attempt = newAttempt({ ...target, origin, number: before.length + 1 }, step, at);
  return {
    status: 'running',
    patch: {
      ...patch,
      attempts: [...before, attempt],
      startedAt: run.startedAt ?? at,
      care: { step: 'start' },
    },
    events: run.status === 'queued' ? [{ type: 'run.started', at, data: {} }] : [],
    owner: parts.owner,
    dueInMs: null,
    ...(slot?.counted && !isOpened ? { countedStart: slot.counted } : {}),
  };
}

/** The start that the row's open attempt stands for began nothing. Null: a command was faster. */
export function closeProven(
  parts: AttemptWriter,
  run: Run,
  { sent, error }: { sent: Run; error: ErrorBody },
): Change | null {
  if (!isOurs(parts, run) || !isAsSent(run, sent)) return null;
  const attempts = closeAttempt(run, 'not_begun', error);
  return { status: run.status, patch: { attempts }, events: [], owner: parts.owner, dueInMs: null };
}

function isOurs({ owner }: Pick<AttemptWriter, 'owner'>, run: Run): boolean {
  return run.status !== 'cancelling' && run.owner === owner;
}

/** No attempt was opened since, and the vendor has not named the run. */
function isAsSent(run: Run, sent: Run): boolean {
  return run.attempts.length === sent.attempts.length && run.upstream.runId === null;
}

/** This very attempt was opened, and the answer to its write was lost: nothing leaves before that answer. */
function isAsOpened(run: Run, from: Run, at: number): boolean {
  const last = run.attempts.at(-1);
  return run.attempts.length === from.attempts.length + 1 && last?.state === 'open' && last.at === at;
}

/** The vendor's id, as soon as a stream has told it: should the stream break, the run can be polled. */
export function nameRun({ owner }: AttemptWriter, run: Run, runId: string): Change | null {
  if (run.owner !== owner || run.upstream.runId !== null) return null;
  return {
    status: run.status,
    patch: { accepted: true, upstream: { ...run.upstream, runId }, attempts: closeAttempt(run, 'began') },
    events: [],
    owner,
    dueInMs: null,
  };
}
