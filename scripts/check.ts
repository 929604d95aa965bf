/** `npm run check`: everything that must hold at every commit, one step a line, all faults at once. */
import { spawnSync } from 'node:child_process';

const steps: ReadonlyArray<{ name: string; command: string; args: readonly string[] }> = [
  { name: 'format', command: 'prettier', args: ['--check', '--log-level', 'warn', '.'] },
  { name: 'lint', command: 'oxlint', args: ['--quiet'] },
  { name: 'types', command: 'tsc', args: ['--noEmit'] },
  { name: 'import direction', command: 'vitest', args: ['run', '--reporter=dot', 'test/architecture'] },
  { name: 'unused code', command: 'knip', args: ['--no-progress'] },
  { name: 'code for tests alone', command: 'knip', args: ['--production', '--exclude', 'types', '--no-progress'] },
  { name: 'API compatibility', command: 'node', args: ['scripts/check-openapi-breaking.ts'] },
  { name: 'generated files', command: 'node', args: ['scripts/generate.ts', '--check'] },
];

let failed = 0;
for (const { name, command, args } of steps) {
  const begunAt = performance.now();
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  const seconds = ((performance.now() - begunAt) / 1000).toFixed(1);
  const good = status === 0;
  console.log(`${good ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)`);
  if (good) continue;
  failed += 1;
  console.log(error ? String(error) : `${stdout}${stderr}`);
}
process.exitCode = failed === 0 ? 0 : 1;
