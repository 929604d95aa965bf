import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { reviveJson } from '../../../src/core/json.ts';
import { openWorkspace } from '../../../src/app/workspace.ts';
import { createCommandLine, type CommandLine, type CommandResult } from '../../support/command-line.ts';

const MARKER = 'sk_a-marker-secret';
const PROVIDER = { name: 'ai-tutor', baseUrl: 'https://api.example.com', credentials: [] };

interface Listed {
  data: { id: string; provider: string; label: string | null; purpose: string }[];
}

let line: CommandLine;
let results: CommandResult[];
beforeEach(async () => {
  line = await createCommandLine();
  results = [];
});
afterEach(async () => {
  await line.remove();
  if (results.some(({ stdout, stderr }) => `${stdout}${stderr}`.includes('marker')))
    throw new Error('a secret was shown');
});

async function run(argv: readonly string[], given: Parameters<CommandLine['run']>[1] = {}) {
  const result = await line.run(['credentials', ...argv], given);
  results.push(result);
  return result;
}

async function openedSecret(sandbox = false): Promise<string | undefined> {
  const environment = { RUNGATE_DATA_DIR: line.dataDir };
  const workspace = await openWorkspace({ environment, sandbox, logTo: { write: () => undefined } });
  try {
    return (await (await workspace.vault.pick(PROVIDER))?.open())?.open();
  } finally {
    await workspace.close();
  }
}

describe('credentials add', () => {
  it('takes a secret from standard input', async () => {
    const { exitCode, stdout } = await run(['add', 'ai-tutor', '--stdin', '--label', 'main', '--json'], {
      stdin: `${MARKER}\n`,
    });
    expect(exitCode).toBe(0);
    expect(reviveJson(stdout)).toMatchObject({
      object: 'credential',
      provider: 'ai-tutor',
      label: 'main',
      purpose: 'api',
    });
    expect(await openedSecret()).toBe(MARKER);
  });

  it('takes a secret from the environment', async () => {
    const { exitCode } = await run(['add', 'ai-tutor', '--env', 'TUTOR_KEY', '--purpose', 'api'], {
      environment: { TUTOR_KEY: MARKER },
    });
    expect(exitCode).toBe(0);
    expect(await openedSecret()).toBe(MARKER);
  });

  it('leaves the secret in no file', async () => {
    await run(['add', 'ai-tutor', '--stdin'], { stdin: MARKER });
    const names = await readdir(line.dataDir);
    expect(names).toEqual(expect.arrayContaining(['master.key', 'rungate.db']));
    for (const name of names) {
      expect((await readFile(join(line.dataDir, name))).includes(MARKER)).toBe(false);
    }
  });

  it.each<[string, string[], Parameters<CommandLine['run']>[1]]>([
    ['the secret is an argument', ['add', 'ai-tutor', MARKER, '--stdin'], {}],
    ['the secret is an argument of an unknown option', ['add', 'ai-tutor', `--secret=${MARKER}`], {}],
    ['the secret is given as the variable', ['add', 'ai-tutor', '--env', MARKER], {}],
    ['nothing says where the secret comes from', ['add', 'ai-tutor'], {}],
    ['two things say it', ['add', 'ai-tutor', '--stdin', '--env', 'X'], { stdin: MARKER }],
    ['the variable is not set', ['add', 'ai-tutor', '--env', 'X'], {}],
    ['the secret is empty', ['add', 'ai-tutor', '--stdin'], { stdin: '\n' }],
    ['the secret has a line break', ['add', 'ai-tutor', '--stdin'], { stdin: `${MARKER}\n${MARKER}` }],
    ['the secret is huge', ['add', 'ai-tutor', '--stdin'], { stdin: MARKER.repeat(10_000) }],
    ['the purpose is unknown', ['add', 'ai-tutor', '--stdin', '--purpose', 'fun'], { stdin: MARKER }],
  ])('is wrong usage when %s', async (_, argv, given) => {
    const { exitCode, stdout, stderr } = await run(argv, given);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(/^rungate: .+\n/);
    expect((await line.document<Listed>(['credentials', 'list'])).data).toEqual([]);
  });

  it('fails for a provider that is not configured, naming those that are', async () => {
    const { exitCode, stderr } = await run(['add', 'acme', '--stdin'], { stdin: MARKER });
    expect(exitCode).toBe(1);
    expect(stderr).toContain('ai-tutor');
  });

  it('fails when the master key that the database knows is gone', async () => {
    await run(['add', 'ai-tutor', '--stdin'], { stdin: MARKER });
    await rm(join(line.dataDir, 'master.key'));
    const { exitCode, stdout, stderr } = await run(['add', 'ai-tutor', '--stdin', '--json'], { stdin: MARKER });
    expect(exitCode).toBe(1);
    expect(reviveJson(stdout)).toMatchObject({ error: { code: 'vault_unavailable' } });
    expect(stderr).toMatch(/master key [0-9a-f]{16}/);
    expect((await line.document<Listed>(['credentials', 'list'])).data).toHaveLength(1);
  });
});

describe('credentials list and remove', () => {
  it('show and take away, newest first', async () => {
    await run(['add', 'ai-tutor', '--stdin'], { stdin: MARKER });
    await run(['add', 'b3os', '--stdin', '--purpose', 'webhook'], { stdin: MARKER });
    const { data } = await line.document<Listed>(['credentials', 'list']);
    expect(data.map(({ provider, purpose }) => [provider, purpose])).toEqual([
      ['b3os', 'webhook'],
      ['ai-tutor', 'api'],
    ]);
    const id = data[1]?.id ?? '';
    expect(await line.document(['credentials', 'remove', id])).toMatchObject({ id, removed: true });
    expect(await openedSecret()).toBeUndefined();
    expect((await run(['remove', id])).exitCode).toBe(1);
  });

  it('make no master key', async () => {
    await run(['list']);
    expect(await readdir(line.dataDir)).not.toContain('master.key');
  });

  it('do not look at the configuration', async () => {
    await writeFile(join(line.dataDir, 'rungate.yaml'), 'providers: [');
    expect((await run(['list'])).exitCode).toBe(0);
    expect((await run(['add', 'ai-tutor', '--stdin'], { stdin: MARKER })).exitCode).toBe(1);
  });
});

describe('--sandbox', () => {
  it('works in a data directory of its own', async () => {
    await run(['add', 'ai-tutor', '--stdin', '--sandbox'], { stdin: MARKER });
    expect(await openedSecret(false)).toBeUndefined();
    expect(await openedSecret(true)).toBe(MARKER);
    expect(await readdir(join(line.dataDir, 'sandbox'))).toContain('master.key');
  });
});
