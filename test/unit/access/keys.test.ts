import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { createKey, createKeyVerifier, type NewKey } from '../../../src/access/keys.ts';
import { NO_LIMITS } from '../../../src/access/key-limits.ts';
import { formatKey, parseKey } from '../../../src/access/key-format.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import { memoryKeyStore } from '../../support/memory-stores.ts';

const random = createSystemRandom();
const NOW = Date.UTC(2030, 0, 1);

async function setUp(given: Partial<NewKey> = {}) {
  const clock = { now: () => time };
  let time = NOW;
  const keys = memoryKeyStore();
  const lookUps: string[] = [];
  const used: string[] = [];
  const verifier = createKeyVerifier({
    keys: { find: (id) => (lookUps.push(id), keys.find(id)) },
    use: { note: (id) => void used.push(id) },
    clock,
  });
  const wanted: NewKey = { name: 'web', role: 'runs', allowedWorkflows: [], allowedProviders: [], expiresAt: null };
  const { stored, key } = createKey({ ...wanted, ...given }, { clock, random });
  await keys.insert(stored);
  const passTime = (ms: number) => void (time += ms);
  return { keys, verifier, lookUps, used, stored, key: key.open(), secret: key, passTime };
}

function parts(key: string) {
  const read = parseKey(key);
  if (read === null) throw new Error('expected a key');
  return read;
}

describe('a new key', () => {
  it('has the form that is documented for secret scanners', async () => {
    const { key, stored } = await setUp();
    expect(key).toMatch(/^rgk_[0-9a-hjkmnp-tv-z]{16}_[0-9A-Za-z]{43}_[0-9a-f]{8}$/);
    expect(parts(key).id).toBe(stored.id);
  });

  it('leaves only a hash of its secret behind', async () => {
    const { key, stored, secret } = await setUp();
    expect(Buffer.from(stored.secretHash)).toEqual(createHash('sha256').update(parts(key).secret).digest());
    expect(inspect([stored, secret], { showHidden: true })).not.toContain(parts(key).secret);
  });

  it('begins a lineage of its own', async () => {
    const { stored } = await setUp();
    expect(stored).toMatchObject({ lineage: stored.id, createdAt: NOW, revokedAt: null });
  });

  it('fills its parts to their whole length whatever chance gives', () => {
    for (const byte of [0, 255]) {
      const { key } = createKey(
        { name: 'n', role: 'runs', allowedWorkflows: [], allowedProviders: [], expiresAt: null },
        { clock: { now: () => NOW }, random: { bytes: (n) => new Uint8Array(n).fill(byte), float: () => 0 } },
      );
      expect(parseKey(key.open())).not.toBeNull();
    }
  });

  it.each<[string, Partial<NewKey>]>([
    ['name', { name: '' }],
    ['name', { name: 'x'.repeat(101) }],
    ['name', { name: 'a\nb' }],
    ['name', { name: 'half a character \ud800' }],
    ['expires_at', { expiresAt: NOW }],
    ['allowed_workflows', { allowedWorkflows: ['a/b'] }],
    ['allowed_workflows', { allowedWorkflows: [''] }],
    ['allowed_workflows', { allowedWorkflows: Array.from({ length: 101 }, (_, i) => `w${i}`) }],
    ['allowed_providers', { allowedProviders: ['/x'] }],
    ['allowed_providers', { allowedProviders: ['b3os/'] }],
    ['allowed_providers', { allowedProviders: ['b3os/a b'] }],
    ['allowed_providers', { allowedProviders: ['*'] }],
    ['limits.requests_per_minute', { limits: { ...NO_LIMITS, requestsPerMinute: 0 } }],
    ['limits.requests_per_minute', { limits: { ...NO_LIMITS, requestsPerMinute: Number.NaN } }],
    ['limits.concurrent_runs', { limits: { ...NO_LIMITS, concurrentRuns: 1.5 } }],
    ['limits.runs_per_day', { limits: { ...NO_LIMITS, runsPerDay: 1_000_001 } }],
  ])('with a wrong %s is refused', async (param, given) => {
    await expect(setUp(given)).rejects.toMatchObject({ code: 'invalid_request', details: { param } });
  });
});

describe('the verifier', () => {
  it('knows the caller by the key', async () => {
    const limits = { requestsPerMinute: 60, concurrentRuns: 1, runsPerDay: 1_000_000 };
    const allowed = { allowedWorkflows: ['a', 'a'], allowedProviders: ['b3os/wf/1'] };
    const { verifier, key, stored } = await setUp({ ...allowed, limits });
    expect(await verifier.verify(key)).toEqual({
      keyId: stored.id,
      keyName: 'web',
      lineage: stored.id,
      keyExpiresAt: stored.expiresAt,
      subject: null,
      token: null,
      origins: [],
      role: 'runs',
      allowedWorkflows: ['a'],
      allowedProviders: ['b3os/wf/1'],
      limits,
    });
  });

  it('refuses every wrong key with one and the same answer', async () => {
    const expired = await setUp({ expiresAt: NOW + 1000 });
    expired.passTime(1000);
    const revoked = await setUp();
    await revoked.keys.revoke(revoked.stored.id, NOW);
    const good = await setUp();
    const { id, secret } = parts(good.key);
    const other = parts((await setUp()).key);
    const refused: [Awaited<ReturnType<typeof setUp>>, string][] = [
      [expired, expired.key],
      [revoked, revoked.key],
      [good, formatKey({ id, secret: other.secret })],
      [good, formatKey({ id: other.id, secret })],
      [good, Buffer.from(good.stored.secretHash).toString('hex')],
      [good, `Bearer ${good.key}`],
      [good, ` ${good.key}`],
      [good, `${good.key},`],
      [good, ''],
    ];
    for (const [{ verifier }, shown] of refused) {
      const refusal = await verifier.verify(shown).catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(GatewayError);
      expect(refusal).toMatchObject({
        code: 'unauthorized',
        message: 'The client key or token is missing, wrong, expired or revoked.',
      });
      expect((refusal as GatewayError).details).toEqual({});
    }
  });

  it('takes a key until the moment that it expires', async () => {
    const { verifier, key, passTime } = await setUp({ expiresAt: NOW + 1000 });
    passTime(999);
    expect((await verifier.verify(key)).keyName).toBe('web');
  });

  it('spends no look-up on a mistyped key', async () => {
    const { verifier, key, lookUps } = await setUp();
    for (let i = 4; i < key.length; i++) {
      const mistyped = key.slice(0, i) + (key[i] === 'a' ? 'b' : 'a') + key.slice(i + 1);
      await expect(verifier.verify(mistyped)).rejects.toMatchObject({ code: 'unauthorized' });
    }
    expect(lookUps).toEqual([]);
  });

  it('has a key’s use noted once it is proven, and not before', async () => {
    const { verifier, key, stored, used } = await setUp();
    const { id } = parts(key);
    await verifier.verify(formatKey({ id, secret: 'x'.repeat(43) })).catch(() => {});
    await verifier.isValid(stored.id);
    expect(used).toEqual([]);
    await verifier.verify(key);
    expect(used).toEqual([stored.id]);
    // What was given out in its name is a use of it.
    await verifier.holder(stored.id);
    expect(used).toEqual([stored.id, stored.id]);
  });

  it('says of an open call’s key whether it is valid now, believing nothing from before', async () => {
    const { verifier, key, keys, stored } = await setUp({ expiresAt: NOW + 1_000 });
    await verifier.verify(key);
    expect(await verifier.isValid(stored.id)).toBe(true);
    await keys.revoke(stored.id, NOW);
    expect(await verifier.isValid(stored.id)).toBe(false);
    expect(await verifier.isValid('0000000000000000')).toBe(false);
    const other = await setUp({ expiresAt: NOW + 1_000 });
    other.passTime(1_000);
    expect(await other.verifier.isValid(other.stored.id)).toBe(false);
    // What it has read, requests know too.
    await expect(verifier.verify(key)).rejects.toMatchObject({ code: 'unauthorized' });
  });

  it('fails closed when the store does', async () => {
    const { key } = await setUp();
    const broken = createKeyVerifier({
      keys: { find: () => Promise.reject(new GatewayError('store_unavailable')) },
      use: { note: () => {} },
      clock: { now: () => NOW },
    });
    await expect(broken.verify(key)).rejects.toMatchObject({ code: 'store_unavailable' });
  });

  it('is not impressed by a stored hash of the wrong length', async () => {
    const { verifier, keys, stored, key } = await setUp();
    await keys.insert({ ...stored, secretHash: new Uint8Array(0) });
    await expect(verifier.verify(key)).rejects.toMatchObject({ code: 'unauthorized' });
  });

  it('answers whatever it is given with unauthorized, and fast', async () => {
    const { verifier, key } = await setUp();
    const hostile = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string().map((text) => `rgk_${text}`),
      fc
        .tuple(fc.nat(key.length), fc.string({ minLength: 1 }))
        .map(([at, text]) => `${key.slice(0, at)}${text}${key.slice(at)}`),
      fc.integer({ min: 1, max: 5000 }).map((n) => `${' '.repeat(n)}${key}`),
      fc.constantFrom(`${key}' OR 1=1 --`, `rgk_${'_'.repeat(70)}`, 'rgk_'.repeat(10_000)),
    );
    await fc.assert(
      fc.asyncProperty(hostile, async (shown) => {
        await expect(verifier.verify(shown)).rejects.toMatchObject({ code: 'unauthorized' });
      }),
      { numRuns: 500 },
    );
  });
});
