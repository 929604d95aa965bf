import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reviveJson } from '../../src/core/json.ts';
import { PROVIDER_KINDS } from '../../src/providers/catalog.generated.ts';
import { codeBlocks, readDocument } from '../support/documents.ts';
import {
  hasCurl,
  openShell,
  pathWithCurlStandIn,
  shellCommands,
  type Running,
  type Shell,
} from '../support/shell/shell.ts';

const README = readDocument('README.md');
const COMMANDS = codeBlocks(README)
  .filter(({ language }) => language === 'sh')
  .flatMap(({ text }) => shellCommands(text));
const executed = new Set<string>();

/** The README's command with `part` in it; there is to be one. */
function commandWith(...parts: string[]): string {
  const found = COMMANDS.filter((command) => parts.every((part) => command.includes(part)));
  if (found.length !== 1) throw new Error(`the README has ${found.length} commands with ${parts.join(' and ')}`);
  executed.add(found[0]!);
  return found[0]!;
}

const WELL = { exitCode: 0, stderr: '' };
const KEY = /rgk_[0-9a-z]{16}_[0-9A-Za-z]{43}_[0-9a-f]{8}/;
const SERVE_SANDBOX = commandWith('serve --sandbox');
const KEYS_SANDBOX = commandWith('keys create', '--sandbox');
const FIRST_RUN = commandWith('curl', 'ai-tutor');
const ASYNC_RUN = commandWith('curl', 'respond-async');
const PROVIDERS = commandWith('curl', '/providers');
const LIST = commandWith('curl', '/runs?limit=5');
const ADD_CREDENTIAL = commandWith('credentials add');
const KEYS_REAL = commandWith('keys create', '--allow-provider');
const SERVE = COMMANDS.find((command) => command.endsWith('serve')) ?? '';
executed.add(SERVE);

const curl = await hasCurl();
if (!curl) console.warn('no curl on this machine: the README’s curl lines are executed with a stand-in only');

let directory: string;
let shell: Shell;
const gateways: Running[] = [];

/** Starts a gateway as the README says, on a free port, and returns what replaces the README's address. */
async function serve(command: string): Promise<string> {
  const gateway = await shell.start(command, /^admin API/);
  gateways.push(gateway);
  const address = /^runs API +http:\/\/(\S+)$/.exec(gateway.lines[0] ?? '')?.[1];
  if (address === undefined) throw new Error(`no address in ${gateway.lines.join('\n')}`);
  return address;
}

async function makeKey(command: string): Promise<string> {
  const ran = await shell.run(command);
  expect(ran).toMatchObject(WELL);
  return KEY.exec(ran.stdout)?.[0] ?? '';
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rungate-readme-'));
  await writeFile(join(directory, 'rungate.yaml'), 'providers: {}\n');
  shell = openShell({
    RUNGATE_DATA_DIR: directory,
    RUNGATE_CONFIG: join(directory, 'rungate.yaml'),
    RUNGATE_PORT: '0',
    RUNGATE_ADMIN_PORT: '0',
    AI_TUTOR_KEY: 'sk_a_secret_of_ai_tutor',
  });
});

afterAll(async () => {
  await Promise.all(gateways.map((gateway) => gateway.stop()));
  await rm(directory, { recursive: true, force: true });
});

describe('the README', () => {
  it('has no command that is not executed here, and leads with the two lines for newcomers', () => {
    expect(COMMANDS.filter((command) => !executed.has(command))).toEqual([]);
    expect(COMMANDS).toHaveLength(9);
    const [first, second] = Array.from(README.text.matchAll(/^ {4}(npm .*?) +#/gm), ([, line]) => line);
    expect([first, second]).toEqual(['npm ci && npm run demo', 'npm ci && npm test']);
  });
});

describe('the first steps', () => {
  let address: string;
  let key: string;
  beforeAll(async () => {
    address = await serve(SERVE_SANDBOX);
    key = await makeKey(KEYS_SANDBOX);
  });

  it('show the key once', () => expect(key).toMatch(KEY));

  describe.each([...(curl ? ['curl'] : []), 'a stand-in for curl'])('with %s', (tool) => {
    // oxlint-disable-next-line typescript/no-explicit-any -- tests look into bodies of every shape
    async function ask(command: string): Promise<any> {
      const path = tool === 'curl' ? {} : { PATH: await pathWithCurlStandIn(directory) };
      const terminal = openShell({ RUNGATE_KEY: key, ...path });
      expect(command).toContain('127.0.0.1:8080');
      const ran = await terminal.run(command.replace('127.0.0.1:8080', address));
      expect(ran).toMatchObject(WELL);
      return reviveJson(ran.stdout);
    }

    it('wait for the end of a run', async () => {
      const run = await ask(FIRST_RUN);
      expect(run).toMatchObject({ object: 'run', status: 'succeeded', provider: 'ai-tutor' });
      expect(run.output.text).toContain('a fox and a gateway');
    });

    it('are answered at once, and the run ends all the same', async () => {
      const run = await ask(ASYNC_RUN);
      expect(run).toMatchObject({
        object: 'run',
        provider: 'draft-and-goal',
        workflow: expect.stringMatching(/^0cf35172/),
      });
      const headers = { authorization: `Bearer ${key}`, prefer: 'wait=30' };
      const later = await fetch(`http://${address}/runs/${run.id}`, { headers });
      expect(await later.json()).toMatchObject({ id: run.id, status: 'succeeded' });
    });

    it('list the providers, and the runs so far', async () => {
      const { data: providers } = await ask(PROVIDERS);
      expect(providers.map(({ name }: { name: string }) => name)).toEqual(PROVIDER_KINDS.map(({ kind }) => kind));
      const { data: runs } = await ask(LIST);
      expect(runs.length).toBeGreaterThanOrEqual(2);
      expect(runs.map(({ provider }: { provider: string }) => provider)).toContain('ai-tutor');
    });
  });
});

describe('the steps with real vendors', () => {
  it('take a credential from the environment, keep a key to its provider, and serve', async () => {
    const added = await shell.run(ADD_CREDENTIAL);
    expect(added).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('for ai-tutor') });
    expect(added.stdout).not.toContain('sk_a_secret');
    const key = await makeKey(KEYS_REAL);
    const address = await serve(SERVE);
    const headers = { authorization: `Bearer ${key}` };
    const providers = await fetch(`http://${address}/providers`, { headers });
    expect(await providers.json()).toMatchObject({ data: [{ name: 'ai-tutor', credential: 'present' }] });
    expect((await fetch(`http://${address}/readyz`)).status).toBe(200);
  });
});
