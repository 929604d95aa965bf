import type { Clock } from '../core/clock.ts';
import type { ErrorBody } from '../core/errors.ts';
import type { Owner, RunId } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import type { Log } from '../core/log.ts';
import type { Random } from '../core/random.ts';
import type { SealedCredential } from '../core/secret.ts';
import type { AnyProviderKind } from '../providers/define-provider.ts';
import { afterStart } from './after-start.ts';
import { callOnce, type OnceResult } from './call-once.ts';
import { end } from './changes.ts';
import type { Flight, Flights, OpenFlight } from './flights.ts';
import { lessonOf } from './lessons.ts';
import { hasEnded, type Attempt, type Run } from './model.ts';
import type { Decide, Mover } from './mover.ts';
import type { NextStarts } from './next-start.ts';
import { closeProven, giveBack, nameRun, openAttempt, type Opening } from './open-attempt.ts';
import type { OutputLogs } from './output-logs.ts';
import type { Place, Places } from './places.ts';
import type { Change, RunStore } from './ports.ts';
import { streamOnce, type StreamOnceParts } from './stream-once.ts';
import type { StartSlot } from './start-slot.ts';
import type { NextStart } from './take-start.ts';
import type { VendorCalls } from './vendor-calls.ts';

/**
 * The one loop that sends starts.
 *
 * A start is one call, or, where somebody listens and the vendor streams, one whose answer is a stream, before which
 * some vendors want a token fetched: that is an attempt of its own, which begins nothing.
 *
 * An attempt is `open` in the row before its first byte leaves. It closes as `began` (the vendor has the
 * run, or may have) or `not_begun` (proof of the opposite: no byte left, or the vendor documents its
 * refusal). Only a `not_begun` attempt may be followed by another, unless the vendor documents that a repeated
 * start begins nothing. Where the next one goes, if anywhere, is decided in `next-start.ts`.
 */
export interface Attempts {
  /** Sends the start of a run that was written as `running`, with its attempt open, a moment ago: as a stream where `listening`. */
  send(run: Run, start: StartToSend, place: Place): Flight;
  /**
   * Starts a claimed run that has not begun: `queued`, or `running` with a last attempt that is `not_begun`.
   * Where there is no room for it, the run is given back for a while.
   */
  begin(run: Run): Promise<void>;
}

export interface StartToSend {
  inputs: JsonObject;
  credential: SealedCredential;
  /** Somebody reads the run's events as they come. */
  listening: boolean;
  slot: StartSlot;
}

/** How often a run that lost the race for a place looks again. */
const PLACE_WAIT_MS = 500;

export interface AttemptsParts {
  store: RunStore;
  mover: Mover;
  flights: Flights;
  calls: VendorCalls;
  nextStarts: NextStarts;
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

/** A start on its way: the run as it was last written for it, and what it leaves with. */
interface Leaving extends StartToSend {
  run: Run;
}

export function createAttempts(parts: AttemptsParts): Attempts {
  const { clock, mover, nextStarts, log } = parts;

  const settle = (run: Run, decide: Decide) => mover.settle(run, decide, parts.stopped);

  function send(run: Run, start: StartToSend, place: Place): Flight {
    // As this start has last written it; a stream or a next attempt writes it again.
    const leaving: Leaving = { ...start, run };
    return parts.flights.launch<OnceResult>(run, {
      operation: 'start',
      call: (open) => sendUntilItBegins(leaving, open),
      land: (latest, result) => afterLanding(parts, { sent: leaving.run, latest }, result),
      fault: (latest) => {
        leaving.slot.drop();
        return afterLanding(parts, { sent: leaving.run, latest }, { is: 'unknown', cause: 'outcome_unknown' });
      },
      landed: () => place.free(),
    });
  }

  /** Sends the start, and where it provably began nothing, the next one. */
  async function sendUntilItBegins(leaving: Leaving, open: OpenFlight): Promise<OnceResult> {
    for (;;) {
      const result = await sendOnce(leaving, open);
      const { run, slot } = leaving;
      const kind = parts.kindOf(run);
      const lesson = lessonOf(kind, run, result, clock.now());
      if (lesson) slot.learn(lesson);
      else slot.drop();
      // Nearly every start is taken.
      if (!lesson?.error) return result;
      const failed = { kind, result, error: lesson.error };
      const next = await nextStarts.after(run, failed, { signal: open.signal, close }).catch((err: unknown) => {
        // What is known of this start must not be lost because the next one could not be looked for.
        log.warn({ err, run_id: run.id }, 'the next target of a start could not be chosen');
        return { is: 'end', result } as const;
      });
      if (next.is === 'end') return next.result;
      const sent = next.run ?? run;
      const written = await openNext(next, sent, leaving);
      if (written === null) {
        // A command was faster: what became of the last start is all there is to say.
        leaving.run = sent;
        return result;
      }
      Object.assign(leaving, { run: written, credential: next.credential, slot: next.slot });
    }
  }

  /** Writes the attempt that is sent next; null, with its place given back: a command was faster. */
  async function openNext(next: NextStart, from: Run, { listening }: { listening: boolean }): Promise<Run | null> {
    const { kind, options, patch, slot, error, repeats } = next;
    const step = firstStep(kind, options, listening);
    let written: Run | null = null;
    try {
      written = await writeAttempt(from, { step, patch, slot, repeats, ...(error ? { error } : {}) });
    } finally {
      if (written) slot.written();
      else slot.drop();
    }
    return written;
  }

  function writeAttempt(from: Run, opening: Omit<Opening, 'from' | 'at'>): Promise<Run | null> {
    const whole: Opening = { ...opening, from, at: clock.now() };
    return settle(from, (latest) => openAttempt(parts, latest, whole));
  }

  /** Proof that a start began nothing goes to disk before anything is waited for. */
  const close = (sent: Run, error: ErrorBody) => settle(sent, (latest) => closeProven(parts, latest, { sent, error }));

  function sendOnce(leaving: Leaving, open: OpenFlight): Promise<OnceResult> {
    const { run, inputs, credential, listening } = leaving;
    const kind = parts.kindOf(run);
    if (!isStreamed(kind, run.options, listening)) {
      return callOnce(parts, { run, kind, operation: 'start' }, open, (signal) =>
        parts.calls.start(run, inputs, credential, signal),
      );
    }
    const streaming: StreamOnceParts = {
      ...parts,
      now: () => clock.now(),
      async openNextAttempt(latest) {
        const next = await writeAttempt(latest, { step: 'start' });
        if (next) leaving.run = next;
        return next;
      },
      async named(latest, runId) {
        await settle(latest, (row) => nameRun(parts, row, runId));
      },
    };
    return streamOnce(streaming, { run, kind, inputs, credential }, open);
  }

  async function begin(run: Run): Promise<void> {
    // A drain leaves what is queued as it is.
    const place = parts.draining() ? null : parts.places.take();
    if (place === null) {
      await settle(run, (latest) => giveBack(parts, latest, PLACE_WAIT_MS));
      return;
    }
    let sent = false;
    try {
      sent = await beginAt(run, place);
    } finally {
      if (!sent) place.giveBack();
    }
  }

  /** False: nothing was sent. */
  async function beginAt(run: Run, place: Place): Promise<boolean> {
    const payloads = await parts.store.get(run.id);
    if (!payloads) return false;
    const listening = parts.isFollowed(run.id);
    const next = await nextStarts.first(run);
    switch (next.is) {
      case 'wait':
        await settle(run, (latest) => giveBack(parts, latest, next.waitMs));
        return false;
      case 'end': {
        const { error } = next;
        await settle(run, (latest) => end(latest, 'failed', { error, notBegun: true }, clock.now()));
        return false;
      }
      case 'go':
        break;
    }
    const leaving = { inputs: payloads.inputs, listening };
    const started = await openNext(next, run, leaving);
    if (!started) return false;
    send(started, { ...leaving, credential: next.credential, slot: next.slot }, place);
    return true;
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
