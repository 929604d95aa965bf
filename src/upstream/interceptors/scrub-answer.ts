import type { Log } from '../../core/log.ts';
import { OutboundError } from '../../core/outbound.ts';
import type { Call } from '../call.ts';
import { GatheredBytes } from '../gathered-bytes.ts';
import { scrubberOf, type Scrubber, type StreamScrubber } from '../scrubber.ts';
import {
  ForwardingHandler,
  type AnswerHandler,
  type Controller,
  type Interceptor,
  type ResponseHeaders,
} from './interceptor.ts';

/**
 * Replaces our credential, and what else was secret in the request, by `[secret]` wherever a vendor echoes it, in header
 * values and in the body; a header with such a name is left out. The body is gathered first, since an echo may lie across
 * two chunks; the size cap, nearer to the wire, bounds it. Of a stream only what could be the beginning of an echo is held
 * back. The scrubber is as secret as what it looks for, and lives no longer.
 */
export function scrubAnswer({ log }: { log: Log }): Interceptor {
  return (dispatch) => (call, handler) => {
    call.onMask = () => {
      const { provider, operation, runId } = call.request.about ?? {};
      log.warn(
        { provider, operation, run_id: runId },
        'an answer, or the rest of a stream, was replaced: to search it for the credential would have taken too long',
      );
      call.onMask = () => undefined;
    };
    return dispatch(call, new ScrubbingHandler(handler, call));
  };
}

class ScrubbingHandler extends ForwardingHandler {
  readonly #call: Call;
  #scrubber: Scrubber | null = null;
  #stream: StreamScrubber | null = null;
  readonly #body = new GatheredBytes();

  constructor(next: AnswerHandler, call: Call) {
    super(next);
    this.#call = call;
  }

  override onResponseStart(controller: Controller, status: number, headers: ResponseHeaders, text?: string): void {
    const scrubber = this.#made();
    const clean: ResponseHeaders = {};
    for (const name in headers) {
      if (scrubber.text(name) !== name) continue;
      const value = headers[name];
      clean[name] = typeof value === 'string' ? scrubber.text(value) : value?.map((one) => scrubber.text(one));
    }
    this.next.onResponseStart(controller, status, clean, text);
  }

  override onResponseData(controller: Controller, chunk: Buffer): void {
    if (!this.#call.streaming) {
      this.#body.add(chunk);
      return;
    }
    this.#stream ??= this.#made().stream();
    const clean = this.#stream.push(chunk);
    if (clean.length > 0) this.next.onResponseData(controller, clean);
  }

  override onResponseEnd(controller: Controller, trailers: ResponseHeaders): void {
    const held = this.#stream?.end();
    if (held !== undefined && held.length > 0) this.next.onResponseData(controller, held);
    const body = this.#body.take();
    if (body !== null) {
      // An encoded body is not shown to anybody, so there is nothing to find in it.
      this.next.onResponseData(controller, this.#call.encoded ? body : this.#made().bytes(body));
    }
    this.next.onResponseEnd(controller, trailers);
  }

  /** What was held back of a stream that breaks off did come; of one that its reader has left, nobody is told. */
  override onResponseError(controller: Controller | null, error: Error): void {
    const isLeft = this.#call.over || (error instanceof OutboundError && error.failure === 'aborted');
    const held = isLeft ? undefined : this.#stream?.end();
    if (controller !== null && held !== undefined && held.length > 0) this.next.onResponseData(controller, held);
    super.onResponseError(controller, error);
  }

  #made(): Scrubber {
    return (this.#scrubber ??= scrubberOf(this.#call.secrets, () => this.#call.onMask()));
  }
}
