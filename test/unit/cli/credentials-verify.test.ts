import { writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { reviveJson } from '../../../src/core/json.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { startSandbox, type Sandbox, type SandboxVendor } from '../../../src/sandbox/start-sandbox.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { openCredentialStates } from '../../../src/vault/credential-states.ts';
import { followStates } from '../../../src/vault/follow-states.ts';
import { createCommandLine, type CommandLine } from '../../support/command-line.ts';
import { startSecretsServer } from '../../support/secrets-server.ts';

const WRONG = 'sk_wrong-marker';
const PAGE = '<html><head><title>nginx</title></head></html>';
const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

let sandbox: Sandbox;
let line: CommandLine;
beforeAll(async () => {
  sandbox = await startSandbox({ clock: systemClock, random: createSystemRandom(), host: '127.0.0.1' });
});
afterAll(() => sandbox.close());
beforeEach(async () => void (line = await createCommandLine()));
afterEach(() => line.remove());

function vendorOf(kind: string): SandboxVendor {
  const vendor = Object.values(sandbox.vendors).find((one) => one.kind === kind);
  if (vendor === undefined) throw new Error(`the sandbox has no ${kind}`);
  return vendor;
}

async function configure(provider: string, fields: object): Promise<void> {
  const providers = { [provider]: { allow_private_network: true, ...fields } };
  await writeFile(join(line.dataDir, 'rungate.yaml'), JSON.stringify({ providers }));
}

/** The store and the states as a server has them that listens to other processes. */
async function openAsServer() {
  const url = `sqlite:${join(line.dataDir, 'rungate.db')}`;
  const store = await openStore({ url, role: 'serve', clock: systemClock, log: SILENT });
  const stop = new AbortController();
  onTestFinished(async () => {
    stop.abort();
    await store.close();
  });
  const states = await openCredentialStates({ store: store.credentials, clock: systemClock, log: SILENT }, 'serve');
  const { runs } = store;
  followStates({
    states,
    watch: (hint, signal) => runs.watch(hint, signal),
    clock: systemClock,
    signal: stop.signal,
  });
  return { store, states };
}

/** A server that always answers so, until it is told otherwise. */
async function answering(status: number) {
  const says = { status, text: '{}' };
  const server = createHttpServer((_, response) => response.writeHead(says.status).end(says.text));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, says };
}

const add = (provider: string, secret: string) =>
  line.run(['credentials', 'add', provider, '--stdin'], { stdin: secret });

interface Verdict {
  credential: string;
  verdict: string;
  status: number | null;
  state: string;
  state_code: string | null;
}

/** What it prints on standard output, whatever came of it. */
async function verify(provider: string, environment: Record<string, string> = {}) {
  const result = await line.run(['credentials', 'verify', provider, '--json'], { environment });
  expect(result.stdout + result.stderr).not.toContain('marker');
  return { ...result, ...reviveJson<{ data: Verdict[]; error?: { code: string; message: string } }>(result.stdout) };
}

async function refusal(argv: readonly string[]) {
  const { exitCode, stdout, stderr } = await line.run([...argv, '--json']);
  expect(exitCode).toBe(1);
  expect(stdout + stderr).not.toContain('marker');
  return reviveJson<{ error: { code: string; message: string } }>(stdout).error;
}

describe('credentials verify', () => {
  const kinds = PROVIDER_KINDS.filter(({ verify }) => verify !== undefined).map(({ kind }) => kind);

  it.each(kinds)('tells a good credential of %s from a wrong one, and begins no run', async (kind) => {
    const { baseUrl, key, origin } = vendorOf(kind);
    await configure(kind, { base_url: baseUrl });
    await add(kind, key);
    const good = await line.document(['credentials', 'verify', kind]);
    expect(good).toMatchObject({ provider: kind, data: [{ verdict: 'good', origin, state: 'usable' }] });
    const shown = await line.run(['credentials', 'verify', kind]);
    expect(shown.stdout).toContain('good');
    expect(shown.stdout + shown.stderr + JSON.stringify(good)).not.toContain(key);
    await add(kind, WRONG);
    expect(await refusal(['credentials', 'verify', kind])).toMatchObject({ code: 'upstream_auth_failed' });
    expect(sandbox.starts()).toEqual([]);
  });

  it('says that nobody answers', async () => {
    const taken = createServer().listen({ host: '127.0.0.1', port: 0 });
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    taken.close();
    await configure('ai-tutor', { base_url: `http://127.0.0.1:${port}` });
    await add('ai-tutor', WRONG);
    const { code, message } = await refusal(['credentials', 'verify', 'ai-tutor']);
    expect(code).toBe('upstream_unreachable');
    expect(message).toContain(String(port));
  });

  it('asks no private address that the configuration does not allow', async () => {
    const { baseUrl } = vendorOf('ai-tutor');
    await configure('ai-tutor', { base_url: baseUrl, allow_private_network: false });
    await add('ai-tutor', WRONG);
    expect((await refusal(['credentials', 'verify', 'ai-tutor'])).message).toContain('allow_private_network');
  });

  it('asks with every credential of the provider, and sets those aside that are refused', async () => {
    const { baseUrl, key } = vendorOf('ai-tutor');
    await configure('ai-tutor', { base_url: baseUrl });
    for (const secret of [key, WRONG, key, WRONG, key, WRONG]) await add('ai-tutor', secret);
    const { exitCode, data, error, stderr } = await verify('ai-tutor');
    expect(exitCode).toBe(1);
    expect(data.map(({ verdict, status, state, state_code }) => [verdict, status, state, state_code])).toEqual(
      [1, 2, 3].flatMap(() => [
        ['refused', 401, 'set_aside', 'upstream_auth_failed'],
        ['good', 200, 'usable', null],
      ]),
    );
    expect(error).toMatchObject({ code: 'upstream_auth_failed' });
    expect(stderr).toContain('3 of 6 credentials are not good');
    const shown = await line.run(['credentials', 'verify', 'ai-tutor']);
    expect(shown.exitCode).toBe(1);
    expect(shown.stdout.match(/^(good|refused): /gm)).toHaveLength(6);
    const listed = await line.document<{ data: { state: string }[] }>(['credentials', 'list']);
    expect(listed.data.map(({ state }) => state)).toEqual([1, 2, 3].flatMap(() => ['set_aside', 'usable']));
  });

  it('mends what was set aside, and a server on the same data knows within a second', async () => {
    const { baseUrl, key } = vendorOf('ai-tutor');
    await configure('ai-tutor', { base_url: baseUrl });
    await add('ai-tutor', key);
    const { store, states } = await openAsServer();
    const [{ id } = { id: '' }] = await store.credentials.list('ai-tutor');
    states.mark('ai-tutor', id, { is: 'set_aside', code: 'upstream_auth_failed', at: systemClock.now() });
    await states.idle();
    expect(await line.document(['credentials', 'list'])).toMatchObject({ data: [{ state: 'set_aside' }] });
    expect((await verify('ai-tutor')).data).toMatchObject([{ credential: id, verdict: 'good', state: 'usable' }]);
    await expect.poll(() => states.of('ai-tutor', id).is, { timeout: 2_000 }).toBe('usable');
    expect(await line.document(['credentials', 'list'])).toMatchObject({ data: [{ state: 'usable' }] });
  });

  it('keeps since when a credential is set aside', async () => {
    const { baseUrl } = vendorOf('ai-tutor');
    await configure('ai-tutor', { base_url: baseUrl });
    await add('ai-tutor', WRONG);
    const first = await verify('ai-tutor');
    const second = await verify('ai-tutor');
    expect(first.data).toMatchObject([{ state: 'set_aside' }]);
    expect(second.data).toEqual(first.data);
  });

  it('asks with the references of the configuration, as the command’s own environment has them', async () => {
    const { baseUrl, key } = vendorOf('ai-tutor');
    await configure('ai-tutor', {
      base_url: baseUrl,
      credentials: ['env:KEY_A', 'env:KEY_B', 'env:KEY_C', 'env:KEY_D'],
    });
    const { data } = await verify('ai-tutor', { KEY_A: key, KEY_B: WRONG, KEY_D: 'a marker with spaces' });
    expect(data).toMatchObject([
      { credential: 'env:KEY_A', verdict: 'good', state: 'usable' },
      { credential: 'env:KEY_B', verdict: 'refused', state: 'set_aside' },
      { credential: 'env:KEY_D', verdict: 'unreadable', status: null, state: 'usable' },
    ]);
  });

  it('asks with what files and a secrets server hold, and says what of it cannot be read', async () => {
    const { baseUrl, key } = vendorOf('ai-tutor');
    const server = await startSecretsServer();
    onTestFinished(() => server.close());
    server.put('kv/tutor', { key, wrong: WRONG });
    server.allow('hvs.marker', true);
    const file = join(line.dataDir, 'tutor.key');
    await writeFile(file, `${key}\n`);
    const references = [`file:${file}`, 'file:/no/where', 'vault:kv/tutor#key', 'vault:kv/tutor#wrong', 'vault:kv/b#c'];
    await configure('ai-tutor', { base_url: baseUrl, credentials: references });
    const environment = {
      RUNGATE_VAULT_ADDR: server.address,
      RUNGATE_VAULT_ALLOW_PRIVATE_NETWORK: 'true',
      RUNGATE_VAULT_TOKEN: 'hvs.marker',
    };
    const { data } = await verify('ai-tutor', environment);
    expect(data).toMatchObject(
      (['good', 'unreadable', 'good', 'refused', 'unreadable'] as const).map((verdict, i) => {
        return { credential: references[i], verdict, state: verdict === 'refused' ? 'set_aside' : 'usable' };
      }),
    );
    expect(server.complaints).toEqual([]);
    const { stdout } = await line.run(['credentials', 'list'], { environment });
    expect(stdout).toMatch(/file:\/no\/where +ai-tutor +api +1 +not set here/);
    expect(stdout).toMatch(/vault:kv\/tutor#key +ai-tutor +api +1 +usable/);
    expect(stdout).toMatch(/vault:kv\/tutor#wrong +ai-tutor +api +1 +set aside: upstream_auth_failed/);
    const calls = server.calls.length;
    expect((await line.run(['credentials', 'list'])).stdout).toMatch(/vault:kv\/tutor#key .*not set here/);
    expect(server.calls).toHaveLength(calls);
  });

  it.each([
    [402, 'refused', 'set_aside', 'upstream_payment_required'],
    [403, 'refused', 'usable', null],
    [429, 'unclear', 'usable', null],
    [500, 'unclear', 'usable', null],
  ])('takes a %d as %s, and leaves the credential %s', async (status, verdict, state, code) => {
    const { baseUrl } = await answering(status);
    await configure('ai-tutor', { base_url: baseUrl });
    await add('ai-tutor', WRONG);
    const { exitCode, data } = await verify('ai-tutor');
    expect(exitCode).toBe(1);
    expect(data).toMatchObject([{ verdict, status, state, state_code: code }]);
  });

  it.each(kinds)('takes no page, and no JSON of another, for a word of %s about a credential', async (kind) => {
    const { baseUrl, says } = await answering(401);
    await configure(kind, { base_url: baseUrl });
    await add(kind, WRONG);
    const [refused] = (await verify(kind)).data;
    expect(refused).toMatchObject({ verdict: 'refused', state: 'set_aside' });
    for (const status of [200, 404]) {
      for (const text of [PAGE, '', '{}', 'null', '[]', '"message"', '{"detail":"Not Found"}']) {
        Object.assign(says, { status, text });
        const { exitCode, data } = await verify(kind);
        expect([exitCode, text, data]).toEqual([1, text, [{ ...refused, verdict: 'unclear', status }]]);
      }
    }
  });

  it('says of a secrets server that is away so much, in words, and praises no others where there are none', async () => {
    await configure('ai-tutor', { base_url: vendorOf('ai-tutor').baseUrl, credentials: ['vault:kv/tutor#key'] });
    const server = await startSecretsServer();
    const environment = {
      RUNGATE_VAULT_ADDR: server.address,
      RUNGATE_VAULT_ALLOW_PRIVATE_NETWORK: 'true',
      RUNGATE_VAULT_TOKEN: 'hvs.marker',
    };
    await server.close();
    const { exitCode, stderr } = await line.run(['credentials', 'verify', 'ai-tutor'], { environment });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      'vault:kv/tutor#key cannot be opened. The secret cannot be read from the secrets server: ',
    );
    expect(stderr).not.toMatch(/\bat \S+ \(|\.ts:\d|"stack"|others can|: .*: .*cannot be opened: |\. :/);
  });

  it('says what is missing', async () => {
    await configure('ai-tutor', { base_url: vendorOf('ai-tutor').baseUrl });
    expect(await refusal(['credentials', 'verify', 'ai-tutor'])).toMatchObject({ code: 'no_credential' });
    expect(await refusal(['credentials', 'verify', 'nobody'])).toMatchObject({ code: 'unknown_provider' });
    await line.run(['keys', 'create', '--name', 'a', '--sandbox']);
    expect(await refusal(['credentials', 'verify', 'ai-tutor', '--sandbox'])).toMatchObject({
      code: 'unsupported_operation',
    });
  });
});
