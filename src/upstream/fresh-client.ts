import { Client, type Dispatcher } from 'undici';
import type { Clock } from '../core/clock.ts';
import type { Call } from './call.ts';
import {
  ForwardingHandler,
  type AnswerHandler,
  type Controller,
  type Dispatch,
  type ResponseHeaders,
} from './interceptors/interceptor.ts';

/** A connection that was idle for longer carries no start: its vendor may be closing it at this moment. */
const IDLE_MS_MAX = 950;
/** undici closes idle connections after this time. */
export const FRESH_KEEP_ALIVE_MS = 800;

interface FreshClientParts {
  clock: Clock;
  /** Hands a call back to the pool, for another connection. */
  again: Dispatch;
}

/**
 * One connection of a pool for starts. undici's own timer closes it after 800 ms without a call; but after a busy spell
 * of the event loop a call can be written before that timer ran. So the idle time is measured once more at the moment
 * of writing, and a call that would go out too late goes back to the pool, unsent, while the connection is closed.
 */
export class FreshClient extends Client {
  readonly #parts: FreshClientParts;
  #usedAt = 0;

  constructor(origin: URL, options: object, parts: FreshClientParts) {
    super(origin, options);
    this.#parts = parts;
    this.on('connect', () => this.touch());
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    // Calls come from our own pool only.
    const fresh = new FreshnessHandler(handler as AnswerHandler, options as Call, { client: this, ...this.#parts });
    return super.dispatch(options, fresh);
  }

  touch(): void {
    this.#usedAt = this.#parts.clock.monotonic();
  }

  isStale(): boolean {
    return this.#parts.clock.monotonic() - this.#usedAt > IDLE_MS_MAX;
  }
}

class FreshnessHandler extends ForwardingHandler {
  readonly #call: Call;
  readonly #client: FreshClient;
  readonly #again: Dispatch;
  #returned = false;

  constructor(next: AnswerHandler, call: Call, { client, again }: { client: FreshClient; again: Dispatch }) {
    super(next);
    this.#call = call;
    this.#client = client;
    this.#again = again;
  }

  override onRequestStart(controller: Controller, context: unknown): void {
    if (this.#client.isStale() && !this.#call.over) {
      this.#returned = true;
      controller.abort(new Error('the connection was idle for too long'));
    } else this.next.onRequestStart(controller, context);
  }

  override onResponseEnd(controller: Controller, trailers: ResponseHeaders): void {
    this.#client.touch();
    this.next.onResponseEnd(controller, trailers);
  }

  override onResponseError(controller: Controller | null, error: Error): void {
    if (this.#returned) {
      // A turn later the idle timers of the pool's other connections have run too.
      this.#returned = false;
      setImmediate(() => {
        if (!this.#call.over) this.#again(this.#call, this.next);
      });
    } else this.next.onResponseError(controller, error);
  }
}
