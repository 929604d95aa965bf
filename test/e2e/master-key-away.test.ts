import { randomBytes } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openAndRotateMasterKey } from '../../src/app/rotate-master-key.ts';
import { Secret } from '../../src/core/secret.ts';
import { prepareTestGateway, startTestGateway, type TestGateway } from '../support/gateway.ts';

const COMPLAINT = 'login as deploy to vault.internal failed';
const CONSTANT = 'The master key cannot be had now; the operator looks at the log.';
const newKey = () => randomBytes(32).toString('base64');
const keyFile = join(tmpdir(), `rungate-keys-${randomBytes(8).toString('hex')}`);

let gateway: TestGateway;
beforeAll(async () => {
  const first = newKey();
  await writeFile(keyFile, first, { mode: 0o600 });
  const command = `cat ${keyFile} 2>/dev/null || { echo '${COMPLAINT}' >&2; exit 3; }`;
  gateway = await prepareTestGateway({
    environment: { RUNGATE_MASTER_KEY_COMMAND: command, PATH: process.env['PATH'] ?? '' },
  });
  const webhook = { provider: 'b3os', label: null, purpose: 'webhook', secret: new Secret('whsec') } as const;
  await gateway.command(({ vault }) => vault.add(webhook));
  await gateway.startUp();
  // Rotated beside the server, whose command then gives it no key any more.
  await writeFile(keyFile, `${newKey()}\n${first}`, { mode: 0o600 });
  const { environment } = gateway;
  await openAndRotateMasterKey({ environment, sandbox: false, newKeyFile: null, logTo: { write: () => undefined } });
  await rm(keyFile);
});
afterAll(async () => {
  await gateway.stop();
  await rm(keyFile, { force: true });
});

it('what the command of the master key complains of is in the log, and in nothing that callers read', async () => {
  const signed = { 'x-b3os-signature': 'a'.repeat(64), authorization: '' };
  const inbound = await gateway.post('/inbound/b3os', {}, signed);
  expect([inbound.status, inbound.body.error.message]).toEqual([503, CONSTANT]);
  const target = { provider: 'b3os', workflow: gateway.workflowId('b3os', 'runs-100') };
  const begun = await gateway.post('/runs', target, { prefer: 'wait=10' });
  expect(begun.body.error).toMatchObject({ code: 'vault_unavailable', message: CONSTANT });
  const { runs } = await gateway.command(({ store }) =>
    store.runs.list({ lineage: null }, { limit: 10, before: null }),
  );
  expect(JSON.stringify(runs)).not.toContain(COMPLAINT);
  const told = gateway.warnings.map(({ fields }) => ('err' in fields ? String(fields.err) : '')).join();
  expect(told).toContain(COMPLAINT);
});

it('nor is the path of the master key file', async () => {
  const other = await startTestGateway();
  try {
    const file = join(other.dataDir, 'master.key');
    await rename(file, `${file}.away`);
    for (const answer of [await other.post('/me/webhook-secret'), await other.post('/tokens', { workflows: ['w'] })]) {
      expect(JSON.stringify(answer.body)).not.toContain(file);
    }
    const { status, body } = await other.post('/me/webhook-secret');
    expect([status, body.error.message]).toEqual([503, CONSTANT]);
    await rename(`${file}.away`, file);
  } finally {
    await other.stop();
  }
});
