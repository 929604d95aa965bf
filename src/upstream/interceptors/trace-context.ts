import type { Random } from '../../core/random.ts';
import type { Interceptor } from './interceptor.ts';
import { headerValueIsSafe } from './header-rules.ts';

const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})$/;
const TRACESTATE_LENGTH_MAX = 512;

/** Continues the caller's W3C trace with a parent id of this call's own; an unreadable context is left out. */
export function traceContext({ random }: { random: Random }): Interceptor {
  return (dispatch) => (call, handler) => {
    const { trace } = call.request;
    const parts = trace === null ? null : TRACEPARENT.exec(trace.traceparent);
    if (trace !== null && parts !== null) {
      call.headers.push('traceparent', `00-${parts[1]}-${parentId(random)}-${parts[2]}`);
      const state = trace.tracestate;
      if (state !== null && state !== '' && state.length <= TRACESTATE_LENGTH_MAX && headerValueIsSafe(state)) {
        call.headers.push('tracestate', state);
      }
    }
    return dispatch(call, handler);
  };
}

function parentId(random: Random): string {
  const id = Buffer.from(random.bytes(8)).toString('hex');
  // All zeros means "none".
  return id === '0000000000000000' ? '0000000000000001' : id;
}
