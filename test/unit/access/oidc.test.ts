import { createHmac } from 'node:crypto';
import { exportSPKI, importJWK, type CryptoKey } from 'jose';
import { afterEach, describe, expect, it } from 'vitest';
import { createKey } from '../../../src/access/keys.ts';
import { createOidcVerifier } from '../../../src/access/oidc.ts';
import type { IssuerSettings } from '../../../src/core/access-settings.ts';
import type { CallerToken } from '../../../src/core/caller.ts';
import { systemClock } from '../../../src/core/clock.ts';
import type { GatewayError } from '../../../src/core/errors.ts';
import type { LogFields } from '../../../src/core/log.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import { createUpstream } from '../../../src/upstream/create-upstream.ts';
import { upstreamLimits } from '../../../src/app/limits.ts';
import { loadSettings } from '../../../src/config/load-settings.ts';
import { accessParts, testClock } from '../../support/access-parts.ts';
import { AUDIENCE, startOidcIssuer, type OidcIssuer } from '../../support/oidc-issuer.ts';

let cleanUp = new AsyncDisposableStack();
afterEach(async () => {
  const used = cleanUp;
  cleanUp = new AsyncDisposableStack();
  await used.disposeAsync();
});

function encode(part: unknown): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

async function setUp(changes: Partial<IssuerSettings> = {}) {
  const clock = testClock();
  const parts = await accessParts({ limits: { requestsPerMinute: 5, concurrentRuns: null, runsPerDay: null } }, clock);
  const issuer = cleanUp.use(await startOidcIssuer({ keyId: parts.stored.id, now: clock.now }));
  const logged: { fields: LogFields; message: string }[] = [];
  const note = (fields: LogFields, message: string) => void logged.push({ fields, message });
  const log = { debug: note, info: note, warn: note, error: note };
  const documents = createUpstream({
    clock: systemClock,
    random: createSystemRandom(),
    log,
    limits: upstreamLimits(loadSettings({}).limits),
    guard: { allowedLoopback: new Set() },
    version: '9.9.9',
  });
  cleanUp.defer(() => documents.close());
  const configured = { issuers: [issuer.settings(changes)] as readonly IssuerSettings[] };
  const oidc = createOidcVerifier({
    issuers: () => configured.issuers,
    documents,
    keys: parts.verifier,
    clock,
    log,
    signal: new AbortController().signal,
  });
  return { ...parts, clock, issuer, oidc, logged, configured };
}

/** The code that it is refused with; null: it is taken. */
async function refusalOf({ oidc }: Pick<Awaited<ReturnType<typeof setUp>>, 'oidc'>, jwt: string): Promise<unknown> {
  return oidc.verify(jwt).then(
    () => null,
    (error: GatewayError) => error.code,
  );
}

describe('a signed-in user’s JWT', () => {
  it('stands for the issuer’s key, with the user as subject', async () => {
    const { oidc, issuer, stored, caller, clock } = await setUp();
    expect(await oidc.verify(await issuer.sign({ claims: { jti: 'j1' } }))).toEqual({
      ...caller,
      subject: 'user-42',
      token: {
        id: expect.stringMatching(/^jwt_[\w-]{43}$/),
        runsMax: null,
        expiresAt: clock.now() + 305_000,
        origin: null,
      },
    });
    expect(caller.keyId).toBe(stored.id);
    expect(issuer.asked).toEqual(['/.well-known/openid-configuration', '/keys']);
  });

  it('names the user in the claim that the configuration says', async () => {
    const parts = await setUp({ subjectClaim: 'email' });
    const jwt = await parts.issuer.sign({ claims: { email: 'a@example.com', sub: 'x' } });
    expect((await parts.oidc.verify(jwt)).subject).toBe('a@example.com');
    expect(await refusalOf(parts, await parts.issuer.sign())).toBe('unauthorized');
  });

  it.each([undefined, null, 7, '', 'a\nb', '\nrun', 'x'.repeat(201), ['u'], { id: 'u' }, true])(
    'is refused where the user is %o',
    async (sub) => {
      const parts = await setUp();
      await parts.oidc.verify(await parts.issuer.sign());
      expect(await refusalOf(parts, await parts.issuer.sign({ claims: { sub } }))).toBe('unauthorized');
    },
  );

  it('is refused for another issuer, audience or time', async () => {
    const parts = await setUp();
    const { issuer, clock } = parts;
    const nowS = clock.now() / 1000;
    await parts.oidc.verify(await issuer.sign({ claims: { aud: ['other', AUDIENCE] } }));
    const wrong: Record<string, unknown>[] = [
      { iss: 'https://other.example' },
      { iss: `${issuer.url}/` },
      { iss: undefined },
      { iss: [issuer.url] },
      { aud: 'https://other.example' },
      { aud: undefined },
      { aud: [] },
      { aud: AUDIENCE.slice(0, -1) },
      { exp: undefined },
      { exp: nowS - 5 },
      { exp: 'tomorrow' },
      // Times that nothing could show.
      { exp: 253_402_300_800 },
      { exp: 1e300 },
      { nbf: nowS + 60 },
    ];
    for (const claims of wrong) expect(await refusalOf(parts, await issuer.sign({ claims }))).toBe('unauthorized');
    // Clocks differ by a little.
    await parts.oidc.verify(await issuer.sign({ claims: { exp: nowS - 4, nbf: nowS + 4 } }));
  });

  it('ends with its time, though it is remembered', async () => {
    const parts = await setUp();
    const jwt = await parts.issuer.sign({ claims: { exp: parts.clock.now() / 1000 + 10 } });
    await parts.oidc.verify(jwt);
    parts.clock.pass(14_999);
    await parts.oidc.verify(jwt);
    parts.clock.pass(1);
    await expect(parts.oidc.verify(jwt)).rejects.toMatchObject({
      code: 'unauthorized',
      message: expect.stringContaining('expired'),
    });
  });

  it('ends with the key that it stands for, and the log says once why', async () => {
    const parts = await setUp();
    const jwt = await parts.issuer.sign();
    await parts.oidc.verify(jwt);
    await parts.keys.revoke(parts.stored.id, parts.clock.now());
    parts.clock.pass(500);
    for (let times = 0; times < 3; times++) expect(await refusalOf(parts, jwt)).toBe('unauthorized');
    expect(parts.logged).toEqual([
      { fields: { issuer: parts.issuer.url, key: parts.stored.id }, message: expect.stringContaining('users refused') },
    ]);
  });

  it('is refused with a reason in the log, once a minute for each, and with no part of itself', async () => {
    const parts = await setUp();
    const { issuer, clock } = parts;
    const stranger = await issuer.newKey('stranger');
    const refused = {
      form: 'a.b',
      iss: await issuer.sign({ claims: { iss: 'https://other.example' } }),
      aud: await issuer.sign({ claims: { aud: 'https://other.example' } }),
      exp: await issuer.sign({ claims: { exp: clock.now() / 1000 - 60 } }),
      nbf: await issuer.sign({ claims: { nbf: clock.now() / 1000 + 60 } }),
      sub: await issuer.sign({ claims: { sub: 7 } }),
      typ: await issuer.sign({ header: { typ: 'logout+jwt' } }),
      kid: await issuer.sign({ header: { kid: 'made-up' } }),
      signature: await issuer.sign({ key: stranger, header: { kid: 'first' } }),
    };
    for (const jwt of [...Object.values(refused), ...Object.values(refused)]) {
      expect(await refusalOf(parts, jwt)).toBe('unauthorized');
    }
    const lines = parts.logged.filter(({ message }) => message === 'a user’s JWT was refused');
    expect(lines.map(({ fields }) => fields)).toEqual(
      Object.keys(refused).map((reason) => ({
        issuer: reason === 'form' || reason === 'iss' ? null : issuer.url,
        reason,
      })),
    );
    parts.logged.length = 0;
    clock.pass(60_000);
    await refusalOf(parts, refused.aud);
    expect(parts.logged).toEqual([
      { fields: { issuer: issuer.url, reason: 'aud' }, message: 'a user’s JWT was refused' },
    ]);
  });

  it('is refused where the key may start nothing', async () => {
    const parts = await setUp();
    await parts.keys.insert({ ...parts.stored, role: 'admin' });
    parts.clock.pass(500);
    expect(await refusalOf(parts, await parts.issuer.sign())).toBe('unauthorized');
  });

  it('is refused while another issuer’s key is of the same line: two users may have one name', async () => {
    const parts = await setUp();
    const jwt = await parts.issuer.sign();
    const mine = parts.issuer.settings();
    const wanted = { ...parts.stored, expiresAt: null };
    const successor = createKey(wanted, { clock: parts.clock, random: createSystemRandom() }).stored;
    const stranger = createKey({ ...wanted, lineage: 'another' }, { clock: parts.clock, random: createSystemRandom() });
    await parts.keys.insert(successor);
    await parts.keys.insert(stranger.stored);
    const other = (keyId: string) => ({ ...mine, issuer: 'https://other.example', keyId });
    parts.configured.issuers = [mine, other(successor.id)];
    expect(await refusalOf(parts, jwt)).toBe('unauthorized');
    expect(parts.logged).toMatchObject([{ message: expect.stringContaining('of one line with another issuer’s') }]);
    for (const keyId of [stranger.stored.id, 'none']) {
      parts.configured.issuers = [mine, other(keyId)];
      expect(await refusalOf(parts, jwt)).toBeNull();
    }
  });

  it('is told from one that begins or ends alike', async () => {
    const { oidc, issuer } = await setUp();
    const one = await issuer.sign({ claims: { sub: 'one' } });
    const two = await issuer.sign({ claims: { sub: 'two' } });
    expect(one.slice(0, 40)).toBe(two.slice(0, 40));
    const [head, , signature] = one.split('.');
    for (let times = 0; times < 2; times++) {
      expect((await oidc.verify(one)).subject).toBe('one');
      expect((await oidc.verify(two)).subject).toBe('two');
      expect(await refusalOf({ oidc }, `${head}.${two.split('.')[1]}.${signature}`)).toBe('unauthorized');
    }
  });

  it('has one spelling: the bits of its last character that stand for nothing are none', async () => {
    const parts = await setUp();
    const jwt = await parts.issuer.sign();
    await parts.oidc.verify(jwt);
    const bytes = Buffer.from(jwt.slice(jwt.lastIndexOf('.') + 1), 'base64url');
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const spellings = Array.from(alphabet, (last) => jwt.slice(0, -1) + last).filter((other) => {
      return other !== jwt && Buffer.from(other.slice(other.lastIndexOf('.') + 1), 'base64url').equals(bytes);
    });
    expect(spellings).toHaveLength(15);
    for (const other of spellings) expect(await refusalOf(parts, other)).toBe('unauthorized');
  });
});

describe('algorithms', () => {
  it.each(['ES256', 'PS256', 'EdDSA', 'RS512'] as const)(
    'other than the default are taken where %s is configured',
    async (algorithm) => {
      const parts = await setUp({ algorithms: [algorithm] });
      const key = await parts.issuer.newKey('k', algorithm);
      parts.issuer.keys.push(key);
      expect((await parts.oidc.verify(await parts.issuer.sign({ key }))).subject).toBe('user-42');
      expect(await refusalOf(parts, await parts.issuer.sign())).toBe('unauthorized');
    },
  );

  it('that are not configured are refused, though their keys are published', async () => {
    const parts = await setUp();
    for (const algorithm of ['ES256', 'PS256', 'EdDSA'] as const) {
      const key = await parts.issuer.newKey(algorithm, algorithm);
      parts.issuer.keys.push(key);
      parts.clock.pass(20_000);
      expect(await refusalOf(parts, await parts.issuer.sign({ key }))).toBe('unauthorized');
    }
    await parts.oidc.verify(await parts.issuer.sign());
  });

  it('with a shared secret are refused: `none`, the public key as secret, a secret among the keys', async () => {
    const parts = await setUp();
    const [key] = parts.issuer.keys;
    if (!key) throw new Error('no key');
    const claims = (await parts.issuer.sign()).split('.')[1] ?? '';
    const secret = Buffer.from('0123456789abcdef0123456789abcdef');
    parts.issuer.strayKeys.push({ kty: 'oct', k: secret.toString('base64url'), kid: 'shared', alg: 'HS256' });
    parts.issuer.strayKeys.push({ kty: 'oct', k: secret.toString('base64url'), kid: 'as-rsa', alg: 'RS256' });
    const pem = await exportSPKI((await importJWK(key.publicJwk, 'RS256')) as CryptoKey);
    for (const [kid, material] of [
      ['first', pem],
      ['first', JSON.stringify(key.publicJwk)],
      ['shared', secret],
      ['as-rsa', secret],
    ] as const) {
      for (const alg of ['HS256', 'RS256']) {
        const text = `${encode({ alg, kid })}.${claims}`;
        expect(
          await refusalOf(parts, `${text}.${createHmac('sha256', material).update(text).digest('base64url')}`),
        ).toBe('unauthorized');
      }
    }
    for (const alg of ['none', 'None', '', null]) {
      expect(await refusalOf(parts, `${encode({ alg, kid: 'first' })}.${claims}.`)).toBe('unauthorized');
      expect(await refusalOf(parts, `${encode({ alg, kid: 'first' })}.${claims}.AAAA`)).toBe('unauthorized');
    }
    await parts.oidc.verify(await parts.issuer.sign());
  });

  it('are not chosen by the JWT’s own headers', async () => {
    const parts = await setUp();
    const mine = await parts.issuer.newKey('mine');
    const elsewhere = cleanUp.use(await startOidcIssuer({ keyId: parts.stored.id }));
    for (const header of [
      { jwk: mine.publicJwk },
      { jku: `${elsewhere.url}/keys` },
      { x5u: `${elsewhere.url}/keys` },
      { crit: ['exp'], exp: 1 },
      { typ: 'logout+jwt' },
    ]) {
      expect(await refusalOf(parts, await parts.issuer.sign({ key: mine, header }).catch(() => 'a.b.c'))).toBe(
        'unauthorized',
      );
    }
    expect(await refusalOf(parts, await parts.issuer.sign({ header: { typ: 'logout+jwt' } }))).toBe('unauthorized');
    await parts.oidc.verify(await parts.issuer.sign({ header: { typ: 'at+jwt' } }));
    expect(elsewhere.asked).toEqual([]);
  });
});

describe('an issuer’s keys', () => {
  it('are fetched once for many who come at the same time', async () => {
    const { oidc, issuer } = await setUp();
    const jwts = await Promise.all(Array.from({ length: 30 }, (_, i) => issuer.sign({ claims: { sub: `u${i}` } })));
    await Promise.all(jwts.map((jwt) => oidc.verify(jwt)));
    expect(issuer.asked).toHaveLength(2);
  });

  it('are found after a rotation, and the old one is refused once it is withdrawn', async () => {
    const parts = await setUp();
    const { issuer, oidc, clock } = parts;
    const old = await issuer.sign();
    await oidc.verify(old);
    const next = await issuer.newKey('second');
    issuer.keys = [next];
    clock.pass(10_000);
    expect((await oidc.verify(await issuer.sign())).subject).toBe('user-42');
    // What was verified is believed for a minute.
    await oidc.verify(old);
    clock.pass(60_000);
    expect(await refusalOf(parts, old)).toBe('unauthorized');
  });

  it('are not fetched for every made-up key id', async () => {
    const parts = await setUp();
    const { issuer, clock } = parts;
    await parts.oidc.verify(await issuer.sign());
    const before = issuer.asked.length;
    const [key] = issuer.keys;
    if (!key) throw new Error('no key');
    for (let i = 0; i < 50; i++)
      expect(await refusalOf(parts, await issuer.sign({ header: { kid: `made-up-${i}` } }))).toBe('unauthorized');
    clock.pass(10_000);
    for (let i = 0; i < 50; i++)
      expect(await refusalOf(parts, await issuer.sign({ header: { kid: `more-${i}` } }))).toBe('unauthorized');
    expect(issuer.asked.length - before).toBeLessThanOrEqual(2);
    await parts.oidc.verify(await issuer.sign());
  });

  it('are used on while the issuer is away, and found again when it is back', async () => {
    const { oidc, issuer, clock, logged } = await setUp();
    await oidc.verify(await issuer.sign());
    issuer.answer = { status: 500 };
    clock.pass(3_600_000);
    await oidc.verify(await issuer.sign());
    await expect.poll(() => logged.map(({ fields }) => fields.reason)).toEqual(['status 500 came']);
    issuer.answer = null;
    clock.pass(10_000);
    issuer.keys = [await issuer.newKey('second')];
    expect((await oidc.verify(await issuer.sign())).subject).toBe('user-42');
  });

  it('that are a day old are not used any more', async () => {
    const { oidc, issuer, clock } = await setUp();
    await oidc.verify(await issuer.sign());
    issuer.answer = { status: 503 };
    clock.pass(86_400_001);
    await expect(oidc.verify(await issuer.sign())).rejects.toMatchObject({ code: 'vault_unavailable' });
  });

  it('that cannot be had say nothing of the JWT, and the issuer is asked again after a moment', async () => {
    const { oidc, issuer, clock } = await setUp();
    issuer.answer = { status: 500 };
    const jwt = await issuer.sign();
    for (let times = 0; times < 10; times++) {
      await expect(oidc.verify(jwt)).rejects.toMatchObject({ code: 'vault_unavailable', details: { retryAfterS: 5 } });
    }
    expect(issuer.asked).toHaveLength(1);
    issuer.answer = null;
    clock.pass(2_000);
    await oidc.verify(jwt);
  });

  it.each<[string, OidcIssuer['answer']]>([
    ['text', { body: 'nope' }],
    ['a list', { body: '[]' }],
    ['nothing', { body: '' }],
    ['no list', { body: '{}' }],
    ['a page that is gone', { status: 410 }],
    ['keys of the wrong form', { body: '{"keys":{"0":{}}}' }],
    ['too many keys', { body: JSON.stringify({ keys: Array.from({ length: 101 }, () => ({ kty: 'RSA' })) }) }],
    ['a megabyte', { body: JSON.stringify({ keys: [{ kty: 'RSA', n: 'A'.repeat(1_000_000) }] }) }],
    ['a redirect', { status: 302, headers: { location: 'http://127.0.0.1:1/' } }],
    ['compressed text', { body: '{"keys":[]}', headers: { 'content-encoding': 'gzip' } }],
  ])('are not taken from %s', async (_, answer) => {
    const { oidc, issuer, logged } = await setUp();
    issuer.answer = answer;
    await expect(oidc.verify(await issuer.sign())).rejects.toMatchObject({ code: 'vault_unavailable' });
    expect(logged).toHaveLength(1);
  });

  it.each([
    ['an empty list', { keys: [] }],
    ['none that fits', { keys: [{ kty: 'EC', crv: 'P-256' }, { kty: 'RSA', use: 'enc' }, { kty: 'oct' }] }],
  ])('are gone once the issuer answers with %s, and the log says so', async (_, document) => {
    const parts = await setUp();
    const { issuer, clock, logged, configured } = parts;
    configured.issuers = [issuer.settings({ jwksUri: `${issuer.url}/keys` })];
    await parts.oidc.verify(await issuer.sign());
    issuer.answer = { body: JSON.stringify(document) };
    clock.pass(600_001);
    expect(await refusalOf(parts, await issuer.sign())).toBe('unauthorized');
    const told = {
      fields: { issuer: issuer.url, algorithms: ['RS256'] },
      message: 'an issuer has no key that can be used',
    };
    expect(logged).toContainEqual(told);
    issuer.answer = null;
    clock.pass(10_000);
    await parts.oidc.verify(await issuer.sign());
  });

  it('that nobody could use harm none that can', async () => {
    const parts = await setUp();
    parts.issuer.strayKeys.push(null, 7, 'x', [], {}, { kty: 'RSA' }, { kty: 'RSA', n: '!', e: 1, kid: 'broken' });
    parts.issuer.strayKeys.push({ kty: 'RSA', use: 'enc', kid: 'enc' }, { kty: 'RSA', kid: 'private', d: 'secret' });
    await parts.oidc.verify(await parts.issuer.sign());
    expect(await refusalOf(parts, await parts.issuer.sign({ header: { kid: 'broken' } }))).toBe('unauthorized');
  });

  it('of one name are tried in turn', async () => {
    const parts = await setUp();
    const { issuer } = parts;
    const [first] = issuer.keys;
    const second = await issuer.newKey('first');
    issuer.keys.push(second);
    if (!first) throw new Error('no key');
    await parts.oidc.verify(await issuer.sign({ key: first, claims: { sub: 'a' } }));
    await parts.oidc.verify(await issuer.sign({ key: second, claims: { sub: 'b' } }));
    const stranger = await issuer.newKey('first');
    expect(await refusalOf(parts, await issuer.sign({ key: stranger }))).toBe('unauthorized');
  });

  it('are not read where the discovery document is another’s, or sends us to another scheme', async () => {
    for (const discovery of [
      { issuer: 'https://other.example' },
      { jwks_uri: 'file:///etc/passwd' },
      { jwks_uri: 7 },
      { jwks_uri: 'http://user:pass@127.0.0.1/' },
    ]) {
      const { oidc, issuer } = await setUp();
      issuer.discovery = discovery;
      await expect(oidc.verify(await issuer.sign())).rejects.toMatchObject({ code: 'vault_unavailable' });
      expect(issuer.asked).toHaveLength(1);
    }
  });

  it('are not fetched from a private address that the operator has not allowed', async () => {
    const { oidc, issuer, logged } = await setUp({ allowPrivateNetwork: false });
    await expect(oidc.verify(await issuer.sign())).rejects.toMatchObject({ code: 'vault_unavailable' });
    expect(issuer.asked).toEqual([]);
    // Not even plain HTTP is tried.
    expect(logged[0]?.fields.reason).toBe('invalid_request: the URL is not https');
  });

  it('come from where the configuration says, without discovery', async () => {
    const parts = await setUp();
    parts.configured.issuers = [parts.issuer.settings({ jwksUri: `${parts.issuer.url}/keys` })];
    await parts.oidc.verify(await parts.issuer.sign());
    expect(parts.issuer.asked).toEqual(['/keys']);
  });
});

describe('a reload', () => {
  it('keeps what is known of an issuer that is as it was, and forgets one that is not', async () => {
    const parts = await setUp();
    const { issuer, configured, oidc } = parts;
    const jwt = await issuer.sign();
    await oidc.verify(jwt);
    configured.issuers = [issuer.settings()];
    await oidc.verify(jwt);
    expect(issuer.asked).toHaveLength(2);
    configured.issuers = [issuer.settings({ audience: 'https://other.example' })];
    expect(await refusalOf(parts, jwt)).toBe('unauthorized');
    configured.issuers = [];
    expect(await refusalOf(parts, jwt)).toBe('unauthorized');
  });
});

describe('a token that was let in', () => {
  it('is trusted for as long as the configuration has its issuer as it was', async () => {
    const { issuer, configured, oidc, tokens, issue } = await setUp();
    const letIn = async () => (await oidc.verify(await issuer.sign())).token as CallerToken;
    const token = await letIn();
    configured.issuers = [issuer.settings()];
    expect(oidc.isTrusted(token)).toBe(true);
    configured.issuers = [issuer.settings({ algorithms: ['RS256', 'ES256'] })];
    expect(oidc.isTrusted(token)).toBe(false);
    const later = await letIn();
    expect(oidc.isTrusted(later)).toBe(true);
    configured.issuers = [];
    expect([oidc.isTrusted(token), oidc.isTrusted(later)]).toEqual([false, false]);
    expect(oidc.isTrusted((await tokens.verify(await issue())).token as CallerToken)).toBe(true);
  });
});

describe('garbage', () => {
  it('is refused before anybody is asked', async () => {
    const parts = await setUp();
    const jwt = await parts.issuer.sign();
    const wrong = [
      '',
      '.',
      '..',
      'a.b.c',
      'a.b',
      'a.b.c.d',
      `${jwt} `,
      ` ${jwt}`,
      `${jwt}=`,
      `${jwt}.${jwt}`,
      `${encode({ alg: 'RS256' })}.${encode('text')}.AAAA`,
      `${encode({ alg: 'RS256' })}.${encode(null)}.AAAA`,
      `${encode({ alg: 'RS256' })}.${encode({ iss: { a: 1 } })}.AAAA`,
      `${encode({ alg: 'RS256' })}.${encode({ iss: '__proto__' })}.AAAA`,
      'x'.repeat(100_000),
      `${'x'.repeat(50_000)}.${'x'.repeat(50_000)}.x`,
      `${encode({ alg: 'RS256' })}.${encode({ iss: parts.issuer.url, x: 'y'.repeat(10_000) })}.AAAA`,
    ];
    for (const one of wrong) expect(await refusalOf(parts, one)).toBe('unauthorized');
    expect(parts.issuer.asked).toEqual([]);
  });
});
