import { describe, expect, it } from 'vitest';
import { engineLimits, httpLimits, upstreamLimits } from '../../../src/app/limits.ts';
import { LIMIT_SETTINGS, type Limits } from '../../../src/config/settings-table.ts';

/** A value of its own for each setting. */
const named = Object.fromEntries(Object.keys(LIMIT_SETTINGS).map((name, i) => [name, 1_000 + i])) as unknown as Limits;

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

  it('are all used, and none twice', () => {
    const given = [httpLimits(named), upstreamLimits(named), engineLimits(named)].flatMap((one) => Object.values(one));
    const ofTheStore = [named.storeQueueMax];
    const converted = [named.slowReaderS, named.drainTimeoutS, named.retentionDays];
    const used = [...given, ...ofTheStore, ...converted];
    for (const [name, value] of Object.entries(named)) {
      expect([name, used.filter((one) => one === value).length]).toEqual([name, 1]);
    }
  });
});
