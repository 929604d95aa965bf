import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VERSION } from '../../../src/app/version.ts';
import { reviveJson } from '../../../src/core/json.ts';
import { PROGRAM } from '../../support/program.ts';
import { createCommandLine, type CommandLine } from '../../support/command-line.ts';

let line: CommandLine;
beforeEach(async () => void (line = await createCommandLine()));
afterEach(() => line.remove());

describe('the program', () => {
  it('prints one document and nothing else with --json, and exits 0', async () => {
    const { exitCode, stdout, stderr } = await line.spawn([
      'keys',
      'create',
      '--name',
      'web',
      '--role',
      'viewer',
      '--json',
    ]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(reviveJson(stdout)).toMatchObject({ name: 'web', key: expect.stringMatching(/^rgk_/) });
  });

  it('reads a secret from a pipe, and says on standard error that it made a master key', async () => {
    const { exitCode, stdout, stderr } = await line.spawn(['credentials', 'add', 'ai-tutor', '--stdin'], {
      stdin: 'sk_marker\n',
    });
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^Added cred_\w+ for ai-tutor\.\n$/);
    expect(stderr).toContain('made a master key');
    expect(stdout + stderr).not.toContain('sk_marker');
  });

  it('exits 1 when it failed, with a document as well', async () => {
    const { exitCode, stdout, stderr } = await line.spawn(['runs', 'get', 'x', '--json']);
    expect(exitCode).toBe(1);
    expect(reviveJson(stdout)).toEqual({ error: { code: 'not_found', message: expect.any(String) } });
    expect(stderr).toMatch(/^rungate: There is no such run\. List them with: rungate runs list, with --sandbox/);
  });

  it('says nothing when nobody reads its answer to the end', async () => {
    expect(await line.spawn(['keys', 'list'], { closeStdout: true })).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  });

  it('says in one line that its answer cannot be written', async () => {
    const full = await open('/dev/full', 'w');
    const { exitCode, stderr } = await line.spawn(['keys', 'list'], { stdout: full.fd });
    await full.close();
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: 'rungate: the answer could not be written: ENOSPC\n',
    });
  });

  it('serves and stops in order, whether or not anybody reads its addresses', async () => {
    const full = await open('/dev/full', 'w');
    const server = spawn(process.execPath, [PROGRAM, 'serve'], {
      env: { RUNGATE_DATA_DIR: line.dataDir, RUNGATE_PORT: '0', RUNGATE_ADMIN_PORT: '0' },
      stdio: ['ignore', full.fd, 'pipe'],
    });
    try {
      await full.close();
      const log: string[] = [];
      const lines = createInterface(server.stderr!);
      lines.on('line', (text) => log.push(text));
      const said = (message: string) => log.some((text) => text.includes(`"msg":"${message}"`));
      const gone = once(server, 'exit');
      await expect.poll(() => said('ready'), { timeout: 20_000 }).toBe(true);
      await sleep(300);
      expect(server.exitCode).toBe(null);
      server.kill('SIGTERM');
      expect(await gone).toEqual([0, null]);
      await expect.poll(() => said('stopped')).toBe(true);
    } finally {
      server.kill('SIGKILL');
    }
  });

  it('exits 2 on wrong usage', async () => {
    const { exitCode, stdout, stderr } = await line.spawn(['fly', '--json']);
    expect(exitCode).toBe(2);
    expect(reviveJson(stdout)).toMatchObject({ error: { code: 'invalid_usage' } });
    expect(stderr).toContain("unknown command 'fly'");
  });
});

describe('the command line', () => {
  it.each([[[]], [['credentials']], [['keys', 'rotate']], [['runs', 'get']], [['keys', 'list', 'x']], [['--fly']]])(
    'takes %j for wrong usage',
    async (argv) => {
      const { exitCode, stdout, stderr } = await line.run(argv);
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
      expect(stderr).toMatch(/rungate: /);
    },
  );

  it.each([
    [['keys', 'list']],
    [['keys', 'revoke', 'key_1']],
    [['credentials', 'list']],
    [['runs', 'list']],
    [['runs', 'get', 'run_01k9zq00000000000000000000']],
    [['audit', 'verify']],
    [['backup', 'b.db']],
    [['vault', 'rotate']],
  ])('%j makes no database where there is none, and says where it looked', async (argv) => {
    const fresh = await createCommandLine({ fresh: true });
    try {
      const { exitCode, stderr } = await fresh.run(argv);
      expect([exitCode, stderr]).toEqual([1, expect.stringContaining(`There is no database at ${fresh.dataDir}`)]);
      expect(await readdir(fresh.dataDir)).toEqual(['rungate.yaml']);
    } finally {
      await fresh.remove();
    }
  });

  it('explains itself', async () => {
    const { exitCode, stdout } = await line.run(['--help']);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('Exit status: 0 done, 1 failed, 2 wrong usage.');
    expect(await line.run(['help'])).toEqual({ exitCode, stdout, stderr: '' });
    expect((await line.run(['help', 'backup'])).stdout).toContain('rungate backup');
  });

  it('tells its version', async () => {
    expect(await line.run(['--version'])).toEqual({ exitCode: 0, stdout: `${VERSION}\n`, stderr: '' });
  });

  it('gives up at once where no directory can be made', async () => {
    const environment = { RUNGATE_DATA_DIR: '/proc/rungate/data' };
    const { exitCode, stderr } = await line.run(['keys', 'create', '--name', 'a'], { environment });
    expect(exitCode).toBe(1);
    expect(stderr).toContain("mkdir '/proc/rungate'");
  });

  it('tells what is wrong with a setting', async () => {
    const { exitCode, stdout, stderr } = await line.run(['keys', 'list', '--json'], {
      environment: { RUNGATE_PORT: 'http' },
    });
    expect(exitCode).toBe(1);
    expect(reviveJson(stdout)).toMatchObject({ error: { code: 'invalid_configuration' } });
    expect(stderr).toContain('RUNGATE_PORT');
  });
});

describe('check', () => {
  it('tells which files of references are not there, which may be the server’s alone', async () => {
    const file = join(line.dataDir, 'good.yaml');
    const there = join(line.dataDir, 'key');
    await writeFile(there, 'sk_marker');
    const credentials = [`file:${there}`, 'file:/no/where', `file:${line.dataDir}`];
    await writeFile(file, JSON.stringify({ providers: { 'ai-tutor': { credentials } } }));
    const { exitCode, stderr } = await line.run(['check', file]);
    expect(exitCode).toBe(0);
    expect(stderr.split('\n')).toEqual([
      'rungate: file:/no/where: There is no such file here.',
      expect.stringContaining(`file:${line.dataDir}: The file of a secret cannot be used: it is a directory`),
      '',
    ]);
  });

  it.each([
    ['', true],
    [' \n\n', true],
    ['{}', false],
    ['# nothing yet', false],
  ])('says that a running server does not take an empty file: %j', async (text, empty) => {
    const file = join(line.dataDir, 'empty.yaml');
    await writeFile(file, text);
    const { exitCode, stderr } = await line.run(['check', file]);
    expect(exitCode).toBe(0);
    expect(stderr.includes(`${file} is empty: a server that runs would keep what it has`)).toBe(empty);
  });

  it('counts what a good configuration has', async () => {
    const file = join(line.dataDir, 'my.yaml');
    await writeFile(file, 'workflows:\n  summarize:\n    provider: ai-tutor\n    workflow: wf_1\n');
    expect(await line.document(['check', file])).toMatchObject({ ok: true, present: true, workflows: ['summarize'] });
    expect((await line.run(['check', file])).stdout).toMatch(
      / is good: \d+ providers, 1 workflow, 0 origins, 0 issuers\.\n$/,
    );
  });

  it('tells every fault of a bad one by line and column', async () => {
    const file = join(line.dataDir, 'my.yaml');
    await writeFile(file, 'workflows:\n  a:\n    provider: nobody\n    workflow: wf_1\n  b:\n    workflow: wf_1\n');
    const { exitCode, stderr } = await line.run(['check', file]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`${file}:3:`);
    expect(stderr).toMatch(/workflows\.b/);
  });

  it('tells what the sandbox would use of it', async () => {
    const file = join(line.dataDir, 'my.yaml');
    const providers = { other: { kind: 'ai-tutor', credentials: ['file:/no/where', 'env:NOT_SET', 'vault:kv/a#b'] } };
    const workflows = {
      played: { provider: 'ai-tutor', workflow: 'wf_1' },
      real: { provider: 'other', workflow: 'wf_1' },
    };
    await writeFile(file, JSON.stringify({ providers, workflows }));
    const { exitCode, stdout, stderr } = await line.run(['check', file, '--sandbox', '--json']);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      providers: expect.not.arrayContaining(['other']),
      workflows: ['played'],
    });
    expect(stderr).toBe(
      'rungate: workflows left out: the sandbox plays each kind under its own name, and no other provider: real\n',
    );
  });

  it('fails for a file that was named and is not there', async () => {
    expect((await line.run(['check', join(line.dataDir, 'none.yaml')])).exitCode).toBe(1);
  });
});
