/**
 * `npm run test:build`: builds the program, and runs the tests that start it as processes of its own over what was
 * built, which is what an image has in it. `npm test` runs them over the source.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildProgram } from './support/build-program.ts';

const TESTS = [
  'audit',
  'backup',
  'kills',
  'log-format',
  'references',
  'reload',
  'restarts',
  'revocation',
  'rotation',
  'stop',
  'streams-restart',
  'streams-secrets',
  'traces',
  'young-heap',
];

const directory = mkdtempSync(join(tmpdir(), 'rungate-build-'));
try {
  const build = join(directory, 'dist');
  await buildProgram(build);
  const { status } = spawnSync('vitest', ['run', ...TESTS.map((name) => `/${name}.test.ts`)], {
    env: { ...process.env, RUNGATE_TEST_PROGRAM: join(build, 'bin/rungate.js') },
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}
