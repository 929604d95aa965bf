import { Pool } from 'undici';
import type { Clock } from '../core/clock.ts';
import { OutboundError, type OutboundRequest } from '../core/outbound.ts';
import { createConnector, type ResolveAll } from './connector.ts';
import { FRESH_KEEP_ALIVE_MS, FreshClient } from './fresh-client.ts';
import { createAddressGuard } from './guard.ts';
import { compose, type Dispatch, type Interceptor } from './interceptors/interceptor.ts';
import type { UpstreamLimits } from './limits.ts';

/** Reads come every 1 to 15 s, so an ordinary connection may wait that long for the next one. */
const KEEP_ALIVE_MS = 15_000;
const KEEP_ALIVE_MS_MAX = 60_000;
const ANSWER_HEAD_BYTES_MAX = 16_384;
/** A pool unused for this long is closed when another one is opened. */
const IDLE_POOL_MS = 300_000;

/** What decides which connections a call may use. */
export type LaneRequest = Pick<OutboundRequest, 'connection' | 'allowPrivateNetwork'>;

/** One origin's connections of one class, with the interceptors around them. */
export interface Lane {
  readonly dispatch: Dispatch;
  /** Calls begun and not ended. */
  inFlight: number;
}

export interface Pools {
  /** Takes the lane for a call and counts it in; `OutboundError` `connect` where too many wait already. */
  enter(origin: string, request: LaneRequest): Lane;
  leave(lane: Lane): void;
  readonly size: number;
  destroy(): Promise<void>;
}

interface PoolParts {
  clock: Clock;
  limits: UpstreamLimits;
  allowedLoopback: ReadonlySet<string>;
  /** From the caller to the wire. */
  interceptors: readonly Interceptor[];
  /** Undefined: the system's. */
  resolve?: ResolveAll | undefined;
}

interface KeptLane extends Lane {
  readonly pool: Pool;
  usedAt: number;
}

/**
 * Keeps the pools. Connections of providers that may reach private networks are never shared with others: the guard
 * has looked at theirs differently. The number of pools is bounded; a pool in use is never closed to make room.
 */
export function createPools(parts: PoolParts): Pools {
  const { clock, limits } = parts;
  const lanes = new Map<string, KeptLane>();
  const closing = new AbortController();
  const callsMax = limits.connectionsPerOriginMax + limits.waitingPerOriginMax;

  function open(key: string, origin: string, request: LaneRequest): KeptLane {
    evictIdle(lanes, { now: clock.monotonic(), max: limits.poolsMax });
    if (lanes.size >= limits.poolsMax) throw unconnectable('too many origins in use');
    const pool = createPool(origin, request, { ...parts, closing: closing.signal });
    const dispatch = compose(parts.interceptors, asDispatch(pool));
    const lane = { pool, dispatch, inFlight: 0, usedAt: clock.monotonic() };
    lanes.set(key, lane);
    return lane;
  }

  return {
    enter(origin, request) {
      const key = `${request.connection} ${request.allowPrivateNetwork ? 'private' : 'public'} ${origin}`;
      const lane = lanes.get(key) ?? open(key, origin, request);
      if (lane.inFlight >= callsMax) throw unconnectable('too many calls wait for a connection');
      lane.inFlight++;
      return lane;
    },
    leave(lane) {
      lane.inFlight--;
      (lane as KeptLane).usedAt = clock.monotonic();
    },
    get size() {
      return lanes.size;
    },
    async destroy() {
      const pools = Array.from(lanes.values(), ({ pool }) => pool);
      lanes.clear();
      closing.abort();
      await Promise.all(pools.map((pool) => pool.destroy()));
    },
  };
}

/** Closes pools that nobody has used for a while, and the longest unused one where there is no room. */
function evictIdle(lanes: Map<string, KeptLane>, { now, max }: { now: number; max: number }): void {
  let oldest: [string, KeptLane] | null = null;
  for (const [key, lane] of lanes) {
    if (lane.inFlight > 0) continue;
    if (now - lane.usedAt > IDLE_POOL_MS) close(lanes, key, lane);
    else if (oldest === null || lane.usedAt < oldest[1].usedAt) oldest = [key, lane];
  }
  if (lanes.size >= max && oldest !== null) close(lanes, ...oldest);
}

function close(lanes: Map<string, KeptLane>, key: string, lane: KeptLane): void {
  lanes.delete(key);
  void lane.pool.destroy();
}

function createPool(origin: string, request: LaneRequest, parts: PoolParts & { closing: AbortSignal }): Pool {
  const { clock, limits, allowedLoopback, closing, resolve } = parts;
  const { allowPrivateNetwork } = request;
  const guard = createAddressGuard({ allowPrivateNetwork, allowedLoopback });
  const shared: Pool.Options = {
    connections: limits.connectionsPerOriginMax,
    connect: createConnector({ clock, guard, connectTimeoutMs: limits.connectTimeoutMs, closing, resolve }),
    allowH2: false,
    pipelining: 1,
    maxHeaderSize: ANSWER_HEAD_BYTES_MAX,
    headersTimeout: 0,
    bodyTimeout: 0,
  };
  if (request.connection === 'any') {
    return new Pool(origin, { ...shared, keepAliveTimeout: KEEP_ALIVE_MS, keepAliveMaxTimeout: KEEP_ALIVE_MS_MAX });
  }
  const pool: Pool = new Pool(origin, {
    ...shared,
    keepAliveTimeout: FRESH_KEEP_ALIVE_MS,
    keepAliveMaxTimeout: FRESH_KEEP_ALIVE_MS,
    factory: (url, options) =>
      new FreshClient(url, options, { clock, again: (call, handler) => asDispatch(pool)(call, handler) }),
  });
  return pool;
}

function asDispatch(pool: Pool): Dispatch {
  return (call, handler) => pool.dispatch(call, handler);
}

function unconnectable(reason: string): OutboundError {
  return new OutboundError('connect', { sent: false, cause: new Error(reason) });
}
