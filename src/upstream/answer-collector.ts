import { errors } from 'undici';
import type { Clock } from '../core/clock.ts';
import { OutboundError, type AnswerBody, type OutboundAnswer } from '../core/outbound.ts';
import type { Call } from './call.ts';
import { decodeBody } from './decode-body.ts';
import { GatheredBytes } from './gathered-bytes.ts';
import { AnswerTooLarge } from './interceptors/answer-size-cap.ts';
import { CredentialNotOpened } from './interceptors/credential.ts';
import type { AnswerHandler, Controller, ResponseHeaders } from './interceptors/interceptor.ts';

interface Settle {
  resolve(answer: OutboundAnswer): void;
  reject(error: unknown): void;
}

/** The caller's end of the chain: gathers head and body, and settles the call exactly once. */
export class AnswerCollector implements AnswerHandler {
  readonly #call: Call;
  readonly #clock: Clock;
  readonly #settle: Settle;
  readonly #startedAt: number;
  #status = 0;
  #headers: Record<string, string> = {};
  readonly #body = new GatheredBytes();

  constructor(call: Call, clock: Clock, settle: Settle) {
    this.#call = call;
    this.#clock = clock;
    this.#settle = settle;
    this.#startedAt = clock.monotonic();
    call.collector = this;
  }

  onRequestStart(): void {}

  onResponseStart(_controller: Controller, status: number, headers: ResponseHeaders): void {
    this.#status = status;
    this.#headers = headers as Record<string, string>;
  }

  onResponseData(_controller: Controller, chunk: Buffer): void {
    this.#body.add(chunk);
  }

  onResponseEnd(): void {
    this.#answer(decodeBody(this.#body.take(), this.#call));
  }

  onResponseError(_controller: Controller | null, error: Error): void {
    if (this.#call.over) return;
    if (this.#status === 0 || error instanceof OutboundError) {
      this.#call.end();
      this.#settle.reject(toRejection(error, this.#call.sent));
    } else if (error instanceof AnswerTooLarge) this.#answer({ kind: 'too_large' });
    else this.#answer({ kind: 'broken', cause: restate(error) });
  }

  #answer(body: AnswerBody): void {
    if (this.#call.over) return;
    this.#call.end();
    const durationMs = this.#clock.monotonic() - this.#startedAt;
    this.#settle.resolve({ status: this.#status, headers: this.#headers, body, durationMs });
  }
}

/** What the caller gets where no answer came. */
export function toRejection(error: Error, sent: boolean): unknown {
  if (error instanceof OutboundError) return error;
  if (error instanceof CredentialNotOpened) return error.cause;
  if (!sent && isUnwritable(error)) return new OutboundError('invalid_request', { sent, cause: restate(error) });
  return new OutboundError(sent ? 'reset' : 'connect', { sent, cause: restate(error) });
}

function isUnwritable(error: Error): boolean {
  return (
    error instanceof errors.InvalidArgumentError ||
    error instanceof errors.NotSupportedError ||
    error instanceof errors.RequestContentLengthMismatchError
  );
}

/** Name, code and message alone: undici's errors also carry the vendor's bytes, which may echo a credential. */
export function restate(error: Error): Error {
  const plain = new Error(error.message);
  plain.name = error.name;
  return 'code' in error && typeof error.code === 'string' ? Object.assign(plain, { code: error.code }) : plain;
}
