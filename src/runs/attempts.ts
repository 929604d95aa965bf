import { BusyMap } from '../core/busy-map.ts';
import type { Clock } from '../core/clock.ts';
import { errorBodyOf, GatewayError } from '../core/errors.ts';
import type { Owner, RunId } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import type { Log } from '../core/log.ts';
import { OutboundError } from '../core/outbound.ts';
import type { Random } from '../core/random.ts';
import type { SealedCredential } from '../core/secret.ts';
import type { AnyProviderKind, Operation } from '../providers/define-provider.ts';
import { afterStart, type AbortReason, type StartResult } from './after-start.ts';
import { rateLimitHeaders, readAnswer, vendorError } from './answers.ts';
import { end } from './changes.ts';
import type { Attempt, Run } from './model.ts';
import type { Mover } from './mover.ts';
import type { Place, Places } from './places.ts';
import type { Change, RunStore } from './ports.ts';
import type { VendorCalls } from './vendor-calls.ts';

/**
 * The one loop that sends starts.
 *
 * An attempt is `open` in the row before its first byte leaves. It closes as `began` (the vendor has the
 * run, or may have) or `not_begun` (proof of the opposite: no byte left, or the vendor documents its
 * refusal). Only a `not_begun` attempt may be followed by another.
 *
 * A start in flight is a flight: it is known here until its result is on disk. It ends by the vendor's
 * answer, by a broken connection, or by one of three aborts: the deadline, a cancel, the drain.
 */
export interface Attempts {
  /** Sends the start of a run that was written as `running`, with its attempt open, a moment ago. */
  send(run: Run, inputs: JsonObject, credential: SealedCredential, place: Place): Flight;
  /**
   * Starts a claimed run that has not begun: `queued`, or `running` with a last attempt that is `not_begun`.
   * Where every place is taken, the run is given back for a while.
   */
  begin(run: Run): Promise<void>;
  has(id: RunId): boolean;
  /** The start of this run is in flight, and the vendor has not spoken yet. */
  isUnanswered(id: RunId): boolean;
  ids(): RunId[];
  abort(id: RunId, reason: AbortReason): void;
  /** Aborts what has run past its deadline. */
  sweep(): void;
  /** Resolves once nothing is in flight. */
  idle(): Promise<void>;
}

/** What the caller of a start may see of it while it flies. */
export interface Flight {
  readonly vendorHeaders: Readonly<Record<string, string>>;
  readonly upstreamMs: number;
}

interface OpenFlight {
  vendorHeaders: Record<string, string>;
  upstreamMs: number;
  /** The vendor has spoken; only the result has yet to be written. */
  answered: boolean;
  readonly deadlineAt: number;
  readonly controller: AbortController;
}

/** How often a run in the queue looks for a place. */
const PLACE_WAIT_MS = 500;

export interface AttemptsParts {
  store: RunStore;
  mover: Mover;
  calls: VendorCalls;
  kindOf: (run: Run) => AnyProviderKind;
  clock: Clock;
  random: Random;
  log: Log;
  owner: Owner;
  places: Places;
  /** Whether the last confirmed heartbeat is young enough to send a start. */
  heartbeatIsYoung: () => boolean;
  /** Aborted when the process gives up writing. */
  stopped: AbortSignal;
}

export function createAttempts(parts: AttemptsParts): Attempts {
  const { clock, mover, log } = parts;
  const flights = new BusyMap<RunId, OpenFlight>();
  const idleWaiters = new Set<() => void>();

  function send(run: Run, inputs: JsonObject, credential: SealedCredential, place: Place): OpenFlight {
    const flight: OpenFlight = {
      vendorHeaders: {},
      upstreamMs: 0,
      answered: false,
      deadlineAt: run.deadlineAt,
      controller: new AbortController(),
    };
    flights.set(run.id, flight);
    void fly(run, flight, callStart(parts, run, { inputs, credential, flight })).finally(() => place.free());
    return flight;
  }

  /** Never rejects: a fault of our own still ends the run, as one whose fate is not known. */
  async function fly(run: Run, flight: OpenFlight, call: Promise<StartResult>): Promise<void> {
    try {
      const result = await call;
      await mover.settle(run, (latest) => afterStart(parts, latest, result), parts.stopped);
    } catch (cause) {
      log.error({ cause, run_id: run.id }, 'start could not be carried out');
      await mover
        .settle(run, (latest) => afterStart(parts, latest, { is: 'unknown', cause: 'outcome_unknown' }), parts.stopped)
        .catch((again: unknown) => log.error({ cause: again, run_id: run.id }, 'run could not be ended'));
    } finally {
      if (flights.get(run.id) === flight) flights.delete(run.id);
      if (flights.size === 0) {
        for (const resolve of idleWaiters) resolve();
        idleWaiters.clear();
      }
    }
  }

  async function begin(run: Run): Promise<void> {
    const place = parts.places.take();
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
    const started = await mover.settle(run, (latest) => openAttempt(parts, latest, run.version), parts.stopped);
    if (started) send(started, payloads.inputs, credential, place);
    return started !== null;
  }

  return {
    send,
    begin,
    has: (id) => flights.has(id),
    isUnanswered: (id) => flights.get(id)?.answered === false,
    ids: () => flights.keys(),
    abort(id, reason) {
      const flight = flights.get(id);
      if (flight && !flight.answered) flight.controller.abort(reason);
    },
    sweep() {
      const now = clock.now();
      for (const flight of flights.values()) {
        if (flight.deadlineAt <= now) flight.controller.abort('deadline' satisfies AbortReason);
      }
    },
    idle: () => (flights.size === 0 ? Promise.resolve() : new Promise((resolve) => idleWaiters.add(resolve))),
  };
}

/** The attempt of a run that is sent at once, as `create` writes it. */
export function firstAttempt(
  run: Pick<Run, 'provider' | 'kind' | 'baseUrl' | 'credentialId' | 'upstreamWorkflow'>,
  at: number,
): Attempt {
  return {
    number: 1,
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
function openAttempt({ clock, owner }: AttemptsParts, run: Run, version: number): Change | null {
  const last = run.attempts.at(-1);
  const startable = run.status === 'queued' || (run.status === 'running' && last?.state === 'not_begun');
  if (!startable || run.version !== version) return null;
  const at = clock.now();
  const attempt: Attempt = { ...firstAttempt(run, at), number: run.attempts.length + 1 };
  return {
    status: 'running',
    patch: { attempts: [...run.attempts, attempt], startedAt: run.startedAt ?? at, care: { step: 'start' } },
    events: run.status === 'queued' ? [{ type: 'run.started', at, data: {} }] : [],
    owner,
    dueInMs: null,
  };
}

async function callStart(
  parts: AttemptsParts,
  run: Run,
  { inputs, credential, flight }: { inputs: JsonObject; credential: SealedCredential; flight: OpenFlight },
): Promise<StartResult> {
  const kind = parts.kindOf(run);
  const { signal } = flight.controller;
  const begunAt = parts.clock.monotonic();
  try {
    if (!parts.heartbeatIsYoung()) return { is: 'held_back' };
    const answer = await parts.calls.start(run, inputs, credential, signal);
    flight.vendorHeaders = rateLimitHeaders(answer);
    const reading = await readAnswer(kind.start as Operation<never>, answer);
    if (reading.is === 'broken' && signal.aborted)
      return { is: 'aborted', reason: signal.reason as AbortReason, sent: true };
    return { is: 'answered', answer, reading };
  } catch (cause) {
    if (!signal.aborted) logFailure(parts.log, run, { operation: 'start', cause });
    return failedStart(kind, run, cause, signal);
  } finally {
    flight.answered = true;
    flight.upstreamMs = parts.clock.monotonic() - begunAt;
  }
}

/** What the network, the guard or the vault had to say is for the operator; callers get the catalogue's words. */
export function logFailure(log: Log, run: Run, { operation, cause }: { operation: string; cause: unknown }): void {
  const { failure = null, sent = false } = cause instanceof OutboundError ? cause : {};
  log.warn({ run_id: run.id, provider: run.provider, operation, failure, sent, cause }, 'a call to the vendor failed');
}

function failedStart(kind: AnyProviderKind, run: Run, cause: unknown, signal: AbortSignal): StartResult {
  if (cause instanceof GatewayError) return { is: 'not_sent', error: errorBodyOf(cause, { provider: run.provider }) };
  if (!(cause instanceof OutboundError)) throw cause;
  if (signal.aborted) return { is: 'aborted', reason: signal.reason as AbortReason, sent: cause.sent };
  if (cause.sent)
    return { is: 'unknown', cause: cause.failure === 'headers_timeout' ? 'upstream_timeout' : 'outcome_unknown' };
  const plain = vendorError('upstream_unreachable', kind, run.provider);
  if (cause.failure !== 'forbidden_address') return { is: 'not_sent', error: plain };
  const message = `The address of ${run.provider} is private; the operator allows it with allow_private_network.`;
  return { is: 'not_sent', error: { ...plain, message } };
}
