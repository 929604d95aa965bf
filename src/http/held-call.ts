import type { FastifyReply } from 'fastify';
import type { OpenCalls } from '../access/open-calls.ts';
import { GatewayError } from '../core/errors.ts';
import type { RunId } from '../core/ids.ts';
import { callerOf, leaveController } from './app.ts';

const CALLER_ENDED =
  'The key or token of this call was revoked or has expired while the call was held; its run goes on.';

/**
 * A call that is held open while something is waited for. A class, and not an async function around the wait: ten thousand
 * callers may be held, and this is half of what each would cost.
 */
export class HeldCall {
  readonly #controller: AbortController;
  readonly #release: () => void;
  #ended = false;

  constructor(reply: FastifyReply, openCalls: Pick<OpenCalls, 'hold'>) {
    this.#controller = leaveController(reply);
    this.#release = openCalls.hold(callerOf(reply.request), () => {
      this.#ended = true;
      this.#controller.abort();
    });
  }

  /** Aborted when the client goes away, or when the caller's key or token ends. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The wait is over, however it went. */
  release(): void {
    this.#release();
  }

  /** Throws `unauthorized` where the caller has ended: whatever came of the wait is not the caller's any more. */
  requireCaller(runId: RunId): void {
    if (this.#ended) throw new GatewayError('unauthorized', { runId, message: CALLER_ENDED });
  }
}
