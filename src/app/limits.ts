import type { Limits } from '../config/limit-settings.ts';
import { FIXED_HTTP_LIMITS, type HttpLimits } from '../http/app.ts';
import type { ShedLimits } from '../http/plugins/load-shedder.ts';
import type { EngineLimits } from '../runs/limits.ts';
import { FIXED_UPSTREAM_LIMITS, type UpstreamLimits } from '../upstream/limits.ts';
import type { SecretsServerLimits } from '../vault/references/kv-secrets.ts';

const DAY_MS = 86_400_000;
const RETRY_WAIT_MS = 250;
const RETRY_WAIT_MS_MAX = 5_000;

/** What the settings' bounds mean to the engine. */
export function engineLimits(limits: Limits): EngineLimits {
  return {
    startsMax: limits.startsMax,
    queuedMax: limits.queuedMax,
    pollsMax: limits.pollsMax,
    pollsPerProviderMax: limits.pollsPerProviderMax,
    deltaGroupMs: limits.deltaGroupMs,
    deltaGroupCharacters: limits.deltaGroupBytes,
    readerBufferCharacters: limits.readerBufferBytes,
    slowReaderMs: limits.slowReaderS * 1000,
    deliveriesMax: limits.deliveriesMax,
    breaker: {
      callsMin: limits.breakerCallsMin,
      failureShare: limits.breakerFailurePercent / 100,
      windowMs: limits.breakerWindowS * 1000,
      openMs: limits.breakerOpenS * 1000,
    },
    retries: {
      triesMax: limits.retriesMax,
      budgetShare: limits.retryBudgetPercent / 100,
      waitMs: RETRY_WAIT_MS,
      waitMsMax: RETRY_WAIT_MS_MAX,
    },
    timeouts: {
      headersMs: limits.headersTimeoutMs,
      idleMs: limits.idleTimeoutMs,
      totalMs: limits.totalTimeoutMs,
    },
    drainTimeoutMs: limits.drainTimeoutS * 1000,
    retentionMs: limits.retentionDays * DAY_MS,
  };
}

/** What the settings' bounds mean to a listener. */
export function httpLimits(limits: Limits): HttpLimits {
  return {
    ...FIXED_HTTP_LIMITS,
    bodyBytesMax: limits.bodyBytesMax,
    connectionsMax: limits.clientConnectionsMax,
  };
}

/** What the settings' bounds mean to new runs. */
export function shedLimits(limits: Limits): ShedLimits {
  return {
    delayMs: limits.overloadDelayMs,
    atOnceMax: limits.overloadAtOnceMax,
    storeQueueMax: limits.storeQueueMax * (limits.overloadStorePercent / 100),
    memoryShareMax: limits.overloadMemoryPercent / 100,
  };
}

/** What the settings' bounds mean to secrets that a server keeps for us. */
export function secretsServerLimits(limits: Limits): SecretsServerLimits {
  return {
    cacheMs: limits.vaultCacheS * 1000,
    outageMs: limits.vaultOutageS * 1000,
    timeoutMs: limits.vaultTimeoutMs,
  };
}

/** What the settings' bounds mean to calls of vendors. */
export function upstreamLimits(limits: Limits): UpstreamLimits {
  return {
    ...FIXED_UPSTREAM_LIMITS,
    connectTimeoutMs: limits.connectTimeoutMs,
    connectionsPerOriginMax: limits.connectionsMax,
    answerBytesMax: limits.answerBytesMax,
  };
}
