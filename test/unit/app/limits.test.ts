import { describe, expect, it } from 'vitest';
import { engineLimits, httpLimits, secretsServerLimits, shedLimits, upstreamLimits } from '../../../src/app/limits.ts';
import { LIMIT_SETTINGS, type Limits, type LimitSetting } from '../../../src/config/limit-settings.ts';

/** A value of its own for each setting. */
const named = Object.fromEntries(
  Object.keys(LIMIT_SETTINGS).map((name, i) => [name, 7_000_001 + i]),
) as unknown as Limits;

describe('the settings’ bounds', () => {
  it('bound what callers may do', () => {
    expect(httpLimits(named)).toMatchObject({
      bodyBytesMax: named.bodyBytesMax,
      connectionsMax: named.clientConnectionsMax,
    });
  });

  it('bound what vendors may do', () => {
    expect(upstreamLimits(named)).toMatchObject({
      answerBytesMax: named.answerBytesMax,
      connectionsPerOriginMax: named.connectionsMax,
      connectTimeoutMs: named.connectTimeoutMs,
    });
  });

  it('bound how many new runs are let in', () => {
    expect(shedLimits(named)).toMatchObject({
      storeQueueMax: named.storeQueueMax * (named.overloadStorePercent / 100),
      memoryShareMax: named.overloadMemoryPercent / 100,
    });
  });

  it('bound how long a secret is used that a server keeps', () => {
    expect(secretsServerLimits(named)).toEqual({
      cacheMs: named.vaultCacheS * 1000,
      outageMs: named.vaultOutageS * 1000,
      timeoutMs: named.vaultTimeoutMs,
    });
  });

  it('are all used in their unit, and none twice', () => {
    const all = [httpLimits, upstreamLimits, engineLimits, shedLimits, secretsServerLimits];
    const given = all.flatMap((of) => numbersIn(of(named)));
    const elsewhere = [named.storeQueueMax, named.overloadStorePercent / 100];
    const used = [...given, ...elsewhere];
    for (const [name, { unit }] of Object.entries<LimitSetting>(LIMIT_SETTINGS)) {
      const value = IN_CODE[unit](named[name as keyof Limits]);
      expect([name, used.filter((one) => one === value).length]).toEqual([name, 1]);
    }
  });
});

/** What becomes of a setting's unit. */
const IN_CODE: Readonly<Record<LimitSetting['unit'], (value: number) => number>> = {
  bytes: (bytes) => bytes,
  count: (count) => count,
  ms: (ms) => ms,
  s: (s) => s * 1000,
  days: (days) => days * 86_400_000,
  percent: (percent) => percent / 100,
};

function numbersIn(value: unknown): number[] {
  if (typeof value === 'number') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(numbersIn) : [];
}
