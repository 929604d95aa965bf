import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type {
  DocumentReader,
  Outbound,
  OutboundAnswer,
  PlainAnswer,
  StreamAnswer,
  StreamRequest,
} from '../core/outbound.ts';
import type { Random } from '../core/random.ts';
import { NO_TRACING, type Tracing } from '../core/tracing.ts';
import { createActiveCalls } from './active-calls.ts';
import { AnswerCollector } from './answer-collector.ts';
import { Call } from './call.ts';
import type { ResolveAll } from './connector.ts';
import { answerSizeCap } from './interceptors/answer-size-cap.ts';
import { credential } from './interceptors/credential.ts';
import type { AnswerHandler, Dispatch, Interceptor } from './interceptors/interceptor.ts';
import { interimAnswers } from './interceptors/interim-answers.ts';
import { requestHeaders } from './interceptors/request-headers.ts';
import { responseHeaders } from './interceptors/response-headers.ts';
import { scrubAnswer } from './interceptors/scrub-answer.ts';
import { sentTracker } from './interceptors/sent-tracker.ts';
import { timeLimits } from './interceptors/time-limits.ts';
import { traceContext } from './interceptors/trace-context.ts';
import type { UpstreamLimits } from './limits.ts';
import { createPlainGet } from './plain-get.ts';
import { createPlainCall, HeadCollector } from './plain-post.ts';
import { createPools, type Pools } from './pools.ts';
import { StreamCollector } from './stream-collector.ts';
import { createTargets, type Target } from './target.ts';
import { WebSocketCall } from './web-socket.ts';

export interface UpstreamParts {
  clock: Clock;
  random: Random;
  log: Log;
  /** Undefined: calls are not traced. */
  tracing?: Tracing;
  limits: UpstreamLimits;
  guard: {
    /** Exact `127.0.0.1:port` pairs that pass although they are loopback: the sandbox's. Read at each connect. */
    allowedLoopback: ReadonlySet<string>;
  };
  /** Goes out as `user-agent: rungate/<version>`. */
  version: string;
  /** What names resolve to. Undefined: what the system says. */
  resolve?: ResolveAll;
}

/** Connections to one address that a caller has named: nobody's server is to be flooded. */
const PLAIN_CONNECTIONS_MAX = 16;

interface Settle<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** The one door to vendors: undici pools, and around each the same ordered list of interceptors. */
export function createUpstream(parts: UpstreamParts): Outbound & DocumentReader & { close(): Promise<void> } {
  const { clock, limits } = parts;
  const pools = createVendorPools(parts);
  const plainPools = createPlainPools(parts);
  const targetOf = createTargets();
  const active = createActiveCalls();

  /** What is thrown on the way rejects, without the cost of an asynchronous function around the promise. */
  function run<T>(
    { through, signal, make }: { through: Pools; signal: AbortSignal; make: () => Call },
    begin: (call: Call, dispatch: Dispatch, settle: Settle<T>) => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      active.assertOpen(signal);
      const call = make();
      const lane = through.enter(call.target.origin, call.request);
      active.add(call, signal, () => through.leave(lane));
      begin(call, lane.dispatch, { resolve, reject });
    });
  }

  return {
    send(request, signal) {
      const make = () => new Call(request, targetOf(request.baseUrl));
      return run<OutboundAnswer>({ through: pools, signal, make }, (call, dispatch, settle) =>
        dispatchTo(new AnswerCollector(call, clock, settle), call, dispatch),
      );
    },

    openStream(request, signal) {
      const make = () => {
        const target = targetOf(request.baseUrl);
        return request.via === 'websocket' ? handshake(request, target) : new Call(request, target, 'stream');
      };
      return run<StreamAnswer>({ through: pools, signal, make }, (call, dispatch, settle) => {
        const stream = { call, clock, signal };
        if (request.via === 'http') {
          dispatchTo(new StreamCollector(stream, (head) => request.format(head), settle), call, dispatch);
          return;
        }
        const message = request.body === undefined ? null : JSON.stringify(request.body);
        new WebSocketCall({ ...stream, dispatch, message, bytesMax: limits.answerBytesMax }, settle).open();
      });
    },

    post(post, signal) {
      const make = () => createPlainCall(post);
      return run<PlainAnswer>({ through: plainPools, signal, make }, (call, dispatch, settle) =>
        dispatchTo(new HeadCollector({ call, clock, timeoutMs: post.timeoutMs }, settle), call, dispatch),
      );
    },

    get(request, signal) {
      const make = () => createPlainGet(request);
      return run<OutboundAnswer>({ through: plainPools, signal, make }, (call, dispatch, settle) =>
        dispatchTo(new AnswerCollector(call, clock, settle), call, answerSizeCap(request)(dispatch)),
      );
    },

    /** Refuses new calls, aborts those that are going on, then closes every connection. */
    async close() {
      active.close();
      await Promise.all([pools.destroy(), plainPools.destroy()]);
    },
  };
}

function createVendorPools(parts: UpstreamParts): Pools {
  const { clock, random, log, tracing = NO_TRACING, limits, guard, version, resolve } = parts;
  // From the caller to the wire; answers pass the list from its end to its beginning.
  const interceptors: Interceptor[] = [
    scrubAnswer({ log }),
    responseHeaders(),
    timeLimits({ clock }),
    traceContext({ random, tracing }),
    requestHeaders({ userAgent: `rungate/${version}` }),
    credential({ log }),
    answerSizeCap({ bytesMax: limits.answerBytesMax }),
    interimAnswers(),
    sentTracker(),
  ];
  return createPools({ clock, limits, interceptors, allowedLoopback: guard.allowedLoopback, resolve });
}

/** A lane of its own for what callers name: their addresses crowd out no vendor, and no credential is near. */
function createPlainPools({ clock, limits, version, resolve }: UpstreamParts): Pools {
  const interceptors: Interceptor[] = [
    responseHeaders(),
    timeLimits({ clock }),
    requestHeaders({ userAgent: `rungate/${version}` }),
    interimAnswers(),
    sentTracker(),
  ];
  const connectionsPerOriginMax = Math.min(limits.connectionsPerOriginMax, PLAIN_CONNECTIONS_MAX);
  // The exempted loopback addresses are for vendors' calls: no caller reaches them.
  return createPools({
    clock,
    limits: { ...limits, connectionsPerOriginMax },
    interceptors,
    allowedLoopback: new Set(),
    resolve,
  });
}

/** The body is not the handshake's: it goes out as the first message. */
function handshake({ body: _message, ...rest }: StreamRequest, target: Target): Call {
  return new Call({ ...rest, method: 'GET' }, target, 'upgrade');
}

function dispatchTo(collector: AnswerHandler, call: Call, dispatch: Dispatch): void {
  try {
    dispatch(call, collector);
  } catch (error) {
    collector.onResponseError(null, error as Error);
  }
}
