import type { Clock } from '../core/clock.ts';
import { errorBodyOf, GatewayError } from '../core/errors.ts';
import type { Owner } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import type { Log } from '../core/log.ts';
import type { Random } from '../core/random.ts';
import type { SealedCredential } from '../core/secret.ts';
import type { AnyProviderKind } from '../providers/define-provider.ts';
import { afterStart } from './after-start.ts';
import { callOnce } from './call-once.ts';
import { end } from './changes.ts';
import type { Flight, Flights } from './flights.ts';
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
 */
export interface Attempts {
  /** Sends the start of a run that was written as `running`, with its attempt open, a moment ago. */
  send(run: Run, inputs: JsonObject, credential: SealedCredential, place: Place): Flight;
  /**
   * Starts a claimed run that has not begun: `queued`, or `running` with a last attempt that is `not_begun`.
   * Where every place is taken, the run is given back for a while.
   */
  begin(run: Run): Promise<void>;
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
  /** Aborted when the process gives up writing. */
  stopped: AbortSignal;
}

export function createAttempts(parts: AttemptsParts): Attempts {
  const { clock, mover } = parts;

  function send(run: Run, inputs: JsonObject, credential: SealedCredential, place: Place): Flight {
    const kind = parts.kindOf(run);
    const { flight, landed } = parts.flights.launch(
      run,
      async (open) => {
        const result = await callOnce(parts, { run, kind, operation: 'start' }, open, (signal) =>
          parts.calls.start(run, inputs, credential, signal),
        );
        return (latest) => afterStart(parts, latest, result);
      },
      (latest) => afterStart(parts, latest, { is: 'unknown', cause: 'outcome_unknown' }),
    );
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
    const started = await mover.settle(run, (latest) => openAttempt(parts, latest, run.version), parts.stopped);
    if (started) send(started, payloads.inputs, credential, place);
    return started !== null;
  }

  return { send, begin };
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
