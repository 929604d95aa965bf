/**
 * `npm run test:build`: builds the program, and runs over what was built the tests that may start it as a process of its
 * own: that is what an image has in it. `npm test` runs them over the source.
 */
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildProgram } from './support/build-program.ts';

/** What a test imports to start the program. */
const STARTS_PROGRAM = /from '[^']*\/support\/(?:command-line|program|serving-process|processes\/[^']*)\.ts'/;

const tests = globSync('test/**/*.test.ts').filter((path) => STARTS_PROGRAM.test(readFileSync(path, 'utf8')));
const directory = mkdtempSync(join(tmpdir(), 'rungate-build-'));
try {
  const build = join(directory, 'dist');
  await buildProgram(build);
  const { status } = spawnSync('vitest', ['run', ...tests], {
    env: { ...process.env, RUNGATE_TEST_PROGRAM: join(build, 'bin/rungate.js') },
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}
