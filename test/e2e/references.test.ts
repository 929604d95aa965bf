import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { prepareTestGateway, type Client, type TestGateway } from '../support/gateway.ts';
import { linesUntil, startChild, type Child } from '../support/processes/child.ts';
import { PROGRAM } from '../support/program.ts';
import { startScriptedVendor, type ScriptedVendor } from '../support/scripted-vendor.ts';
import { startSecretsServer } from '../support/secrets-server.ts';

const KIND = 'draft-and-goal';
const FIRST = 'sk_first-marker-0123456789';
const SECOND = 'sk_second-marker-9876543210';
const SECRET_ID = 'secret-id-marker-5555';
const ROLE_ID = 'role-id-marker-4444';

let server: Awaited<ReturnType<typeof startSecretsServer>>;
let vendor: ScriptedVendor;
let gateway: TestGateway;
/** What the vendor takes now. */
let good: string;
const logged: string[] = [];
const tokens = () => server.calls.flatMap(({ token }) => token ?? []);
let child: Child | null = null;
const keyFile = () => join(gateway.dataDir, 'vendor.key');
const secretIdFile = () => join(gateway.dataDir, 'secret.id');

beforeAll(async () => {
  server = await startSecretsServer();
  server.role = { ...server.role, roleId: ROLE_ID, secretId: SECRET_ID };
  gateway = await prepareTestGateway();
  const simulated = gateway.sandbox.vendors[KIND];
  vendor = await startScriptedVendor(simulated, { secrets: [FIRST, SECOND] });
  vendor.script = ({ secret }) => (secret === good ? 'works' : { status: 401 });
  const provider = (reference: string) => ({
    kind: KIND,
    base_url: vendor.baseUrl,
    allow_private_network: true,
    credentials: [reference],
  });
  const providers = {
    'in-vault': provider('vault:kv/vendors/tutor#api_key'),
    'in-file': provider(`file:${keyFile()}`),
    either: {
      ...provider(''),
      // A directory holds no secret.
      credentials: [{ ref: `file:${gateway.dataDir}`, weight: 1000 }, 'env:EITHER_KEY'],
    },
  };
  await writeFile(gateway.environment['RUNGATE_CONFIG'] ?? '', JSON.stringify({ providers }));
  await writeFile(secretIdFile(), `${SECRET_ID}\n`);
});
afterAll(async () => {
  await Promise.all([gateway.stop(), vendor.close(), server.close()]);
});
afterEach(async () => {
  child?.signal('SIGKILL');
  await child?.gone;
  child = null;
});

/** `rungate serve` in a process of its own, as talkative as it can be. */
async function serve(given: Record<string, string>): Promise<Client> {
  good = FIRST;
  server.put('kv/vendors/tutor', { api_key: FIRST });
  await writeFile(keyFile(), `${FIRST}\n`);
  child = startChild([PROGRAM, 'serve'], {
    ...gateway.environment,
    RUNGATE_LOG_LEVEL: 'debug',
    RUNGATE_VAULT_ADDR: server.address,
    RUNGATE_VAULT_ALLOW_PRIVATE_NETWORK: 'true',
    RUNGATE_VAULT_ROLE_ID: ROLE_ID,
    RUNGATE_VAULT_SECRET_ID_FILE: secretIdFile(),
    RUNGATE_VAULT_TIMEOUT_MS: '3000',
    EITHER_KEY: FIRST,
    ...given,
  });
  for (const lines of [child.stdout, child.stderr]) lines.on('line', (line: string) => logged.push(line));
  const banner = await linesUntil(
    child,
    (line) => line.startsWith('admin API'),
    () => `the gateway did not start: ${logged.join('\n')}`,
  );
  return gateway.at(/runs API +(\S+)/.exec(banner.join('\n'))?.[1] ?? '');
}

/** Runs a workflow to its end, as a caller who waits for it. */
const run = (client: Client, provider: string) =>
  client.post('/runs', { provider, workflow: gateway.workflowId(KIND, 'w'), inputs: {} }, { prefer: 'wait=20' });
const statusOf = async (client: Client, provider: string) => {
  const { body } = await run(client, provider);
  return (body.status ?? body.error.code) as string;
};
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('a gateway whose vendors’ secrets lie elsewhere', () => {
  it('reads each where it lies, once for many runs, and asks nobody before it is needed', async () => {
    const client = await serve({ RUNGATE_VAULT_CACHE_S: '3600' });
    expect(server.calls).toEqual([]);
    await client.get('/providers');
    expect(server.calls).toEqual([]);
    const statuses = await Promise.all(
      ['in-vault', 'in-file', 'in-vault', 'in-vault'].map((provider) => statusOf(client, provider)),
    );
    expect(statuses).toEqual(['succeeded', 'succeeded', 'succeeded', 'succeeded']);
    expect(vendor.starts(FIRST)).toHaveLength(4);
    expect(server.calls.map(({ line }) => line)).toEqual([
      'POST /v1/auth/approle/login',
      'GET /v1/kv/data/vendors/tutor',
    ]);
  });

  it('starts with another credential where one cannot be opened', async () => {
    const client = await serve({});
    const { body } = await run(client, 'either');
    expect(body).toMatchObject({
      status: 'succeeded',
      attempts: [
        { credential: 'file', error_code: 'vault_unavailable' },
        { credential: 'env:EITHER_KEY', error_code: null },
      ],
    });
  });

  it('takes a rotated secret as soon as the vendor has refused the one before', async () => {
    const client = await serve({ RUNGATE_VAULT_CACHE_S: '3600' });
    for (const provider of ['in-vault', 'in-file']) expect(await statusOf(client, provider)).toBe('succeeded');
    good = SECOND;
    server.put('kv/vendors/tutor', { api_key: SECOND });
    await writeFile(keyFile(), `${SECOND}\n`);
    const refused = await run(client, 'in-vault');
    expect([refused.status, refused.body.error.code]).toEqual([502, 'upstream_auth_failed']);
    for (const provider of ['in-vault', 'in-file']) {
      await expect.poll(() => statusOf(client, provider), { timeout: 5_000 }).toBe('succeeded');
    }
    const list = await gateway.command(({ credentials }) => credentials.references());
    const states = list.filter(({ provider }) => provider !== 'either').map(({ state }) => state.is);
    expect(states).toEqual(['usable', 'usable']);
  });

  it(
    'works on while the server is away for a short time, says 503 after, and recovers',
    { timeout: 60_000 },
    async () => {
      const client = await serve({ RUNGATE_VAULT_CACHE_S: '1', RUNGATE_VAULT_OUTAGE_S: '6' });
      expect(await statusOf(client, 'in-vault')).toBe('succeeded');
      await server.down();
      await pause(2_200);
      expect(await statusOf(client, 'in-vault')).toBe('succeeded');
      await pause(5_500);
      const before = vendor.starts().length;
      const refused = await run(client, 'in-vault');
      expect([refused.status, refused.body.error.code]).toEqual([503, 'vault_unavailable']);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(refused.body.error).toMatchObject({ source: 'gateway', retryable: true });
      expect(refused.body.error.message).toContain('no connection');
      expect(JSON.stringify(refused.body)).not.toMatch(/127\.0\.0\.1|vendors\/tutor/);
      expect(vendor.starts()).toHaveLength(before);
      // Other secrets are none of that server's.
      expect(await statusOf(client, 'in-file')).toBe('succeeded');
      await server.up();
      await expect.poll(() => statusOf(client, 'in-vault'), { timeout: 10_000 }).toBe('succeeded');
    },
  );

  it('says `no_credential` where a secret is gone, though the server and the file were good before', async () => {
    const client = await serve({ RUNGATE_VAULT_CACHE_S: '1' });
    for (const provider of ['in-vault', 'in-file']) expect(await statusOf(client, provider)).toBe('succeeded');
    server.softDelete('kv/vendors/tutor');
    await rm(keyFile());
    // Until then the secrets of before may be used, and a run that began with them could not be polled.
    await pause(2_200);
    for (const provider of ['in-vault', 'in-file']) {
      const { status, body } = await run(client, provider);
      expect([status, body.error.code]).toEqual([503, 'no_credential']);
      expect(JSON.stringify(body)).not.toContain(keyFile());
    }
    const named = JSON.stringify({ credential: `file:${keyFile()}` }).slice(1, -1);
    await expect
      .poll(() => logged.some((text) => text.includes('a call to the vendor failed') && text.includes(named)))
      .toBe(true);
  });

  it('has written no secret, token or id into its log by then', () => {
    const text = logged.join('\n');
    expect(text.includes('the secrets server gives a secret no more')).toBe(true);
    expect(text.includes('"level":"info"')).toBe(true);
    const found = [FIRST, SECOND, SECRET_ID, ROLE_ID, ...tokens()].filter((secret) => text.includes(secret));
    expect(found).toEqual([]);
    expect(tokens().length).toBeGreaterThan(2);
    expect(server.complaints).toEqual([]);
  });
});
