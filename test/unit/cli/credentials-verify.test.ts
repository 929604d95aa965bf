import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { reviveJson } from '../../../src/core/json.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { startSandbox, type Sandbox, type SandboxVendor } from '../../../src/sandbox/start-sandbox.ts';
import { createCommandLine, type CommandLine } from '../../support/command-line.ts';

const WRONG = 'sk_wrong-marker';

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

const add = (provider: string, secret: string) =>
  line.run(['credentials', 'add', provider, '--stdin'], { stdin: secret });

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
    expect(good).toMatchObject({ provider: kind, verdict: 'good', origin });
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

  it('says what is missing', async () => {
    await configure('ai-tutor', { base_url: vendorOf('ai-tutor').baseUrl });
    expect(await refusal(['credentials', 'verify', 'ai-tutor'])).toMatchObject({ code: 'no_credential' });
    expect(await refusal(['credentials', 'verify', 'nobody'])).toMatchObject({ code: 'unknown_provider' });
    expect(await refusal(['credentials', 'verify', 'ai-tutor', '--sandbox'])).toMatchObject({
      code: 'unsupported_operation',
    });
  });
});
