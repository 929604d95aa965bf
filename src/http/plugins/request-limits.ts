import rateLimit from '@fastify/rate-limit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { GatewayError } from '../../core/errors.ts';
import { callerOf, type App, type AppParts } from '../app.ts';
import { createWindowStore, type RequestWindows } from './request-windows.ts';

const WINDOW_S = 60;
/** What clients see of a limit is called so, in both fields. */
const POLICY = '"key"';

/** Counts a request of a caller who may send only so many a minute. Throws `rate_limited`. */
export type CountRequest = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/**
 * Makes the count of requests a minute, by line of keys, in windows that begin with a line's first request.
 * Its answer tells how much is left in the structured fields of draft-ietf-httpapi-ratelimit-headers; the library's own
 * headers are off, because `x-ratelimit-*` are the vendors' here, and because it writes those of an older draft.
 */
export function addRequestLimits(app: App, { clock }: Pick<AppParts, 'clock'>): CountRequest {
  const windows: RequestWindows = new Map();
  app.decorate('requestsSent', (lineage: string) => {
    const window = windows.get(lineage);
    return window !== undefined && window.endsMs > clock.monotonic() ? window.count : 0;
  });
  app.register(rateLimit, {
    // No route is limited by itself: only the guard asks, once it knows who is asking.
    global: false,
    timeWindow: WINDOW_S * 1000,
    store: createWindowStore(clock, windows),
    keyGenerator: (request) => callerOf(request).lineage,
    max: (request) => callerOf(request).limits.requestsPerMinute ?? Number.POSITIVE_INFINITY,
  });
  // The plugin is loaded when the app gets ready, which is before the first request.
  let count: ReturnType<App['createRateLimit']> | null = null;

  return async function countRequest(request, reply) {
    count ??= app.createRateLimit();
    const counted = await count(request);
    // Nobody is exempt: there is no list of those who are.
    if (counted.isAllowed) return;
    const { max, remaining, isExceeded } = counted;
    const ttlInSeconds = Math.min(counted.ttlInSeconds, WINDOW_S);
    reply.header('ratelimit-policy', `${POLICY};q=${max};w=${WINDOW_S}`);
    reply.header('ratelimit', `${POLICY};r=${remaining};t=${ttlInSeconds}`);
    if (!isExceeded) return;
    const message = `This key’s requests a minute are limited to ${max}; send this one again in ${ttlInSeconds} s.`;
    throw new GatewayError('rate_limited', { message, retryAfterS: ttlInSeconds });
  };
}
