import { access, constants, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildProgram } from '../../scripts/support/build-program.ts';
import { reviveJson } from '../../src/core/json.ts';
import { ROOT } from '../support/documents.ts';
import { linesUntil, startChild, type Child } from '../support/processes/child.ts';

const CONFIG = `
workflows:
  tutor:
    provider: ai-tutor
    workflow: wf_abc123
    inputs: { type: object, required: [story], properties: { story: { type: string } } }
`;

describe('a build', () => {
  let directory: string;
  let build: string;
  let environment: Record<string, string>;
  let serving: Child | null = null;

  // Far from the packages of this repository, where Node.js would find what the build lacks.
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'rungate-build-'));
    build = join(directory, 'dist');
    await buildProgram(build);
    await writeFile(join(directory, 'rungate.yaml'), CONFIG);
    environment = {
      RUNGATE_CONFIG: join(directory, 'rungate.yaml'),
      RUNGATE_DATA_DIR: join(directory, 'data'),
      RUNGATE_PORT: '0',
      RUNGATE_ADMIN_PORT: '0',
    };
  });

  afterAll(async () => {
    serving?.signal('SIGKILL');
    await serving?.gone;
    await rm(directory, { recursive: true, force: true });
  });

  function start(...argv: string[]): { child: Child; complaints: string[] } {
    const child = startChild([join(build, 'bin/rungate.js'), ...argv], environment);
    const complaints: string[] = [];
    child.stderr.on('line', (line: string) => complaints.push(line));
    return { child, complaints };
  }

  async function linesOf(argv: string[], isLast: (line: string) => boolean): Promise<string[]> {
    const { child, complaints } = start(...argv);
    if (argv[0] === 'serve') serving = child;
    return linesUntil(child, isLast, () => complaints.join('\n'));
  }

  it('serves, checks inputs, takes commands and caches its code without the packages of a checkout', async () => {
    const lines = await linesOf(['serve', '--sandbox'], (line) => line.startsWith('admin API'));
    const url = /http:\S+/.exec(lines.find((line) => line.startsWith('runs API')) ?? '')?.[0];
    const isKey = (line: string) => line.startsWith('rgk_');
    const key = (await linesOf(['keys', 'create', '--name', 'k', '--sandbox'], isKey)).find(isKey);
    const post = async (inputs: object) => {
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
      const body = JSON.stringify({ workflow: 'tutor', inputs });
      const answer = await fetch(`${url}/runs`, { method: 'POST', headers, body });
      return { status: answer.status, body: await answer.json() };
    };
    expect(await post({ story: 7 })).toMatchObject({ status: 400, body: { error: { param: 'inputs.story' } } });
    expect(await post({ story: 'a fox' })).toMatchObject({ status: 200, body: { status: 'succeeded' } });
    serving?.signal('SIGTERM');
    expect(await serving?.gone).toBe('exit 0');
    expect(await readdir(join(build, 'node_modules/.cache/rungate'))).not.toEqual([]);
  });

  it('has the version and the licence of the program, and the licences of the packages in it', async () => {
    const read = async (path: string) => readFile(path, 'utf8');
    const own = reviveJson<Record<string, object>>(await read(join(ROOT, 'package.json')));
    const built = reviveJson<Record<string, unknown>>(await read(join(build, 'package.json')));
    expect(built).toMatchObject({ name: own['name'], version: own['version'], license: own['license'] });
    expect(await read(join(build, 'LICENSE'))).toBe(await read(join(ROOT, 'LICENSE')));
    const licenses = await read(join(build, 'THIRD-PARTY-LICENSES'));
    const contained = ['ajv', 'fastify', 'pino', 'undici', 'zod'];
    const versions: Record<string, unknown> = { ...own['dependencies'] };
    expect(contained.filter((name) => !licenses.includes(`\n${name} ${versions[name]}, MIT\n`))).toEqual([]);
    expect(licenses).not.toContain('vitest');
    // Of a part of undici.
    expect(licenses).toContain('Ethan Arrowood');
    await access(join(build, 'bin/rungate.js'), constants.X_OK);
  });

  it('fails where a package is missing, and leaves the build of before', async () => {
    const root = join(directory, 'checkout');
    const write = async (path: string, text: string) => {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
    };
    await write('bin/rungate.js', "import '../src/old.cjs';");
    await write('src/old.cjs', "require('a-missing-package');");
    await write('src/store/sqlite/writer-worker.ts', '');
    const before = await readdir(build, { recursive: true });
    await expect(buildProgram(build, root)).rejects.toThrow('a-missing-package');
    expect(await readdir(build, { recursive: true })).toEqual(before);
  });
});
