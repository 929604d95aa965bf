// Plain JavaScript, because it runs before `npm ci` has brought the pinned Node.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** Suites after the checks: what each runs, and how many minutes it may take. */
const SUITES = [
  ['npm test', 15],
  ['npm run -s test:kill', 8],
  ['npm run -s test:idempotency', 4],
  ['npm run -s test:power-loss', 4],
  ['npm run -s test:simulation', 8],
  ['npm run -s test:faults', 5],
  ['npm run -s test:pacing', 8],
  // On shared machines these bounds catch what has become much worse; the figures themselves are taken on a quiet one.
  ['npm run -s bench:quick -- --rounds 3 --warm-up 15000 --limit 2.5 --idle-mb 140 --ready-ms 2000', 4],
  ['npm run -s bench:streams -- --rounds 2 --streams 50 --limit 6', 3],
];

const clone = mkdtempSync(join(tmpdir(), 'rungate-ci-'));
let passed = 0;
let failed = 0;

function run(command, minutes) {
  console.log(`\n== ${command}`);
  const { status, stdout, signal } = spawnSync('bash', ['-c', command], {
    cwd: clone,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: minutes * 60_000,
    maxBuffer: 256 * 1024 * 1024,
  });
  process.stdout.write(stdout ?? '');
  return { ok: status === 0 && signal === null, output: stdout ?? '' };
}

/** Counts of a suite's own closing line: vitest's, or a plain `N passed, N failed`. */
function countsOf(output) {
  const plain = stripVTControlCharacters(output);
  const own = [...plain.matchAll(/^(\d+) passed, (\d+) failed$/gm)].at(-1);
  if (own) return { passed: Number(own[1]), failed: Number(own[2]) };
  const line = [...plain.matchAll(/^\s*Tests\s+(.*)$/gm)].at(-1)?.[1] ?? '';
  const count = (word) => Number(new RegExp(`(\\d+) ${word}`).exec(line)?.[1] ?? 0);
  return { passed: count('passed'), failed: count('failed') };
}

function suite(command, minutes) {
  const { ok, output } = run(command, minutes);
  const counts = countsOf(output);
  passed += counts.passed;
  failed += counts.failed;
  // A suite that died, or ran nothing, is a failure even where it counted none.
  if ((!ok && counts.failed === 0) || counts.passed + counts.failed === 0) failed += 1;
}

function step(command, minutes) {
  if (run(command, minutes).ok) passed += 1;
  else failed += 1;
}

try {
  const copied = spawnSync('git', ['clone', '--quiet', '--no-hardlinks', '.', clone], { stdio: 'inherit' });
  if (copied.status !== 0) cpSync('.', clone, { recursive: true, filter: (path) => !path.includes('node_modules') });
  step('npm ci', 5);
  step('npm run -s check', 5);
  for (const [command, minutes] of SUITES) suite(command, minutes);
} finally {
  rmSync(clone, { recursive: true, force: true });
  console.log(`\n${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}
