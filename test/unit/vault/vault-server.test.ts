import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openReferences } from '../../../src/app/open-references.ts';
import { loadSettings } from '../../../src/config/load-settings.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import { startSecretsServer, type Mood } from '../../support/secrets-server.ts';

const TUTOR = 'vault:kv/vendors/tutor#api_key';
const LOGIN = 'POST /v1/auth/approle/login';
const READ = 'GET /v1/kv/data/vendors/tutor';
const RENEW = 'POST /v1/auth/token/renew-self';
const BY_TOKEN = { RUNGATE_VAULT_TOKEN: 'hvs.marker-token' };
const BY_ROLE = { RUNGATE_VAULT_ROLE_ID: 'role-1', RUNGATE_VAULT_SECRET_ID: 'secret-id-1' };

/** A server, and what reads references from it; `pass` lets the cache grow old and tokens end. */
async function setUp(given: Record<string, string> = BY_TOKEN, { namespace = null as string | null } = {}) {
  const server = await startSecretsServer({ namespace });
  server.put('kv/vendors/tutor', { api_key: 'sk_marker-1', region: 'eu' });
  server.allow(BY_TOKEN.RUNGATE_VAULT_TOKEN, true);
  let passedMs = 0;
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + passedMs };
  const told: { level: string; message: string; fields: object }[] = [];
  const note = (level: string) => (fields: object, message: string) => void told.push({ level, message, fields });
  const log = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') };
  const environment = {
    RUNGATE_VAULT_ADDR: server.address,
    RUNGATE_VAULT_ALLOW_PRIVATE_NETWORK: 'true',
    RUNGATE_VAULT_TIMEOUT_MS: '500',
    ...given,
  };
  const settings = loadSettings(environment);
  const references = openReferences({ settings, environment, clock, random: createSystemRandom(), log });
  onTestFinished(async () => {
    await references.close();
    await server.close();
    expect(server.complaints).toEqual([]);
    expect(inspect([told, references], { depth: 12, showHidden: true })).not.toMatch(/marker|secret-id-1|hvs\./);
  });
  const open = async (reference = TUTOR) => (await references.read(reference))?.open() ?? null;
  const faultOf = async (reference = TUTOR) => {
    const error = await references.read(reference).catch((thrown: unknown) => thrown);
    expect(inspect(error, { depth: 12, showHidden: true })).not.toMatch(/marker|secret-id-1|hvs\.|sk_(half|garbage)/);
    return error instanceof GatewayError ? { code: error.code, message: error.message } : null;
  };
  const pass = (ms: number) => void (passedMs += ms);
  return { server, references, open, faultOf, pass, told };
}

async function fileWith(text: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'rungate-vault-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  await writeFile(join(directory, 'file'), text);
  return join(directory, 'file');
}

describe('a secret in Vault', () => {
  it('is the field of the latest version, read with the token, and several fields are one read', async () => {
    const { server, open } = await setUp();
    expect(await open()).toBe('sk_marker-1');
    expect(await open('vault:kv/vendors/tutor#region')).toBe('eu');
    expect(server.calls).toEqual([{ line: READ, token: 'hvs.marker-token' }]);
  });

  it('is in a namespace where one is configured, and nowhere without it', async () => {
    const { open } = await setUp({ ...BY_TOKEN, RUNGATE_VAULT_NAMESPACE: 'team/a' }, { namespace: 'team/a' });
    expect(await open()).toBe('sk_marker-1');
    const other = await setUp(BY_TOKEN, { namespace: 'team/a' });
    expect(await other.faultOf()).toMatchObject({ code: 'vault_unavailable' });
  });

  it('has a path whose names are encoded', async () => {
    const { server, open } = await setUp();
    server.put('kv/a b/ü?#', { key: 'sk_marker-2' });
    expect(await open('vault:kv/a%20b/%C3%BC%3F%23#key')).toBe('sk_marker-2');
  });

  it.each<[string, (server: Awaited<ReturnType<typeof setUp>>['server']) => void]>([
    ['deleted', (server) => server.softDelete('kv/vendors/tutor')],
    ['removed with its metadata', (server) => server.remove('kv/vendors/tutor')],
    ['written without the field', (server) => server.put('kv/vendors/tutor', { other: 'sk_marker-2' })],
    ['written as a number', (server) => server.put('kv/vendors/tutor', { api_key: 1234567 })],
  ])('is gone where it was %s, and is not bridged', async (_, remove) => {
    const { server, references, open, pass } = await setUp();
    expect(await open()).toBe('sk_marker-1');
    remove(server);
    pass(120_000);
    expect(await references.read(TUTOR)).toBeNull();
  });

  it.each<[string, Mood, string]>([
    ['sealed', 'sealed', 'sealed'],
    ['silent', 'silent', 'did not answer in time'],
    ['cut', 'cut', 'broke its answer off'],
    ['another site', 'html', '(404)'],
    ['garbage', 'garbage', 'none that Vault gives'],
    ['too large an answer', 'huge', 'too large'],
    ['a standby that redirects', { redirect: 'http://127.0.0.1:1/v1/kv/data/vendors/tutor' }, 'redirects (307)'],
    ['a standby', { status: 473 }, 'standby (473)'],
    ['over its limits', { status: 429 }, '(429)'],
    ['not initialized', { status: 501 }, 'not initialized'],
    ['failing', { status: 500 }, 'it failed (500)'],
  ])('is bridged while the server is %s, and then a fault that says so', async (_, mood, reason) => {
    const { server, open, faultOf, pass } = await setUp();
    expect(await open()).toBe('sk_marker-1');
    server.mood = mood;
    pass(599_000);
    expect(await open()).toBe('sk_marker-1');
    pass(62_000);
    const fault = await faultOf();
    expect(fault?.code).toBe('vault_unavailable');
    expect(fault?.message).toContain(reason);
    expect(fault?.message).not.toContain(server.address);
    server.mood = 'works';
    server.put('kv/vendors/tutor', { api_key: 'sk_marker-2' });
    pass(10_000);
    expect(await open()).toBe('sk_marker-2');
  });

  it('is bridged while nobody listens there', async () => {
    const { server, open, faultOf, pass } = await setUp();
    expect(await open()).toBe('sk_marker-1');
    await server.down();
    pass(599_000);
    expect(await open()).toBe('sk_marker-1');
    pass(62_000);
    expect((await faultOf())?.message).toContain('no connection');
    await server.up();
    pass(10_000);
    expect(await open()).toBe('sk_marker-1');
  });

  it('is never fetched over a redirect, with the token or without', async () => {
    const { server, faultOf } = await setUp();
    const other = await startSecretsServer();
    onTestFinished(() => other.close());
    server.mood = { redirect: `${other.address}/v1/kv/data/vendors/tutor` };
    expect((await faultOf())?.message).toContain('RUNGATE_VAULT_ADDR');
    expect(other.calls).toEqual([]);
  });

  it('at a private address is not asked for where that is not allowed', async () => {
    const { server, faultOf } = await setUp({
      ...BY_TOKEN,
      RUNGATE_VAULT_ALLOW_PRIVATE_NETWORK: 'false',
      RUNGATE_VAULT_ADDR: 'https://127.0.0.1:8200',
    });
    expect((await faultOf())?.message).toContain('RUNGATE_VAULT_ALLOW_PRIVATE_NETWORK');
    expect(server.calls).toEqual([]);
  });

  it('that the token may not read is a fault, and is bridged like others', async () => {
    const { server, open, faultOf, pass } = await setUp();
    expect(await open()).toBe('sk_marker-1');
    server.hide('kv/vendors/tutor');
    pass(120_000);
    expect(await open()).toBe('sk_marker-1');
    pass(600_000);
    expect((await faultOf())?.message).toContain('(403)');
  });
});

describe('the token', () => {
  it('in a file is read again when it changes, at the latest when the one before is refused', async () => {
    const file = await fileWith('hvs.marker-a\n');
    const { server, open, pass } = await setUp({ RUNGATE_VAULT_TOKEN_FILE: file });
    server.allow('hvs.marker-a', true);
    expect(await open()).toBe('sk_marker-1');
    server.allow('hvs.marker-a', false);
    server.allow('hvs.marker-b', true);
    await writeFile(file, 'hvs.marker-b\n');
    await new Promise((resolve) => setTimeout(resolve, 150));
    pass(120_000);
    server.put('kv/vendors/tutor', { api_key: 'sk_marker-2' });
    expect(await open()).toBe('sk_marker-2');
    expect(server.calls.at(-1)?.token).toBe('hvs.marker-b');
  });

  it('in a file is read again as soon as the one before is refused', async () => {
    const file = await fileWith('hvs.marker-a\n');
    const { server, open } = await setUp({ RUNGATE_VAULT_TOKEN_FILE: file });
    server.put('kv/b', { key: 'sk_marker-b' });
    server.allow('hvs.marker-a', true);
    expect(await open()).toBe('sk_marker-1');
    server.allow('hvs.marker-a', false);
    server.allow('hvs.marker-b', true);
    await writeFile(file, 'hvs.marker-b\n');
    // What was written a moment ago may be half of it.
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(await open('vault:kv/b#key')).toBe('sk_marker-b');
  });

  it('in a file that is not there, or empty, is a fault that says so', async () => {
    const file = await fileWith('\n');
    const { server, faultOf, pass } = await setUp({ RUNGATE_VAULT_TOKEN_FILE: file });
    expect((await faultOf())?.message).toContain('the file with the token for it holds none');
    await rm(file);
    pass(10_000);
    expect((await faultOf())?.message).toContain('the file with the token for it is not there');
    expect(server.calls).toEqual([]);
  });

  it('that is refused is not shown again and again', async () => {
    const { server, faultOf, pass } = await setUp({ RUNGATE_VAULT_TOKEN: 'hvs.marker-wrong' });
    expect((await faultOf())?.message).toContain('(403)');
    pass(10_000);
    await faultOf();
    expect(server.calls).toHaveLength(2);
  });
});

describe('AppRole', () => {
  it('logs in once for many reads, with both ids in the body and no token', async () => {
    const { server, open } = await setUp(BY_ROLE);
    server.put('kv/b', { key: 'sk_marker-b' });
    expect(await Promise.all([open(), open('vault:kv/b#key'), open()])).toEqual([
      'sk_marker-1',
      'sk_marker-b',
      'sk_marker-1',
    ]);
    expect(server.callsOf(LOGIN)).toBe(1);
    expect(server.calls[0]).toEqual({ line: LOGIN, token: null });
  });

  it('is mounted where the settings say', async () => {
    const { server, open } = await setUp({ ...BY_ROLE, RUNGATE_VAULT_AUTH_MOUNT: 'ci/role' });
    server.role.mount = 'ci/role';
    expect(await open()).toBe('sk_marker-1');
    expect(server.callsOf('POST /v1/auth/ci/role/login')).toBe(1);
  });

  it('prolongs its token before it ends, behind a read', async () => {
    const { server, open, pass } = await setUp(BY_ROLE);
    expect(await open()).toBe('sk_marker-1');
    pass(2_500_000);
    expect(await open()).toBe('sk_marker-1');
    await expect.poll(() => server.callsOf(RENEW)).toBe(1);
    pass(2_000_000);
    expect(await open()).toBe('sk_marker-1');
    expect(server.callsOf(LOGIN)).toBe(1);
  });

  it.each<[string, Partial<{ renewable: boolean; maxS: number }>]>([
    ['cannot be prolonged', { renewable: false }],
    ['has not much longer to live', { maxS: 1 }],
  ])('logs in anew where a token %s', async (_, role) => {
    const { server, open, pass } = await setUp(BY_ROLE);
    Object.assign(server.role, role);
    expect(await open()).toBe('sk_marker-1');
    pass(2_500_000);
    expect(await open()).toBe('sk_marker-1');
    await expect.poll(() => server.callsOf(LOGIN)).toBe(2);
  });

  it('logs in anew for the next read where a token has ended', async () => {
    const { server, open, pass } = await setUp(BY_ROLE);
    expect(await open()).toBe('sk_marker-1');
    server.revokeLogins();
    pass(3_600_000);
    expect(await open()).toBe('sk_marker-1');
    expect(server.callsOf(LOGIN)).toBe(2);
    expect(server.callsOf(READ)).toBe(2);
  });

  it('logs in once more where a token that was good is refused, for all reads together', async () => {
    const { server, open, pass } = await setUp(BY_ROLE);
    server.put('kv/b', { key: 'sk_marker-b' });
    await Promise.all([open(), open('vault:kv/b#key')]);
    server.revokeLogins();
    pass(120_000);
    server.put('kv/vendors/tutor', { api_key: 'sk_marker-2' });
    expect(await Promise.all([open(), open('vault:kv/b#key')])).toEqual(['sk_marker-2', 'sk_marker-b']);
    expect(server.callsOf(LOGIN)).toBe(2);
  });

  it('logs in once more at once where a token that was good is refused', async () => {
    const { server, references, open } = await setUp(BY_ROLE);
    expect(await open()).toBe('sk_marker-1');
    server.revokeLogins();
    server.put('kv/vendors/tutor', { api_key: 'sk_marker-2' });
    expect(await references.hasChanged(TUTOR)).toBe(true);
    expect(server.callsOf(LOGIN)).toBe(2);
  });

  it('does not log in again and again where the role may not read the path', async () => {
    const { server, faultOf, pass } = await setUp(BY_ROLE);
    server.hide('kv/vendors/tutor');
    for (let i = 0; i < 4; i++) {
      expect((await faultOf())?.message).toContain('(403)');
      pass(5_000);
    }
    expect(server.callsOf(LOGIN)).toBe(1);
  });

  it('with a wrong id is a fault that says so, and is tried again with the id that the file has by then', async () => {
    const file = await fileWith('secret-id-0\n');
    const { server, open, faultOf, pass } = await setUp({
      RUNGATE_VAULT_ROLE_ID: 'role-1',
      RUNGATE_VAULT_SECRET_ID_FILE: file,
    });
    expect((await faultOf())?.message).toContain('refuses the login by AppRole (400)');
    await writeFile(file, 'secret-id-1\n');
    await new Promise((resolve) => setTimeout(resolve, 150));
    pass(10_000);
    expect(await open()).toBe('sk_marker-1');
    expect(server.callsOf(LOGIN)).toBe(2);
  });

  it('waits with its next login while the server does not answer', async () => {
    const { server, faultOf } = await setUp(BY_ROLE);
    server.mood = 'sealed';
    expect((await faultOf())?.message).toContain('sealed');
    await faultOf();
    expect(server.calls).toHaveLength(1);
  });
});
