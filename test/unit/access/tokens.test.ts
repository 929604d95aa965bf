import { createHmac, createSign, generateKeyPairSync } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTokens } from '../../../src/access/tokens.ts';
import { createSigningKeys } from '../../../src/access/signing-keys.ts';
import type { GatewayError } from '../../../src/core/errors.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import { accessParts, TEST_BOX, TOKEN } from '../../support/access-parts.ts';
import { memorySigningKeyStore } from '../../support/memory-stores.ts';

const random = createSystemRandom();

function encode(part: unknown): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

function decode(token: string): { header: JsonObject; claims: JsonObject; signature: string } {
  const [header = '', claims = '', signature = ''] = token.slice('rgt_'.length).split('.');
  const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as JsonObject;
  return { header: read(header), claims: read(claims), signature };
}

type Parts = Awaited<ReturnType<typeof accessParts>>;

/** A token that is signed with the gateway's own secret, whatever it says. */
async function signed({ store }: Parts, header: object, claims: object): Promise<string> {
  const [row] = store.rows;
  const secret = Buffer.from((await TEST_BOX.open(row?.id ?? '', row?.sealed ?? new Uint8Array())).open(), 'base64url');
  const text = `${encode(header)}.${encode(claims)}`;
  const bits = /^HS(384|512)$/.exec(String((header as { alg?: unknown }).alg))?.[1] ?? '256';
  return `rgt_${text}.${createHmac(`sha${bits}`, secret).update(text).digest('base64url')}`;
}

/** The code that it is refused with; null: it is taken. */
async function refusalOf({ tokens }: Pick<Parts, 'tokens'>, token: string): Promise<unknown> {
  return tokens.verify(token).then(
    () => null,
    (error: GatewayError) => error.code,
  );
}

describe('a token', () => {
  it('stands for its key, and for less', async () => {
    const limits = { requestsPerMinute: 60, concurrentRuns: 2, runsPerDay: 9 };
    const parts = await accessParts({ limits, origins: ['https://a.example', 'https://b.example'] });
    const wanted = { origin: 'https://a.example', subject: 'user-42', runsMax: 5 };
    const { token, expiresAt } = await parts.tokens.issue(parts.caller, { ...TOKEN, ...wanted });
    expect(expiresAt).toBe(parts.clock.now() + 600_000);
    expect(await parts.tokens.verify(token.open())).toEqual({
      keyId: parts.stored.id,
      keyName: 'web',
      keyExpiresAt: null,
      lineage: parts.stored.id,
      subject: 'user-42',
      token: { id: expect.stringMatching(/^tok_[0-9a-f]{32}$/), runsMax: 5, expiresAt, origin: 'https://a.example' },
      role: 'runs',
      allowedWorkflows: ['summarize'],
      allowedProviders: [],
      limits,
      origins: ['https://a.example'],
    });
  });

  it('without origin, subject and count has its key’s origins, nobody as subject, and no count', async () => {
    const parts = await accessParts({ origins: ['https://a.example'] });
    const caller = await parts.tokens.verify(await parts.issue());
    expect(caller).toMatchObject({
      subject: null,
      token: { runsMax: null, origin: null },
      origins: ['https://a.example'],
    });
  });

  it('has the form that it is documented to have, and tells nothing of secrets', async () => {
    const parts = await accessParts();
    const token = await parts.issue({ subject: 'üser', workflows: ['b', 'a', 'b'] });
    expect(token).toMatch(/^rgt_[\w-]+\.[\w-]+\.[\w-]{43}$/);
    const { header, claims } = decode(token);
    expect(header).toEqual({ alg: 'HS256', typ: 'rgt+jwt', kid: parts.store.rows[0]?.id });
    expect(claims).toEqual({
      iss: 'rungate',
      aud: 'rungate',
      jti: expect.any(String),
      iat: parts.clock.now() / 1000,
      exp: parts.clock.now() / 1000 + 600,
      key: parts.stored.id,
      workflows: ['b', 'a'],
      sub: 'üser',
    });
  });

  it('of another making is another, even where all that is asked for is the same', async () => {
    const parts = await accessParts();
    const made = await Promise.all(Array.from({ length: 50 }, () => parts.issue()));
    expect(new Set(made).size).toBe(50);
    expect(new Set(made.map((token) => decode(token).claims.jti)).size).toBe(50);
  });

  it('ends with its time, to the second', async () => {
    const parts = await accessParts();
    const token = await parts.issue({ ttlS: 2 });
    parts.clock.pass(1_999);
    await parts.tokens.verify(token);
    parts.clock.pass(1);
    expect(await refusalOf(parts, token)).toBe('unauthorized');
    await expect(parts.tokens.verify(token)).rejects.toThrow('expired');
  });

  it('ends with its key: expired, revoked', async () => {
    const expiring = await accessParts({ expiresAt: Date.UTC(2030, 0, 1) + 5_500 });
    const { token, expiresAt } = await expiring.tokens.issue(expiring.caller, TOKEN);
    expect(expiresAt).toBe(Date.UTC(2030, 0, 1) + 5_000);
    await expiring.tokens.verify(token.open());
    expiring.clock.pass(5_000);
    expect(await refusalOf(expiring, token.open())).toBe('unauthorized');

    const revoked = await accessParts();
    const other = await revoked.issue();
    await revoked.tokens.verify(other);
    await revoked.keys.revoke(revoked.stored.id, revoked.clock.now());
    revoked.clock.pass(1_000);
    expect(await refusalOf(revoked, other)).toBe('unauthorized');
  });

  it('is taken by every process on the same store, and by none on another', async () => {
    const parts = await accessParts();
    const token = await parts.issue();
    const again = createTokens({
      keys: parts.verifier,
      signingKeys: createSigningKeys({ store: parts.store, box: TEST_BOX, clock: parts.clock, random }),
      configuredOrigins: () => new Set(),
      clock: parts.clock,
      random,
    });
    expect((await again.verify(token)).keyId).toBe(parts.stored.id);
    const elsewhere = createTokens({
      keys: parts.verifier,
      signingKeys: createSigningKeys({ store: memorySigningKeyStore(), box: TEST_BOX, clock: parts.clock, random }),
      configuredOrigins: () => new Set(),
      clock: parts.clock,
      random,
    });
    expect(await refusalOf({ tokens: elsewhere }, token)).toBe('unauthorized');
  });

  it('that is bound to an origin goes with the last who names it', async () => {
    const origin = 'https://a.example';
    const parts = await accessParts({ origins: [origin] });
    const token = await parts.issue({ origin });
    await parts.tokens.verify(token);
    await parts.keys.insert({ ...parts.stored, origins: ['https://b.example'] });
    parts.clock.pass(1_000);
    expect(await refusalOf(parts, token)).toBe('forbidden');
    parts.configured.add(origin);
    expect((await parts.tokens.verify(token)).origins).toEqual([origin]);
    parts.configured.clear();
    expect(await refusalOf(parts, token)).toBe('forbidden');
  });

  it('is only made by keys of role runs, for workflows of their own', async () => {
    const parts = await accessParts({ allowedWorkflows: ['a'] });
    const forbidden = { code: 'forbidden' };
    await expect(parts.tokens.issue(parts.caller, { ...TOKEN, workflows: ['a', 'b'] })).rejects.toMatchObject({
      ...forbidden,
      details: { param: 'workflows.1' },
    });
    const token = await parts.issue({ workflows: ['a'] });
    const caller = await parts.tokens.verify(token);
    await expect(parts.tokens.issue(caller, { ...TOKEN, workflows: ['a'] })).rejects.toMatchObject(forbidden);
    for (const role of ['viewer', 'admin'] as const) {
      const other = { ...parts.caller, role };
      await expect(parts.tokens.issue(other, { ...TOKEN, workflows: ['a'] })).rejects.toMatchObject(forbidden);
    }
  });
});

describe('a token that somebody made up', () => {
  it('is refused whatever of it was changed, and the true one is taken before and after', async () => {
    const parts = await accessParts();
    const token = await parts.issue();
    await parts.tokens.verify(token);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(token.length - 1),
        fc.constantFrom('a', 'Z', '0', '9', '-', '_', '.'),
        async (at, character) => {
          if (token[at] === character) return;
          expect(await refusalOf(parts, token.slice(0, at) + character + token.slice(at + 1))).toBe('unauthorized');
        },
      ),
      { numRuns: 400 },
    );
    await parts.tokens.verify(token);
  });

  it('is refused when it is cut off anywhere, or goes on', async () => {
    const parts = await accessParts();
    const token = await parts.issue();
    for (let length = 0; length < token.length; length += 7)
      expect(await refusalOf(parts, token.slice(0, length))).toBe('unauthorized');
    expect(await refusalOf(parts, token.slice(0, -1))).toBe('unauthorized');
    for (const more of ['A', '.', '=', ' ', '\n', '.x', token])
      expect(await refusalOf(parts, token + more)).toBe('unauthorized');
    for (const before of [' ', 'x', 'rgt_']) expect(await refusalOf(parts, before + token)).toBe('unauthorized');
  });

  it('with another algorithm is refused, `none` and public keys in', async () => {
    const parts = await accessParts();
    const { header, claims } = decode(await parts.issue());
    // What signs so is taken, or the others prove nothing.
    await parts.tokens.verify(await signed(parts, header, claims));
    for (const alg of ['none', 'None', 'HS384', 'HS512', 'hs256', 'RS256', 'ES256', 'EdDSA', '', null, 1]) {
      expect(await refusalOf(parts, await signed(parts, { ...header, alg }, claims))).toBe('unauthorized');
    }
    const text = (alg: string) => `${encode({ ...header, alg })}.${encode(claims)}`;
    expect(await refusalOf(parts, `rgt_${text('none')}.`)).toBe('unauthorized');
    expect(await refusalOf(parts, `rgt_${text('none')}.${'A'.repeat(43)}`)).toBe('unauthorized');
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const signature = createSign('sha256').update(text('RS256')).sign(privateKey).toString('base64url');
    expect(await refusalOf(parts, `rgt_${text('RS256')}.${signature}`)).toBe('unauthorized');
  });

  it('with another signing key, type or critical header is refused', async () => {
    const parts = await accessParts();
    const { header, claims } = decode(await parts.issue());
    const { kid: _kid, ...noKid } = header;
    const { typ: _typ, ...noType } = header;
    const wrong = [
      noKid,
      noType,
      { ...header, kid: 'sgn_00000000000000000000' },
      { ...header, kid: '' },
      { ...header, kid: 1 },
      { ...header, kid: ['x'] },
      { ...header, kid: '__proto__' },
      { ...header, typ: 'JWT' },
      { ...header, typ: 'at+jwt' },
      { ...header, crit: ['x'], x: 1 },
      { ...header, b64: false, crit: ['b64'] },
    ];
    for (const one of wrong) expect(await refusalOf(parts, await signed(parts, one, claims))).toBe('unauthorized');
  });

  it('that says anything else than it may is refused, though its signature is good', async () => {
    const parts = await accessParts();
    const { header, claims } = decode(await parts.issue({ subject: 'u', runsMax: 1 }));
    const exp = claims.exp as number;
    const without = (name: string) => Object.fromEntries(Object.entries(claims).filter(([key]) => key !== name));
    const wrong: object[] = [
      ...['iss', 'aud', 'jti', 'iat', 'exp', 'key', 'workflows'].map(without),
      { ...claims, iss: 'other' },
      { ...claims, aud: 'other' },
      { ...claims, aud: ['rungate', 'other'] },
      { ...claims, exp: (claims.iat as number) - 1 },
      { ...claims, exp: String(exp) },
      { ...claims, exp: exp + 0.5 },
      { ...claims, exp: exp + 86_400 },
      { ...claims, nbf: exp },
      { ...claims, key: '' },
      { ...claims, key: 7 },
      { ...claims, workflows: [] },
      { ...claims, workflows: 'summarize' },
      { ...claims, workflows: Array.from({ length: 101 }, (_, i) => `w${i}`) },
      { ...claims, sub: '' },
      { ...claims, sub: '\nrun' },
      { ...claims, max_runs: 0 },
      { ...claims, max_runs: '5' },
      { ...claims, role: 'admin' },
      [claims],
    ];
    for (const one of wrong) expect(await refusalOf(parts, await signed(parts, header, one))).toBe('unauthorized');
    await parts.tokens.verify(await signed(parts, header, claims));
  });

  it('of a key that has gone, or of another role, is refused', async () => {
    const parts = await accessParts();
    const { header, claims } = decode(await parts.issue());
    expect(await refusalOf(parts, await signed(parts, header, { ...claims, key: '0123456789abcdef' }))).toBe(
      'unauthorized',
    );
    await parts.keys.insert({ ...parts.stored, id: 'admin00000000000', role: 'admin' });
    expect(await refusalOf(parts, await signed(parts, header, { ...claims, key: 'admin00000000000' }))).toBe(
      'unauthorized',
    );
  });

  it('cannot have what its key has lost, and never everything where nothing is left', async () => {
    const parts = await accessParts();
    const token = await parts.issue({ workflows: ['a', 'b'] });
    await parts.keys.insert({ ...parts.stored, allowedWorkflows: ['b', 'c'] });
    parts.clock.pass(1_000);
    expect((await parts.tokens.verify(token)).allowedWorkflows).toEqual(['b']);
    await parts.keys.insert({ ...parts.stored, allowedWorkflows: ['c'] });
    parts.clock.pass(1_000);
    expect(await refusalOf(parts, token)).toBe('unauthorized');
  });

  it('of 100 KB, or of the wildest text, is refused without a look at the store', async () => {
    const parts = await accessParts();
    const token = await parts.issue();
    const lists = parts.counted.lists;
    const before = performance.now();
    const [head = '', body = ''] = token.split('.');
    for (const text of [
      'rgt_' + 'a'.repeat(100_000),
      `${head}.${'a'.repeat(100_000)}.${'a'.repeat(43)}`,
      `${head}${'.'.repeat(100_000)}`,
      `${head}.${body}.${'\u{10FFFF}'.repeat(43)}`,
      'rgt_',
      'rgt_..',
      '',
    ]) {
      expect(await refusalOf(parts, text)).toBe('unauthorized');
    }
    expect(performance.now() - before).toBeLessThan(500);
    expect(parts.counted.lists).toBe(lists);
  });
});

describe('what is remembered of tokens', () => {
  it('belongs to the whole token: two that begin alike, or end alike, are two', async () => {
    const parts = await accessParts();
    const one = await parts.issue({ subject: 'one' });
    const two = await parts.issue({ subject: 'two' });
    expect(one.slice(0, 60)).toBe(two.slice(0, 60));
    const [, body = ''] = two.split('.');
    const [head = '', , signature = ''] = one.split('.');
    for (let times = 0; times < 2; times++) {
      expect((await parts.tokens.verify(one)).subject).toBe('one');
      expect((await parts.tokens.verify(two)).subject).toBe('two');
      // The head and the signature of one around the claims of the other.
      expect(await refusalOf(parts, `${head}.${body}.${signature}`)).toBe('unauthorized');
    }
  });

  it('spares the signature, and never the key', async () => {
    const parts = await accessParts();
    const token = await parts.issue();
    await parts.tokens.verify(token);
    // Without its signing key it is taken as long as it is remembered.
    parts.store.rows.splice(0);
    await parts.tokens.verify(token);
    await parts.keys.revoke(parts.stored.id, parts.clock.now());
    parts.clock.pass(500);
    expect(await refusalOf(parts, token)).toBe('unauthorized');
  });
});
