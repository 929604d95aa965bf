import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { appParts } from '../../src/cli/app-parts.ts';
import { runCli } from '../../src/cli/run-cli.ts';
import { systemClock } from '../../src/core/clock.ts';
import { reviveJson } from '../../src/core/json.ts';
import { createSystemRandom } from '../../src/core/random.ts';
import { Secret } from '../../src/core/secret.ts';
import { parseMasterKeys } from '../../src/vault/master-key.ts';
import { QUICK_KINDS } from '../contract/vendors/contract-table.ts';
import { prepareTestGateway, type TestGateway } from '../support/gateway.ts';

const KIND = 'ai-tutor';
const random = createSystemRandom();
const newKey = () => Buffer.from(random.bytes(32)).toString('base64');
const fingerprint = (text: string) => parseMasterKeys(new Secret(text), 'a test')[0].fingerprint;

let directory: string;
let gateway: TestGateway | undefined;
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'rungate-rotation-'))));
afterEach(async () => {
  await gateway?.stop();
  rmSync(directory, { recursive: true, force: true });
  if (gateway !== undefined && gateway.complaints.length > 0) throw new Error(gateway.complaints.join('; '));
  gateway = undefined;
});

const keyFile = () => join(directory, 'keys');
const keyLines = () => readFileSync(keyFile(), 'utf8').trim().split('\n');
const writeKeys = (...keys: string[]) => writeFileSync(keyFile(), keys.join('\n'), { mode: 0o600 });

async function start(environment: Record<string, string>): Promise<TestGateway> {
  gateway = await prepareTestGateway({ kinds: QUICK_KINDS, environment });
  await gateway.startUp();
  return gateway;
}

async function rotate({ environment }: TestGateway): Promise<{ master_key: string; retired: string[] }> {
  const written = { stdout: '', stderr: '' };
  const exitCode = await runCli(['vault', 'rotate', '--json'], {
    environment,
    stdin: (async function* () {})(),
    stdout: { write: (text) => (written.stdout += text) },
    stderr: { write: (text) => (written.stderr += text) },
    clock: systemClock,
    random,
    parts: appParts,
  });
  if (exitCode !== 0) throw new Error(written.stderr);
  return reviveJson(written.stdout);
}

/** Whether a run that needs the stored secret ends well. */
async function runs(client: TestGateway): Promise<string> {
  const { body } = await client.post('/runs', { provider: KIND, workflow: 'finished', inputs: {} });
  return String(body.status ?? body.error?.code);
}

/** Has the gateway's own process seal something. */
async function rotateWebhookSecret(client: TestGateway): Promise<number> {
  return (await client.post('/me/webhook-secret')).status;
}

describe('a running gateway, while the master key is rotated', () => {
  it('finds the new key in its file, opens with it and seals with it', async () => {
    writeKeys(newKey());
    const [first = ''] = keyLines();
    const up = await start({ RUNGATE_MASTER_KEY_FILE: keyFile() });
    expect(await runs(up)).toBe('succeeded');
    for (let i = 0; i < 3; i++) {
      const [before = ''] = keyLines();
      const { master_key: newest, retired } = await rotate(up);
      expect(retired).toEqual([fingerprint(before)]);
      // The old lines are gone at once, as hasty as an operator can be.
      writeKeys(keyLines()[0] ?? '');
      expect(fingerprint(keyLines()[0] ?? '')).toBe(newest);
      expect(await runs(up)).toBe('succeeded');
      expect(await rotateWebhookSecret(up)).toBe(200);
    }
    expect(keyLines()).not.toContain(first);
    expect(up.warnings.map(({ message }) => message)).toEqual([]);
  });

  it('asks the command again for a key that it has not printed yet', async () => {
    const [older, newer] = [newKey(), newKey()];
    writeKeys(older);
    const up = await start({ RUNGATE_MASTER_KEY_COMMAND: `cat ${keyFile()}`, PATH: process.env['PATH'] ?? '' });
    expect(await runs(up)).toBe('succeeded');
    writeKeys(newer, older);
    // It seals with the old key until it hears that this was retired.
    expect(await rotateWebhookSecret(up)).toBe(200);
    expect(await rotate(up)).toMatchObject({ master_key: fingerprint(newer), retired: [fingerprint(older)] });
    expect(await rotateWebhookSecret(up)).toBe(200);
    expect(await runs(up)).toBe('succeeded');
    await expect(rotate(up)).rejects.toThrow('everything is under it already');
  });
});
