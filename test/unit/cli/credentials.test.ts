import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { reviveJson } from '../../../src/core/json.ts';
import { openWorkspace } from '../../../src/app/workspace.ts';
import type { CredentialState } from '../../../src/vault/credential-state.ts';
import { openCredentialStates } from '../../../src/vault/credential-states.ts';
import { createCommandLine, type CommandLine, type CommandResult } from '../../support/command-line.ts';

const MARKER = 'sk_a-marker-secret';
const PROVIDER = { name: 'ai-tutor', baseUrl: 'https://api.example.com', credentials: [] };

interface StateFields {
  state: string | null;
  state_code: string | null;
  state_since: string | null;
  state_until: string | null;
}

interface Listed {
  data: ({
    id: string;
    provider: string;
    label: string | null;
    purpose: string;
    weight: number | null;
  } & StateFields)[];
  references: ({ id: string; provider: string; weight: number; is_set: boolean } & StateFields)[] | null;
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

async function configure(providers: object): Promise<void> {
  await writeFile(join(line.dataDir, 'rungate.yaml'), JSON.stringify({ providers }));
}

async function run(argv: readonly string[], given: Parameters<CommandLine['run']>[1] = {}) {
  const result = await line.run(['credentials', ...argv], given);
  results.push(result);
  return result;
}

/** As a server that works on the same data would write it. */
async function writeState(provider: string, credentialId: string, state: CredentialState): Promise<void> {
  const environment = { RUNGATE_DATA_DIR: line.dataDir };
  const workspace = await openWorkspace({
    environment,
    sandbox: false,
    logTo: { write: () => undefined },
    mayMakeDatabase: false,
  });
  const parts = { store: workspace.store.credentials, clock: systemClock, log: { warn: () => undefined } };
  try {
    await (await openCredentialStates(parts, 'command')).put(provider, credentialId, state);
  } finally {
    await workspace.close();
  }
}

async function openedSecret(sandbox = false): Promise<string | undefined> {
  const environment = { RUNGATE_DATA_DIR: line.dataDir };
  const workspace = await openWorkspace({
    environment,
    sandbox,
    logTo: { write: () => undefined },
    mayMakeDatabase: true,
  });
  try {
    return (await (await workspace.vault.pool(PROVIDER))[0]?.credential.open())?.open();
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

  it('gives it a weight, and says what becomes of the others', async () => {
    const first = await run(['add', 'ai-tutor', '--stdin'], { stdin: MARKER });
    expect(first.stdout).toMatch(/^Added cred_\w+ for ai-tutor\.\n$/);
    const second = await run(['add', 'ai-tutor', '--stdin', '--weight', '3'], { stdin: MARKER });
    expect(second.stdout).toContain('share it with 1 more');
    const { data } = await line.document<Listed>(['credentials', 'list']);
    expect(data.map(({ weight }) => weight)).toEqual([3, 1]);
  });

  it('says that runs do not use it where the configuration names others', async () => {
    await configure({ 'ai-tutor': { credentials: ['env:TUTOR_KEY'] } });
    const { stdout } = await run(['add', 'ai-tutor', '--stdin'], { stdin: MARKER });
    expect(stdout).toContain('New runs do not use it');
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
    ['the secret looks like an option', ['add', 'ai-tutor', `-${MARKER}`], {}],
    ['the secret looks like an option behind --', ['add', 'ai-tutor', `--${MARKER}`], {}],
    ['the secret stands for a choice', ['add', 'ai-tutor', '--stdin', '--purpose', MARKER], {}],
    ['the secret stands for a command', [MARKER], {}],
    ['the secret has a line break besides', [`${MARKER}\nsecond`], {}],
    ['the secret looks like an option with a line break', ['add', 'ai-tutor', `--${MARKER}\nsecond`], {}],
    ['the secret is given as the variable', ['add', 'ai-tutor', '--env', MARKER], {}],
    ['nothing says where the secret comes from', ['add', 'ai-tutor'], {}],
    ['two things say it', ['add', 'ai-tutor', '--stdin', '--env', 'X'], { stdin: MARKER }],
    ['the variable is not set', ['add', 'ai-tutor', '--env', 'X'], {}],
    ['the secret is empty', ['add', 'ai-tutor', '--stdin'], { stdin: '\n' }],
    ['the secret has a line break', ['add', 'ai-tutor', '--stdin'], { stdin: `${MARKER}\n${MARKER}` }],
    ['the secret is huge', ['add', 'ai-tutor', '--stdin'], { stdin: MARKER.repeat(10_000) }],
    ['the weight is no number', ['add', 'ai-tutor', '--stdin', '--weight', 'heavy'], { stdin: MARKER }],
    ['the weight is none', ['add', 'ai-tutor', '--stdin', '--weight', '0'], { stdin: MARKER }],
    ['the weight is too large', ['add', 'ai-tutor', '--stdin', '--weight', '1001'], { stdin: MARKER }],
    [
      'the weight is of a webhook’s',
      ['add', 'ai-tutor', '--stdin', '--purpose', 'webhook', '--weight', '2'],
      { stdin: MARKER },
    ],
    ['the purpose is unknown', ['add', 'ai-tutor', '--stdin', '--purpose', 'fun'], { stdin: MARKER }],
  ])('is wrong usage when %s', async (_, argv, given) => {
    const { exitCode, stdout, stderr } = await run(argv, given);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(/^rungate: .+\n/);
    expect(stderr).not.toContain(MARKER);
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

  it('show what is stored where the configuration has faults', async () => {
    await run(['add', 'ai-tutor', '--stdin'], { stdin: MARKER });
    await writeFile(join(line.dataDir, 'rungate.yaml'), 'providers: [');
    const { exitCode, stdout } = await run(['list']);
    expect({ exitCode, lines: stdout.split('\n').length }).toEqual({ exitCode: 0, lines: 4 });
    expect(stdout).toContain('rungate check');
    expect(await line.document<Listed>(['credentials', 'list'])).toMatchObject({ data: [{}], references: null });
    expect((await run(['add', 'ai-tutor', '--stdin'], { stdin: MARKER })).exitCode).toBe(1);
  });
});

describe('the state of a credential', () => {
  const AT = Date.UTC(2026, 0, 31, 12);

  it('is shown: usable, set aside and why, or resting and until when', async () => {
    for (let i = 0; i < 3; i++) await run(['add', 'ai-tutor', '--stdin'], { stdin: MARKER });
    await run(['add', 'b3os', '--stdin', '--purpose', 'webhook'], { stdin: MARKER });
    const ids = (await line.document<Listed>(['credentials', 'list'])).data.map(({ id }) => id);
    const until = systemClock.now() + 3_600_000;
    await writeState('ai-tutor', ids[1] ?? '', { is: 'set_aside', code: 'upstream_payment_required', at: AT });
    await writeState('ai-tutor', ids[2] ?? '', { is: 'resting', until });
    await writeState('ai-tutor', ids[3] ?? '', { is: 'resting', until: AT });
    const nothing = { state_code: null, state_since: null, state_until: null };
    const { data } = await line.document<Listed>(['credentials', 'list']);
    expect(data).toMatchObject([
      { provider: 'b3os', weight: null, state: null },
      {
        state: 'set_aside',
        state_code: 'upstream_payment_required',
        state_since: '2026-01-31T12:00:00.000Z',
        state_until: null,
      },
      { state: 'resting', state_code: null, state_since: null, state_until: new Date(until).toISOString() },
      { state: 'usable', ...nothing },
    ]);
    const { stdout } = await run(['list']);
    expect(stdout).toContain('set aside: upstream_payment_required since 2026-01-31T12:00:00.000Z');
    expect(stdout).toContain(`resting until ${new Date(until).toISOString()}`);
  });

  it('is shown of references too, which are there or not', async () => {
    await configure({ 'ai-tutor': { credentials: ['env:KEY_A', { ref: 'env:KEY_B', weight: 4 }] } });
    await writeState('ai-tutor', 'env:KEY_A', { is: 'set_aside', code: 'upstream_auth_failed', at: AT });
    const environment = { KEY_A: MARKER };
    const { stdout } = await run(['list', '--json'], { environment });
    expect(reviveJson<Listed>(stdout)).toMatchObject({
      data: [],
      references: [
        { id: 'env:KEY_A', provider: 'ai-tutor', weight: 1, is_set: true, state: 'set_aside' },
        { id: 'env:KEY_B', provider: 'ai-tutor', weight: 4, is_set: false, state: 'usable' },
      ],
    });
    const shown = (await run(['list'], { environment })).stdout;
    expect(shown).toMatch(/env:KEY_A +ai-tutor +api +1 +set aside: upstream_auth_failed since 2026/);
    expect(shown).toMatch(/env:KEY_B +ai-tutor +api +4 +not set here/);
  });

  it('goes with the credential', async () => {
    await run(['add', 'ai-tutor', '--stdin'], { stdin: MARKER });
    const [{ id } = { id: '' }] = (await line.document<Listed>(['credentials', 'list'])).data;
    await writeState('ai-tutor', id, { is: 'set_aside', code: 'upstream_auth_failed', at: AT });
    await run(['remove', id]);
    const workspace = await openWorkspace({
      environment: { RUNGATE_DATA_DIR: line.dataDir },
      sandbox: false,
      logTo: { write: () => undefined },
      mayMakeDatabase: false,
    });
    try {
      expect(await workspace.store.credentials.states()).toEqual([]);
    } finally {
      await workspace.close();
    }
  });
});

describe('--sandbox', () => {
  it('works in a data directory of its own', async () => {
    await run(['add', 'ai-tutor', '--stdin', '--sandbox'], { stdin: MARKER });
    expect(await openedSecret(false)).toBeUndefined();
    expect(await openedSecret(true)).toBe(MARKER);
    expect(await readdir(join(line.dataDir, 'sandbox'))).toContain('master.key');
  });

  it('judges by what the sandbox plays, and not by the file', async () => {
    const providers = { 'ai-tutor': { credentials: ['file:/no/where'] }, other: { kind: 'ai-tutor' } };
    await writeFile(join(line.dataDir, 'rungate.yaml'), JSON.stringify({ providers }));
    const add = (provider: string) => run(['add', provider, '--stdin', '--sandbox'], { stdin: MARKER });
    expect((await add('ai-tutor')).stdout).not.toContain('New runs do not use it');
    expect(await add('other')).toMatchObject({ exitCode: 1, stderr: expect.not.stringContaining('other,') });
  });
});
