import { BusyMap } from '../core/busy-map.ts';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import { OutboundError, type Outbound, type OutboundAnswer } from '../core/outbound.ts';
import type { Random } from '../core/random.ts';
import { AnswerCollector } from './answer-collector.ts';
import { Call } from './call.ts';
import { answerSizeCap } from './interceptors/answer-size-cap.ts';
import { credential } from './interceptors/credential.ts';
import type { Dispatch } from './interceptors/interceptor.ts';
import { interimAnswers } from './interceptors/interim-answers.ts';
import { requestHeaders } from './interceptors/request-headers.ts';
import { responseHeaders } from './interceptors/response-headers.ts';
import { scrubAnswer } from './interceptors/scrub-answer.ts';
import { sentTracker } from './interceptors/sent-tracker.ts';
import { timeLimits } from './interceptors/time-limits.ts';
import { traceContext } from './interceptors/trace-context.ts';
import type { UpstreamLimits } from './limits.ts';
import { createPools } from './pools.ts';
import { createTargets } from './target.ts';

export interface UpstreamParts {
  clock: Clock;
  random: Random;
  log: Log;
  limits: UpstreamLimits;
  guard: {
    /** Exact `127.0.0.1:port` pairs that pass although they are loopback: the sandbox's. Read at each connect. */
    allowedLoopback: ReadonlySet<string>;
  };
  /** Goes out as `user-agent: rungate/<version>`. */
  version: string;
}

/** The one door to vendors: undici pools, and around each the same ordered list of interceptors. */
export function createUpstream(parts: UpstreamParts): Outbound & { close(): Promise<void> } {
  const { clock, random, log, limits, guard, version } = parts;
  // From the caller to the wire; answers pass the list from its end to its beginning.
  const interceptors = [
    scrubAnswer(),
    responseHeaders(),
    timeLimits({ clock }),
    traceContext({ random }),
    requestHeaders({ userAgent: `rungate/${version}` }),
    credential({ log }),
    answerSizeCap({ bytesMax: limits.answerBytesMax }),
    interimAnswers(),
    sentTracker(),
  ];
  const pools = createPools({ clock, limits, interceptors, allowedLoopback: guard.allowedLoopback });
  const targetOf = createTargets();
  const active = new BusyMap<number, Call>();
  let calls = 0;
  let closed = false;

  return {
    async send(request, signal) {
      if (closed || signal.aborted) throw new OutboundError('aborted', { sent: false });
      const target = targetOf(request.baseUrl);
      const call = new Call(request, target);
      const lane = pools.enter(target.origin, request);
      const number = ++calls;
      active.set(number, call);
      // A function on purpose: V8 moves listeners that are objects to old space, and everything they reach stays there.
      const abort = () => call.cancel('aborted');
      signal.addEventListener('abort', abort);
      try {
        return await answerTo(call, lane.dispatch, clock);
      } finally {
        signal.removeEventListener('abort', abort);
        active.delete(number);
        pools.leave(lane);
      }
    },

    /** Refuses new calls, aborts those that are going on, then closes every connection. */
    async close() {
      closed = true;
      for (const call of active.values()) call.cancel('aborted');
      await pools.destroy();
    },
  };
}

function answerTo(call: Call, dispatch: Dispatch, clock: Clock): Promise<OutboundAnswer> {
  return new Promise((resolve, reject) => {
    const collector = new AnswerCollector(call, clock, { resolve, reject });
    try {
      dispatch(call, collector);
    } catch (error) {
      collector.onResponseError(null, error as Error);
    }
  });
}
