import type { Clock } from '../core/clock.ts';
import { errorBodyOf, GatewayError } from '../core/errors.ts';
import type { Owner, RunId } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import type { Log } from '../core/log.ts';
import type { Random } from '../core/random.ts';
import type { SealedCredential } from '../core/secret.ts';
import type { AnyProviderKind } from '../providers/define-provider.ts';
import { afterStart } from './after-start.ts';
import { callOnce, type OnceResult } from './call-once.ts';
import { closeAttempt, end } from './changes.ts';
import type { Flight, Flights } from './flights.ts';
import { hasNotBegun } from './has-not-begun.ts';
import { hasEnded, type Attempt, type Run } from './model.ts';
import type { Mover } from './mover.ts';
import type { OutputLogs } from './output-logs.ts';
import type { Place, Places } from './places.ts';
import type { Change, RunStore } from './ports.ts';
import { streamOnce, type StreamOnceParts } from './stream-once.ts';
import type { VendorCalls } from './vendor-calls.ts';

/**
 * The one loop that sends starts.
 *
 * A start is one call, or, where somebody listens and the vendor streams, one whose answer is a stream, before which
 * some vendors want a token fetched: that is an attempt of its own, which begins nothing.
 *
 * An attempt is `open` in the row before its first byte leaves. It closes as `began` (the vendor has the
 * run, or may have) or `not_begun` (proof of the opposite: no byte left, or the vendor documents its
 * refusal). Only a `not_begun` attempt may be followed by another.
 */
export interface Attempts {
  /** Sends the start of a run that was written as `running`, with its attempt open, a moment ago: as a stream where `listening`. */
  send(run: Run, start: StartToSend, place: Place): Flight;
  /**
   * Starts a claimed run that has not begun: `queued`, or `running` with a last attempt that is `not_begun`.
   * Where every place is taken, the run is given back for a while.
   */
  begin(run: Run): Promise<void>;
}

export interface StartToSend {
  inputs: JsonObject;
  credential: SealedCredential;
  /** Somebody reads the run's events as they come. */
  listening: boolean;
}

/** How often a run that lost the race for a place looks again. */
const PLACE_WAIT_MS = 500;

export interface AttemptsParts {
  store: RunStore;
  mover: Mover;
  flights: Flights;
  calls: VendorCalls;
  kindOf: (run: Run) => AnyProviderKind;
  clock: Clock;
  random: Random;
  log: Log;
  owner: Owner;
  places: Places;
  /** Whether the last confirmed heartbeat is young enough to send a start. */
  heartbeatIsYoung: () => boolean;
  draining: () => boolean;
  outputLogs: OutputLogs;
  /** Whether somebody reads the run's events as they come. */
  isFollowed: (id: RunId) => boolean;
  /** Aborted when the process gives up writing. */
  stopped: AbortSignal;
}

export function createAttempts(parts: AttemptsParts): Attempts {
  const { clock, mover } = parts;

  const streaming: StreamOnceParts = {
    ...parts,
    now: () => clock.now(),
    openNextAttempt: (run) => mover.settle(run, (latest) => openAttempt(parts, latest, 'start'), parts.stopped),
    async named(run, runId) {
      await mover.settle(run, (latest) => nameRun(parts, latest, runId), parts.stopped);
    },
  };

  function send(run: Run, { inputs, credential, listening }: StartToSend, place: Place): Flight {
    const kind = parts.kindOf(run);
    // As this start has last written it; a stream may open a second attempt.
    let sent = run;
    const openNextAttempt = async (latest: Run) => {
      const next = await streaming.openNextAttempt(latest);
      if (next) sent = next;
      return next;
    };
    const { flight, landed } = parts.flights.launch(run, {
      operation: 'start',
      call: async (open) => {
        const result = isStreamed(kind, run.options, listening)
          ? await streamOnce({ ...streaming, openNextAttempt }, { run, kind, inputs, credential }, open)
          : await callOnce(parts, { run, kind, operation: 'start' }, open, (signal) =>
              parts.calls.start(run, inputs, credential, signal),
            );
        return (latest) => afterLanding(parts, { sent, latest }, result);
      },
      fault: (latest) => afterLanding(parts, { sent, latest }, { is: 'unknown', cause: 'outcome_unknown' }),
    });
    void landed.then(() => place.free());
    return flight;
  }

  async function begin(run: Run): Promise<void> {
    // A drain leaves what is queued as it is.
    const place = parts.draining() ? null : parts.places.take();
    if (place === null) {
      await mover.settle(run, (latest) => giveBack(parts, latest), parts.stopped);
      return;
    }
    let sent = false;
    try {
      sent = await beginAt(run, place);
    } finally {
      if (!sent) place.free();
    }
  }

  /** False: nothing was sent. */
  async function beginAt(run: Run, place: Place): Promise<boolean> {
    const credential = await parts.calls.credentialOf(run).catch((cause: unknown) => {
      // A store that is down is no answer about the credential: the run is tried again later.
      const answered = cause instanceof GatewayError && cause.code !== 'internal' && cause.code !== 'store_unavailable';
      if (answered) return cause;
      throw cause;
    });
    if (credential instanceof GatewayError) {
      const error = errorBodyOf(credential, { provider: run.provider });
      await mover.settle(run, (latest) => end(latest, 'failed', { error, notBegun: true }, clock.now()), parts.stopped);
      return false;
    }
    const payloads = await parts.store.get(run.id);
    if (!payloads) return false;
    const listening = parts.isFollowed(run.id);
    const step = firstStep(parts.kindOf(run), run.options, listening);
    const started = await mover.settle(
      run,
      (latest) => (latest.version === run.version ? openAttempt(parts, latest, step) : null),
      parts.stopped,
    );
    if (started) send(started, { inputs: payloads.inputs, credential, listening }, place);
    return started !== null;
  }

  return { send, begin };
}

/** What is sent first: of a streamed start, the vendor may want a token fetched before it. */
export function firstStep(kind: AnyProviderKind, options: JsonObject, listening: boolean): Attempt['step'] {
  return isStreamed(kind, options, listening) && kind.startStream?.token ? 'token' : 'start';
}

/** A stream is opened where somebody listens, and where the kind has one for such a run. */
function isStreamed({ startStream }: AnyProviderKind, options: JsonObject, listening: boolean): boolean {
  return listening && startStream !== undefined && (startStream.suits?.({ options }) ?? true);
}

/**
 * Where the answer to the write was lost, it is decided again, on a row that may have moved on: then a command's
 * wish, or a later attempt, stands in it, and only what the vendor says of the run's end is news to it.
 */
function afterLanding(
  parts: AttemptsParts,
  { sent, latest }: { sent: Run; latest: Run },
  result: OnceResult,
): Change | null {
  const change = afterStart(parts, latest, result);
  const { step } = latest.care;
  // A row from before the second attempt is only out of date: it is decided again on the newest one.
  const isOurs = (step === 'start' || step === 'lookup') && latest.attempts.length <= sent.attempts.length;
  return isOurs || (result.is === 'answered' && hasEnded(change)) ? change : null;
}

/** The attempt of a run that is sent at once, as `create` writes it. */
export function firstAttempt(
  run: Pick<Run, 'provider' | 'kind' | 'baseUrl' | 'credentialId' | 'upstreamWorkflow'>,
  step: Attempt['step'],
  at: number,
): Attempt {
  return {
    number: 1,
    step,
    provider: run.provider,
    kind: run.kind,
    origin: new URL(run.baseUrl).origin,
    credentialId: run.credentialId,
    workflow: run.upstreamWorkflow,
    at,
    state: 'open',
    errorCode: null,
  };
}

/** There is no room: somebody looks again later, or the deadline comes first. Null: a command was faster. */
function giveBack({ clock, owner }: AttemptsParts, run: Run): Change | null {
  if (run.owner !== owner) return null;
  const untilDeadlineMs = Math.max(0, run.deadlineAt - clock.now());
  const dueInMs = run.status === 'queued' ? untilDeadlineMs : Math.min(PLACE_WAIT_MS, untilDeadlineMs);
  return { status: run.status, patch: {}, events: [], owner: null, dueInMs };
}

/** Write first: the attempt is on disk as `open` before a byte of it leaves. Null: a command was faster. */
function openAttempt({ clock, owner }: AttemptsParts, run: Run, step: Attempt['step']): Change | null {
  if (run.status === 'cancelling' || run.owner !== owner || !hasNotBegun(run)) return null;
  const at = clock.now();
  const attempt: Attempt = { ...firstAttempt(run, step, at), number: run.attempts.length + 1 };
  return {
    status: 'running',
    patch: {
      attempts: [...closeAttempt(run, 'not_begun'), attempt],
      startedAt: run.startedAt ?? at,
      care: { step: 'start' },
    },
    events: run.status === 'queued' ? [{ type: 'run.started', at, data: {} }] : [],
    owner,
    dueInMs: null,
  };
}

/** The vendor's id, as soon as a stream has told it: should the stream break, the run can be polled. */
function nameRun({ owner }: AttemptsParts, run: Run, runId: string): Change | null {
  if (run.owner !== owner || run.upstream.runId !== null) return null;
  return {
    status: run.status,
    patch: { accepted: true, upstream: { ...run.upstream, runId }, attempts: closeAttempt(run, 'began') },
    events: [],
    owner,
    dueInMs: null,
  };
}
