import {
  ForwardingHandler,
  type AnswerHandler,
  type Controller,
  type Interceptor,
  type ResponseHeaders,
} from './interceptor.ts';

/** The answer's body is larger than the setting allows; its connection was closed. */
export class AnswerTooLarge extends Error {
  override readonly name = 'AnswerTooLarge';
}

/** Stops reading, and closes the connection, as soon as a body is known to exceed `bytesMax`. */
export function answerSizeCap({ bytesMax }: { bytesMax: number }): Interceptor {
  return (dispatch) => (call, handler) => dispatch(call, new CappedHandler(handler, bytesMax));
}

class CappedHandler extends ForwardingHandler {
  #left: number;

  constructor(next: AnswerHandler, bytesMax: number) {
    super(next);
    this.#left = bytesMax;
  }

  override onResponseStart(controller: Controller, status: number, headers: ResponseHeaders, text?: string): void {
    this.next.onResponseStart(controller, status, headers, text);
    if (Number(headers['content-length'] ?? 0) > this.#left) this.#refuse(controller);
  }

  override onResponseData(controller: Controller, chunk: Buffer): void {
    this.#left -= chunk.length;
    if (this.#left < 0) this.#refuse(controller);
    else this.next.onResponseData(controller, chunk);
  }

  #refuse(controller: Controller): void {
    controller.abort(new AnswerTooLarge('the answer is too large'));
  }
}
