import { errorBodyOf, GatewayError, type ErrorBody } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { Log } from '../core/log.ts';
import { OutboundError, type OutboundAnswer, type OutboundStream } from '../core/outbound.ts';
import { Secret, type SealedCredential } from '../core/secret.ts';
import type { AnyProviderKind, StreamOperation } from '../providers/define-provider.ts';
import { running } from '../providers/outcome.ts';
import {
  rateLimitHeaders,
  rateLimitSeen,
  readAnswer,
  refusedStartError,
  vendorError,
  type Reading,
} from './answers.ts';
import { failedOnce, logFailure, logUnreadable, type AbortReason, type OnceResult } from './call-once.ts';
import type { OpenFlight } from './flights.ts';
import type { Run } from './model.ts';
import type { OutputLogs } from './output-logs.ts';
import { readStream } from './read-stream.ts';
import type { VendorCalls } from './vendor-calls.ts';

const WRONG_SHAPE: Reading = { is: 'unreadable', reason: 'wrong_shape' };

/**
 * A start whose answer is a stream, in one or two steps.
 *
 *   token step (where the kind has one) -> the streamed start, an attempt of its own -> frames -> the end
 *
 * The token begins nothing, so whatever goes wrong before the second step proves that no run exists. From then on it is
 * a start like any other: its head decides whether it was refused, and a stream that breaks is asked about by a poll
 * where the vendor has named its run, else it is unknown what became of it.
 */
export interface StreamOnceParts {
  calls: VendorCalls;
  outputLogs: OutputLogs;
  heartbeatIsYoung: () => boolean;
  log: Log;
  now: () => number;
  /** Writes the next attempt before it is sent; null: a command was faster, or the store gave up. */
  openNextAttempt(run: Run): Promise<Run | null>;
  /** Writes the vendor's id as soon as it is known. */
  named(run: Run, runId: string): Promise<void>;
}

interface StreamedCall {
  run: Run;
  kind: AnyProviderKind;
  inputs: JsonObject;
  credential: SealedCredential;
}

/** Makes the calls and says how they ended; rejects only where we have made a mistake. */
export async function streamOnce(parts: StreamOnceParts, call: StreamedCall, flight: OpenFlight): Promise<OnceResult> {
  const { kind, run } = call;
  const operation = kind.startStream as StreamOperation<unknown> | undefined;
  if (!operation) throw new Error(`${kind.kind} has no stream`);
  if (!parts.heartbeatIsYoung()) return { is: 'held_back' };
  if (!operation.token) return startStream(parts, { ...call, operation, token: null }, flight);
  const token = await takeToken(parts, { ...call, operation }, flight);
  if (!(token instanceof Secret)) return token;
  const next = await parts.openNextAttempt(run);
  // A command was faster, or the store gave up: nothing was sent, and the row says what is next.
  if (next === null) return flight.signal.aborted ? aborted(flight, false) : { is: 'held_back' };
  if (!parts.heartbeatIsYoung()) return { is: 'held_back' };
  return startStream(parts, { ...call, run: next, operation, token }, flight);
}

/** The token, or how its step ended: in each case nothing has begun. */
async function takeToken(
  { calls, log, now }: StreamOnceParts,
  { run, kind, inputs, credential, operation }: StreamedCall & { operation: StreamOperation<unknown> },
  flight: OpenFlight,
): Promise<Secret | OnceResult> {
  const { signal } = flight;
  const notSent = (error: ErrorBody): OnceResult => ({ is: 'not_sent', error });
  try {
    flight.asks();
    const answer = await calls.token(run, inputs, credential, signal);
    flight.heard();
    if (answer.status < 200 || answer.status > 299)
      return notSent(refusedStartError(kind, run.provider, answer, now()));
    const token = readToken(operation, answer);
    if (token === null) logUnreadable(log, run, { operation: 'token', answer, reading: WRONG_SHAPE });
    return token ?? notSent(vendorError('upstream_invalid_response', kind, run.provider, answer));
  } catch (cause) {
    flight.heard();
    if (signal.aborted) return aborted(flight, false);
    logFailure(log, run, { operation: 'token', cause });
    if (cause instanceof GatewayError) return notSent(errorBodyOf(cause, { provider: run.provider }));
    if (!(cause instanceof OutboundError)) throw cause;
    const late = cause.failure === 'headers_timeout';
    return notSent(vendorError(late ? 'upstream_timeout' : 'upstream_unreachable', kind, run.provider));
  }
}

function readToken(operation: StreamOperation<unknown>, { status, headers, body }: OutboundAnswer): Secret | null {
  if (body.kind !== 'json') return null;
  try {
    const token = operation.token?.read({ status, headers, body: body.value });
    return token === undefined ? null : new Secret(token);
  } catch {
    return null;
  }
}

async function startStream(
  parts: StreamOnceParts,
  call: StreamedCall & { operation: StreamOperation<unknown>; token: Secret | null },
  flight: OpenFlight,
): Promise<OnceResult> {
  const { run, kind, operation } = call;
  const { signal } = flight;
  try {
    flight.asks();
    const opened = await parts.calls.startStream(run, call, signal);
    if (opened.is === 'stream') return await readStart(parts, { run, kind, operation, stream: opened.stream }, flight);
    const { answer } = opened;
    flight.vendorHeaders = rateLimitHeaders(answer);
    // A refused handshake came before the message that would have begun the run.
    if (operation.via === 'websocket') {
      return { is: 'not_sent', error: refusedStartError(kind, run.provider, answer, parts.now()) };
    }
    const reading = readAnswer(kind.start, answer);
    logUnreadable(parts.log, run, { operation: 'startStream', answer, reading });
    if (reading.is === 'broken' && signal.aborted) return aborted(flight, true);
    const rateLimit = rateLimitSeen(kind, answer, parts.now());
    return { is: 'answered', answer, reading, rateLimit, byToken: call.token !== null };
  } catch (cause) {
    if (!signal.aborted) logFailure(parts.log, run, { operation: 'startStream', cause });
    return failedOnce(kind, run, { cause, signal });
  } finally {
    flight.heard();
  }
}

/** The stream is the start's answer, so how it ends is the answer's reading. */
async function readStart(
  parts: StreamOnceParts,
  {
    run,
    kind,
    operation,
    stream,
  }: Omit<StreamedCall, 'inputs' | 'credential'> & {
    operation: StreamOperation<unknown>;
    stream: OutboundStream;
  },
  flight: OpenFlight,
): Promise<OnceResult> {
  const { status, headers } = stream;
  const answer: OutboundAnswer = { status, headers, body: { kind: 'empty' }, durationMs: 0 };
  flight.vendorHeaders = rateLimitHeaders(answer);
  const rateLimit = rateLimitSeen(kind, answer, parts.now());
  let runId: string | null = null;
  const listener = {
    async named(id: string) {
      if (runId !== null) return;
      runId = id;
      await parts.named(run, id);
    },
    // A poll beside the stream would race with it: it takes the stream's place, where it can tell anything.
    ask: async () => runId === null || kind.poll === undefined,
  };
  const log = parts.outputLogs.open(run);
  const reader = operation.open({ headers });
  const end = await readStream(stream, reader, { log, listener, signal: flight.signal });
  switch (end.is) {
    case 'outcome':
      return { is: 'answered', answer, rateLimit, reading: { is: 'outcome', outcome: end.outcome } };
    case 'silent':
      // Nobody but the vendor's own record can tell, and only where it has one.
      if (runId !== null)
        return { is: 'answered', answer, rateLimit, reading: { is: 'outcome', outcome: running({ runId }) } };
      return { is: 'unknown', cause: 'outcome_unknown' };
    case 'unreadable':
      if (runId !== null)
        return { is: 'answered', answer, rateLimit, reading: { is: 'outcome', outcome: running({ runId }) } };
      return { is: 'answered', answer, rateLimit, reading: unreadable(parts.log, run, answer) };
    case 'asked':
    case 'stale':
      return flight.signal.aborted ? aborted(flight, true) : { is: 'left', rateLimit };
    case 'broken':
      return { is: 'unknown', cause: 'outcome_unknown' };
  }
}

function unreadable(log: Log, run: Run, answer: OutboundAnswer): Reading {
  logUnreadable(log, run, { operation: 'startStream', answer, reading: WRONG_SHAPE });
  return WRONG_SHAPE;
}

function aborted({ signal }: OpenFlight, sent: boolean): OnceResult {
  return { is: 'aborted', reason: signal.reason as AbortReason, sent };
}
