import { BusyMap } from '../core/busy-map.ts';
import { OutboundError } from '../core/outbound.ts';
import type { Call } from './call.ts';

/** The calls that are going on, each tied to its caller's signal until it ends. */
export interface ActiveCalls {
  /** Throws `OutboundError` `aborted` where a call may not begin any more. */
  assertOpen(signal: AbortSignal): void;
  add(call: Call, signal: AbortSignal, onEnd: () => void): void;
  /** Aborts all, and lets no more begin. */
  close(): void;
}

export function createActiveCalls(): ActiveCalls {
  const active = new BusyMap<number, Call>();
  let calls = 0;
  let closed = false;
  return {
    assertOpen(signal) {
      if (closed || signal.aborted) throw new OutboundError('aborted', { sent: false });
    },
    add(call, signal, onEnd) {
      const number = ++calls;
      active.set(number, call);
      // A function on purpose: V8 moves listeners that are objects to old space, and everything they reach stays there.
      const abort = () => call.cancel('aborted');
      signal.addEventListener('abort', abort);
      call.onEnd = () => {
        signal.removeEventListener('abort', abort);
        active.delete(number);
        onEnd();
      };
    },
    close() {
      closed = true;
      for (const call of active.values()) call.cancel('aborted');
    },
  };
}
