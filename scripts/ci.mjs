// Plain JavaScript, because it runs before `npm ci` has brought the pinned Node.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** Suites after the checks: what each runs, and how many minutes it may take. */
const SUITES = [
  ['npm test', 15],
  ['npm run -s test:build', 5],
  ['npm run -s test:kill', 8],
  ['npm run -s test:idempotency', 4],
  ['npm run -s test:power-loss', 4],
  ['npm run -s test:simulation', 8],
  ['npm run -s test:faults', 5],
  ['npm run -s test:pacing', 8],
  ['npm run -s test:browser', 5],
  ['npm run -s test:rotation', 5],
  ['npm run -s test:canary', 4],
  ['npm run -s test:fuzz -- --seconds 30', 2],
  // On shared machines these bounds catch what has become much worse; the figures themselves are taken on a quiet one.
  ['npm run -s bench:quick -- --sets 3 --rounds 2 --warm-up 15000 --limit 2.5 --idle-mb 95 --ready-ms 2000', 4],
  ['npm run -s bench:streams -- --rounds 2 --streams 50 --limit 6', 3],
];

/** What is shown of each suite's output, from its end. */
const LINES_WHEN_GOOD = 12;
const LINES_WHEN_BAD = 400;
const FAULTS_SHOWN_MAX = 40;

const clone = mkdtempSync(join(tmpdir(), 'rungate-ci-'));
let passed = 0;
let failed = 0;
/** What to look at first: said again at the very end, because whoever looks there sees only the last of much output. */
const faults = [];

function run(command, minutes) {
  console.log(`\n== ${command}`);
  // In one stream: vitest names what failed on its standard error.
  const { status, stdout, signal } = spawnSync('bash', ['-c', `(${command}) 2>&1`], {
    cwd: clone,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: minutes * 60_000,
    maxBuffer: 256 * 1024 * 1024,
  });
  const ok = status === 0 && signal === null;
  const lines = (stdout ?? '').trimEnd().split('\n');
  console.log(lines.slice(ok ? -LINES_WHEN_GOOD : -LINES_WHEN_BAD).join('\n'));
  return { ok, output: stdout ?? '' };
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

/** Lines of a suite's output that name what failed: vitest's, and those of our own scripts. */
function faultsOf(output) {
  const lines = stripVTControlCharacters(output).split('\n');
  const named = lines.filter((line) => /^\s*(?:FAIL|MISS|[A-Za-z]*Error:|seed \d+)\s/.test(line));
  return [...new Set(named.map((line) => line.trim().slice(0, 300)))].slice(0, FAULTS_SHOWN_MAX);
}

function suite(command, minutes) {
  const { ok, output } = run(command, minutes);
  const counts = countsOf(output);
  passed += counts.passed;
  failed += counts.failed;
  // A suite that died, or ran nothing, is a failure even where it counted none.
  if ((!ok && counts.failed === 0) || counts.passed + counts.failed === 0) failed += 1;
  if (!ok || counts.failed > 0) faults.push(`== ${command}`, ...faultsOf(output));
}

function step(command, minutes) {
  const { ok, output } = run(command, minutes);
  if (ok) passed += 1;
  else {
    failed += 1;
    faults.push(`== ${command}`, ...faultsOf(output));
  }
}

try {
  const copied = spawnSync('git', ['clone', '--quiet', '--no-hardlinks', '.', clone], { stdio: 'inherit' });
  if (copied.status !== 0) cpSync('.', clone, { recursive: true, filter: (path) => !path.includes('node_modules') });
  step('npm ci', 5);
  step('npm run -s check', 5);
  for (const [command, minutes] of SUITES) suite(command, minutes);
} finally {
  rmSync(clone, { recursive: true, force: true });
  if (faults.length > 0) console.log(`\nWhat failed:\n${faults.join('\n')}`);
  console.log(`\n${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}
