import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load-config.ts';
import { NO_CONFIG } from '../../../src/config/parse-config.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';

const context = { kinds: PROVIDER_KINDS, environment: {} };
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'rungate-config-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

describe('the configuration file', () => {
  it('is read', async () => {
    const path = file('good.yaml', '\ufeffproviders: { b3os: { settings: { org_id: org_1 } } }');
    const { providers } = await loadConfig({ path, mayBeAbsent: false }, context);
    expect(providers.b3os?.settings).toEqual({ org_id: 'org_1' });
  });

  it('may be absent only at its default place', async () => {
    const path = join(directory, 'absent.yaml');
    expect(await loadConfig({ path, mayBeAbsent: true }, context)).toEqual(NO_CONFIG);
    await expect(loadConfig({ path, mayBeAbsent: false }, context)).rejects.toThrow(`${path}: no such file`);
  });

  it('is refused where it is too large, no text or no file', async () => {
    const large = file('large.yaml', `#${'x'.repeat(1024 * 1024)}`);
    const latin1 = file('latin1.yaml', Uint8Array.of(0x23, 0xe9));
    for (const [path, message] of [
      [large, 'expected at most 1048576 bytes'],
      [latin1, 'expected UTF-8 text'],
      [directory, 'expected a file'],
    ] as const) {
      await expect(loadConfig({ path, mayBeAbsent: true }, context)).rejects.toThrow(`${path}: ${message}`);
    }
  });

  it('is refused at once where it is a pipe that nobody writes into', async () => {
    const path = join(directory, 'pipe');
    execFileSync('mkfifo', [path]);
    await expect(loadConfig({ path, mayBeAbsent: true }, context)).rejects.toThrow(`${path}: expected a file`);
  });

  it('is named in its faults', async () => {
    const path = file('bad.yaml', 'providers:\n  nope: {}\n');
    await expect(loadConfig({ path, mayBeAbsent: false }, context)).rejects.toThrow(`${path}:2:3 providers.nope: `);
  });
});
