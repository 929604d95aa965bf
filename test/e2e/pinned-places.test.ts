import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { backUp, restoreBackup } from '../../src/app/backup.ts';
import { openReferences } from '../../src/app/open-references.ts';
import { loadSettings } from '../../src/config/load-settings.ts';
import { systemClock } from '../../src/core/clock.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { createSystemRandom } from '../../src/core/random.ts';
import { Secret } from '../../src/core/secret.ts';
import { prepareTestGateway, vendorOf, type TestGateway } from '../support/gateway.ts';

const KIND = 'b3os';
const LONG = 'runs-60000';
const MASTER_KEY = Buffer.alloc(32, 'master-key-marker').toString('base64');
/** Longer than the time between two polls of a young run. */
const SEVERAL_POLLS_MS = 4_000;

let gateway: TestGateway;
let elsewhere: Awaited<ReturnType<typeof startElsewhere>>;
beforeEach(async () => {
  gateway = await prepareTestGateway({ environment: { RUNGATE_MASTER_KEY: MASTER_KEY } });
  elsewhere = await startElsewhere(vendorOf(gateway.sandbox, KIND).baseUrl);
});
afterEach(async () => {
  await Promise.all([gateway.stop(), elsewhere.close()]);
});

/** Another address, which notes what it is shown and hands it on to the simulated vendor with the vendor's own key. */
async function startElsewhere(vendorUrl: string) {
  const shown: string[] = [];
  const server = createServer((request, response) => {
    void handOn(request, response).catch(() => response.destroy());
  });
  async function handOn(request: IncomingMessage, response: ServerResponse): Promise<void> {
    shown.push(String(request.headers.authorization));
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const { key } = vendorOf(gateway.sandbox, KIND);
    const { status, body } = await passOn(vendorUrl, request, { key, body: Buffer.concat(parts) });
    response.writeHead(status, { 'content-type': 'application/json' }).end(body);
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    shown,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function passOn(
  vendorUrl: string,
  { url, method }: IncomingMessage,
  { key, body }: { key: string; body: Buffer },
): Promise<{ status: number; body: string }> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
  const answer = await fetch(`${vendorUrl}${url}`, {
    method: method ?? 'GET',
    headers,
    ...(body.length > 0 ? { body: new Uint8Array(body) } : {}),
  });
  return { status: answer.status, body: await answer.text() };
}

const configured = (provider: object = {}) => ({
  kind: KIND,
  base_url: vendorOf(gateway.sandbox, KIND).baseUrl,
  allow_private_network: true,
  ...provider,
});

async function put(providers: object): Promise<void> {
  const file = gateway.environment['RUNGATE_CONFIG'] ?? '';
  await writeFile(`${file}.new`, JSON.stringify({ providers }));
  await rename(`${file}.new`, file);
}

/** Begins a run and waits until the vendor has named it. */
async function begun(workflow = LONG, provider = 'mine'): Promise<string> {
  const id = await gateway.begin({ provider, workflow: gateway.workflowId(KIND, workflow) });
  await gateway.until(id, ({ upstream }) => upstream.run_id !== null);
  return id;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** As somebody who can write the database, or swap a backup. */
function pin(id: string, changes: Record<string, string | boolean>, file = join(gateway.dataDir, 'rungate.db')): void {
  const db = new DatabaseSync(file);
  try {
    for (const [name, value] of Object.entries(changes)) {
      const change = db.prepare('UPDATE runs SET pinned = json_set(pinned, ?, json(?)) WHERE id = ?');
      expect(change.run(`$.${name}`, JSON.stringify(value), id).changes).toBe(1);
    }
  } finally {
    db.close();
  }
}

const storeOneFor = (provider: string) =>
  gateway.command(async ({ vault }) => {
    const { key } = vendorOf(gateway.sandbox, KIND);
    return vault.add({ provider, label: null, purpose: 'api', secret: new Secret(key) });
  });

/** Refused calls that were made for want of a credential. */
const refusals = (id: string) =>
  gateway.warnings.filter(({ fields }) => {
    const { run_id: run, err } = fields as { run_id?: string; err?: unknown };
    return run === id && err instanceof GatewayError && err.code === 'no_credential';
  });

describe('a run whose row others have written', () => {
  beforeEach(async () => {
    await put({ mine: configured() });
    await storeOneFor('mine');
    await gateway.startUp();
  });

  it('takes no stored credential to an address that the configuration does not name', async () => {
    const [moved, untouched] = [await begun(), await begun('runs-2500')];
    await gateway.shutDown();
    pin(moved, { baseUrl: elsewhere.url, allowPrivateNetwork: true });
    await gateway.startUp();
    await gateway.until(untouched, ({ status }) => status === 'succeeded');
    await pause(SEVERAL_POLLS_MS);
    expect(elsewhere.shown).toEqual([]);
    expect(refusals(moved).length).toBeGreaterThan(0);
    expect((await gateway.get(`/runs/${moved}`)).body).toMatchObject({ status: 'running' });
    expect(gateway.complaints).toEqual([]);
  });

  it('takes no reference that its provider does not list, such as the master key, anywhere', async () => {
    const secretFile = join(gateway.dataDir, 'master.key');
    await writeFile(secretFile, MASTER_KEY);
    await put({ mine: configured(), there: configured({ base_url: elsewhere.url }) });
    await expect
      .poll(async () => (await gateway.get('/providers')).body.data.map(({ name }: { name: string }) => name), {
        timeout: 10_000,
      })
      .toContain('there');
    await storeOneFor('there');
    const ids = [await begun(LONG, 'there'), await begun(LONG, 'there')];
    await gateway.shutDown();
    elsewhere.shown.length = 0;
    pin(ids[0] ?? '', { credentialId: 'env:RUNGATE_MASTER_KEY' });
    pin(ids[1] ?? '', { credentialId: `file:${secretFile}` });
    await gateway.startUp();
    await pause(SEVERAL_POLLS_MS);
    expect(elsewhere.shown).toEqual([]);
    for (const id of ids) expect(refusals(id).length).toBeGreaterThan(0);
  });

  it('in a backup takes nothing elsewhere when that is restored', async () => {
    const [moved, keyed] = [await begun(), await begun()];
    const { environment } = gateway;
    const file = join(gateway.dataDir, 'backup.db');
    const request = { environment, sandbox: false, file, logTo: { write: () => undefined } };
    await backUp({ ...request, force: false });
    await gateway.shutDown();
    pin(moved, { baseUrl: elsewhere.url, allowPrivateNetwork: true }, file);
    pin(keyed, { baseUrl: elsewhere.url, credentialId: 'env:RUNGATE_MASTER_KEY' }, file);
    expect(await restoreBackup(request)).toMatchObject({ runs: 2 });
    await gateway.startUp();
    for (const id of [moved, keyed]) {
      await expect.poll(() => refusals(id).length, { timeout: 15_000 }).toBeGreaterThan(1);
    }
    expect(elsewhere.shown).toEqual([]);
  });

  it('has the network’s permission from the configuration, whatever the row says', async () => {
    const id = await begun('runs-2500');
    await gateway.shutDown();
    pin(id, { allowPrivateNetwork: false });
    await gateway.startUp();
    expect(await gateway.end(id)).toMatchObject({ status: 'succeeded' });
  });
});

describe('a provider that moves', () => {
  const keyFile = () => join(gateway.dataDir, 'vendor.key');
  const reference = () => ({ credentials: [`file:${keyFile()}`] });

  it('takes the secret that lies behind its reference along: runs at the old address are not shown it', async () => {
    await writeFile(keyFile(), 'OLD-SECRET');
    await put({ mine: configured({ base_url: elsewhere.url, ...reference() }) });
    await gateway.startUp();
    const id = await begun();
    await expect.poll(() => elsewhere.shown.length, { timeout: 10_000 }).toBeGreaterThan(1);
    expect(new Set(elsewhere.shown)).toEqual(new Set(['Bearer OLD-SECRET']));

    await put({ mine: configured(reference()) });
    await expect.poll(() => refusals(id).length, { timeout: 15_000 }).toBeGreaterThan(0);
    await writeFile(keyFile(), 'NEW-SECRET');
    const polled = elsewhere.shown.length;
    await pause(SEVERAL_POLLS_MS);
    expect(elsewhere.shown.slice(polled)).toEqual([]);

    await put({ mine: configured({ base_url: elsewhere.url, ...reference() }) });
    await expect.poll(() => elsewhere.shown.at(-1), { timeout: 15_000 }).toBe('Bearer NEW-SECRET');
  });

  it('leaves its runs with a stored credential as they began, until the process ends', async () => {
    await put({ mine: configured({ base_url: elsewhere.url }) });
    await storeOneFor('mine');
    await gateway.startUp();
    const [short, long] = [await begun('runs-2500'), await begun()];
    await put({ mine: configured() });
    expect(await gateway.end(short)).toMatchObject({ status: 'succeeded' });
    const polled = elsewhere.shown.length;
    await expect.poll(() => elsewhere.shown.length, { timeout: 15_000 }).toBeGreaterThan(polled);

    await gateway.shutDown();
    elsewhere.shown.length = 0;
    await gateway.startUp();
    await expect.poll(() => refusals(long).length, { timeout: 15_000 }).toBeGreaterThan(0);
    expect(elsewhere.shown).toEqual([]);
    expect((await gateway.get(`/runs/${long}`)).body).toMatchObject({ status: 'running' });
  });
});

it('references to our own secrets are refused when the server starts, and when they are read', async () => {
  const file = `file:${join(gateway.dataDir, 'master.key')}`;
  await put({ mine: configured({ credentials: ['env:RUNGATE_MASTER_KEY', file] }) });
  const fault: unknown = await gateway.startUp().catch((error: unknown) => error);
  expect(fault).toMatchObject({
    faults: [
      { path: 'providers.mine.credentials[0]', message: expect.stringContaining('of Rungate’s own') },
      { path: 'providers.mine.credentials[1]', message: expect.stringContaining('of Rungate’s own') },
    ],
  });

  const { environment } = gateway;
  await writeFile(file.slice('file:'.length), MASTER_KEY);
  const quiet = () => undefined;
  const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
  const settings = loadSettings(environment);
  const references = openReferences({ settings, environment, clock: systemClock, random: createSystemRandom(), log });
  await expect(references.read('env:RUNGATE_MASTER_KEY')).rejects.toMatchObject({ code: 'no_credential' });
  await expect(references.read(file)).rejects.toMatchObject({ code: 'vault_unavailable' });
  expect(readFileSync(file.slice('file:'.length), 'utf8')).toBe(MASTER_KEY);
  await references.close();
});
