import { inspect } from 'node:util';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { createSystemRandom } from '../../../src/core/random.ts';
import { fixedMasterKeys, masterKeyOf } from '../../../src/vault/master-key.ts';
import { createWebhookSecrets } from '../../../src/vault/webhook-secrets.ts';
import { memoryWebhookSecretStore } from '../../support/memory-stores.ts';

const random = createSystemRandom();
const DAY_MS = 86_400_000;
const LINE = 'key_a';

function setUp() {
  const time = { now: Date.now() };
  const clock = { now: () => time.now };
  const store = memoryWebhookSecretStore(clock);
  const masterKeys = fixedMasterKeys([masterKeyOf(random.bytes(32))]);
  const secrets = createWebhookSecrets({ store, masterKeys, clock, random });
  const message = { id: 'dlv_1', timestampS: Math.floor(time.now / 1000), body: '{"a":"ü"}' };
  const headers = (signatures: readonly string[]) => ({
    'webhook-id': message.id,
    'webhook-timestamp': String(message.timestampS),
    'webhook-signature': signatures.join(' '),
  });
  return { time, store, secrets, message, headers };
}

describe('a webhook secret', () => {
  it('has the form of Standard Webhooks and signs what its package verifies', async () => {
    const { secrets, message, headers } = setUp();
    const secret = (await secrets.ensure(LINE))?.open() ?? '';
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const signatures = await secrets.sign(LINE, message);
    expect(signatures).toHaveLength(1);
    const webhook = new Webhook(secret);
    expect(webhook.verify(message.body, headers(signatures))).toEqual({ a: 'ü' });
    expect(() => webhook.verify('{"a":"u"}', headers(signatures))).toThrow('No matching signature');
    expect(signatures[0]).toBe(webhook.sign(message.id, new Date(message.timestampS * 1000), message.body));
  });

  it('is made once for a line of keys, and belongs to no other', async () => {
    const { secrets, message } = setUp();
    expect(await secrets.ensure(LINE)).not.toBeNull();
    expect(await secrets.ensure(LINE)).toBeNull();
    expect(await secrets.sign('key_b', message)).toEqual([]);
  });

  it('goes on to sign for a day after it was replaced, beside the new one', async () => {
    const { time, secrets, message, headers } = setUp();
    const old = (await secrets.ensure(LINE))?.open() ?? '';
    const { secret, previousExpiresAt } = await secrets.rotate(LINE);
    expect(previousExpiresAt).toBe(time.now + DAY_MS);
    const both = await secrets.sign(LINE, message);
    expect(both).toHaveLength(2);
    for (const one of [old, secret.open()]) expect(new Webhook(one).verify(message.body, headers(both))).toBeTruthy();
    time.now += DAY_MS - 1;
    expect(await secrets.sign(LINE, message)).toHaveLength(2);
    time.now += 1;
    const left = await secrets.sign(LINE, message);
    expect(left).toEqual([both[0]]);
  });

  it('is the first where there was none, and replaces nothing', async () => {
    expect((await setUp().secrets.rotate(LINE)).previousExpiresAt).toBeNull();
  });

  it('cannot be replaced so often that every message carries a book of signatures', async () => {
    const { time, secrets, message } = setUp();
    for (let i = 0; i < 8; i++) {
      await secrets.checkRoom(LINE);
      await secrets.rotate(LINE);
    }
    await expect(secrets.checkRoom(LINE)).rejects.toMatchObject({ code: 'rate_limited' });
    await expect(secrets.rotate(LINE)).rejects.toMatchObject({
      code: 'rate_limited',
      details: { retryAfterS: DAY_MS / 1000 },
    });
    expect(await secrets.sign(LINE, message)).toHaveLength(8);
    time.now += DAY_MS;
    await secrets.rotate(LINE);
    expect(await secrets.sign(LINE, message)).toHaveLength(2);
  });

  it('is in no print and lies sealed, bound to its row and its line', async () => {
    const { store, secrets, message } = setUp();
    const secret = await secrets.ensure(LINE);
    const text = secret?.open() ?? 'none';
    expect(inspect([secret, store.rows], { depth: 9, showHidden: true })).not.toContain(text);
    for (const { sealed } of store.rows) expect(Buffer.from(sealed).includes(text)).toBe(false);
    for (const moved of [{ lineage: 'key_b' }, { id: 'whs_other' }]) {
      store.rows.push({ ...(store.rows[0] as (typeof store.rows)[0]), ...moved });
      const lineage = moved.lineage ?? LINE;
      await expect(secrets.sign(lineage, message)).rejects.toMatchObject({ code: 'vault_unavailable' });
    }
  });
});
