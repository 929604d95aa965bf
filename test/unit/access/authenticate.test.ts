import { describe, expect, it } from 'vitest';
import { createAuthenticator } from '../../../src/access/authenticate.ts';
import { unauthorized } from '../../../src/access/refusals.ts';
import { scopeOf, subjectOf } from '../../../src/core/caller.ts';
import { accessParts } from '../../support/access-parts.ts';
import { callerWith } from '../../support/runs-app.ts';

const OWN = 'https://app.example.com';
const CONFIGURED = 'https://console.example.com';
const OTHER = 'https://evil.example';

async function setUp(origins: string[] = []) {
  const parts = await accessParts({ origins });
  const asked: string[] = [];
  const { configured } = parts;
  configured.add(CONFIGURED);
  const authenticate = createAuthenticator({
    keys: parts.verifier,
    tokens: parts.tokens,
    oidc: {
      async verify(jwt) {
        asked.push(jwt);
        if (jwt !== 'a.good.jwt') throw unauthorized();
        const token = { id: 'jwt_1', runsMax: null, expiresAt: Infinity, origin: null };
        return { ...parts.caller, subject: 'user', token };
      },
    },
    configuredOrigins: () => configured,
  });
  const ask = (shown: Partial<Parameters<typeof authenticate>[0]>) =>
    authenticate({ authorization: undefined, token: null, origin: null, ...shown });
  return { ...parts, asked, ask };
}

describe('whoever asks', () => {
  it('is known by a key, a token, or a JWT, told apart by form', async () => {
    const { ask, key, issue, asked } = await setUp();
    expect((await ask({ authorization: `Bearer ${key}` })).token).toBeNull();
    const token = await issue({ subject: 'u' });
    expect((await ask({ authorization: `bearer   ${token}` })).subject).toBe('u');
    expect((await ask({ authorization: 'Bearer a.good.jwt' })).subject).toBe('user');
    expect(asked).toEqual(['a.good.jwt']);
  });

  it('may put a browser token, and nothing else, where the route takes one', async () => {
    const { ask, key, issue, asked } = await setUp();
    const token = await issue({ subject: 'u' });
    expect((await ask({ token })).subject).toBe('u');
    for (const other of [key, 'a.good.jwt', `Bearer ${token}`, '', 'rgt_']) {
      await expect(ask({ token: other })).rejects.toMatchObject({ code: 'unauthorized' });
    }
    expect(asked).toEqual([]);
  });

  it('is judged by the header where there are both', async () => {
    const { ask, issue } = await setUp();
    const token = await issue();
    for (const authorization of ['', 'Bearer nope', `Basic ${token}`]) {
      await expect(ask({ authorization, token })).rejects.toMatchObject({ code: 'unauthorized' });
    }
  });

  it('reads the scheme without regard to case', async () => {
    const { ask, key } = await setUp();
    for (const scheme of ['bearer', 'BEARER', 'bEaReR ']) {
      expect((await ask({ authorization: `${scheme} ${key}` })).token).toBeNull();
    }
  });

  it('is nobody with a good key in another form', async () => {
    const { ask, key } = await setUp();
    for (const authorization of [key, `Basic ${key}`, `Bearer ${key} ${key}`, `Bearer ${key},`, `Bearer, ${key}`]) {
      await expect(ask({ authorization })).rejects.toMatchObject({ code: 'unauthorized' });
    }
  });

  it.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'bearer  ',
    'Bearer x y',
    'Token rgt_x.y.z',
    'Bearer rgk_',
    'Bearer rgt_',
    'Bearer rgt_a.b.c',
    'Bearer RGT_a.b.c',
    'Bearer a.b.c',
    `Bearer ${'.'.repeat(100_000)}`,
    `Bearer${' '.repeat(100_000)}x`,
    'Bearer\trgt_x',
    'Bearer rgt_\u0000',
  ])('is nobody with %o', async (authorization) => {
    const { ask } = await setUp();
    await expect(ask({ authorization })).rejects.toMatchObject({ code: 'unauthorized' });
  });
});

describe('a page', () => {
  const forbidden = { code: 'forbidden' };

  it('may use a key that names it, or any where the configuration does', async () => {
    const { ask, key } = await setUp([OWN]);
    const authorization = `Bearer ${key}`;
    for (const origin of [OWN, CONFIGURED, null]) await ask({ authorization, origin });
    for (const origin of [OTHER, 'null', '', `${OWN}/`, OWN.toUpperCase(), 'http://app.example.com', `${OWN}:443`]) {
      await expect(ask({ authorization, origin })).rejects.toMatchObject(forbidden);
    }
  });

  it('is a server’s own business where the key names none', async () => {
    const { ask, key } = await setUp();
    expect((await ask({ authorization: `Bearer ${key}`, origin: OTHER })).token).toBeNull();
  });

  it('must be named for a token, even where its key names none', async () => {
    const { ask, issue } = await setUp();
    const token = await issue();
    await ask({ token });
    await ask({ token, origin: CONFIGURED });
    await expect(ask({ token, origin: OTHER })).rejects.toMatchObject(forbidden);
    await expect(ask({ authorization: 'Bearer a.good.jwt', origin: OTHER })).rejects.toMatchObject(forbidden);
  });

  it('must be the one that a token was made for, whatever else is named', async () => {
    const { ask, issue } = await setUp([OWN, 'https://second.example.com']);
    const token = await issue({ origin: OWN });
    await ask({ token, origin: OWN });
    for (const origin of [CONFIGURED, 'https://second.example.com', OTHER]) {
      await expect(ask({ token, origin })).rejects.toMatchObject(forbidden);
    }
  });

  it('that is wrong is told only to those who have shown who they are', async () => {
    const { ask } = await setUp([OWN]);
    await expect(ask({ authorization: 'Bearer nope', origin: OTHER })).rejects.toMatchObject({ code: 'unauthorized' });
  });

  it('comes and goes with a reload', async () => {
    const { ask, issue, configured } = await setUp();
    const token = await issue();
    configured.delete(CONFIGURED);
    await expect(ask({ token, origin: CONFIGURED })).rejects.toMatchObject(forbidden);
  });
});

describe('what a caller has to itself', () => {
  const token = (id: string) => ({ id, runsMax: null, expiresAt: 0, origin: null });

  it('is everything for a key, its subject’s for a token, and its own for a token without one', () => {
    const key = callerWith('runs');
    expect(scopeOf(key)).toBe('');
    expect(scopeOf({ ...key, token: token('a'), subject: 'user' })).toBe('user');
    const alone = scopeOf({ ...key, token: token('a') });
    expect(alone).not.toBe(scopeOf({ ...key, token: token('b') }));
    expect(alone).not.toBe('');
  });

  it('is shown as a subject only where it is one', () => {
    const key = callerWith('runs');
    expect(subjectOf(scopeOf(key))).toBeNull();
    expect(subjectOf(null)).toBeNull();
    expect(subjectOf(scopeOf({ ...key, token: token('a') }))).toBeNull();
    expect(subjectOf(scopeOf({ ...key, token: token('a'), subject: 'user' }))).toBe('user');
  });
});
