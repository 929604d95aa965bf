import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../../src/core/errors.ts';
import type { Log } from '../../../src/core/log.ts';
import { discreetMasterKeys } from '../../../src/vault/discreet-master-keys.ts';
import { masterKeyOf, unusable, type MasterKeys } from '../../../src/vault/master-key.ts';

const PATH = '/etc/rungate/master.key';
const KEY = masterKeyOf(new Uint8Array(32));

function setUp(fault: () => Error | null) {
  const time = { now: 0 };
  const logged: unknown[] = [];
  const warn: Log['warn'] = ({ err }) => void logged.push(err);
  async function ask(): Promise<typeof KEY> {
    const error = fault();
    if (error) throw error;
    return KEY;
  }
  const inner: MasterKeys = { newest: ask, find: ask };
  return { time, logged, keys: discreetMasterKeys(inner, { clock: { monotonic: () => time.now }, log: { warn } }) };
}

describe('a server’s master keys', () => {
  it('are those that were opened', async () => {
    const { keys, logged } = setUp(() => null);
    expect([await keys.newest(), await keys.find(KEY.fingerprint), logged]).toEqual([KEY, KEY, []]);
  });

  it('tell the log alone what is wrong, once a minute', async () => {
    const fault = unusable(`The master key file ${PATH} is gone. Put it back.`);
    const { keys, time, logged } = setUp(() => fault);
    for (const ask of [() => keys.newest('a'), () => keys.find('a'), () => keys.newest()]) {
      const error = (await ask().catch((thrown: unknown) => thrown)) as GatewayError;
      expect([error.code, error.cause]).toEqual(['vault_unavailable', fault]);
      expect(error.message).toBe('The master key cannot be had now; the operator looks at the log.');
    }
    expect(logged).toEqual([fault]);
    time.now += 60_000;
    await keys.newest().catch(() => undefined);
    expect(logged).toHaveLength(2);
  });

  it('leave what is no fault of theirs as it is', async () => {
    const away = new GatewayError('store_unavailable');
    const { keys, logged } = setUp(() => away);
    await expect(keys.newest()).rejects.toBe(away);
    expect(logged).toEqual([]);
  });
});
