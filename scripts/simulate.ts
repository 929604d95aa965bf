/**
 * Plays seeded schedules of crashes, drains, slow commits, lost answers, vendors that lie, limit and fail, several
 * credentials, fallbacks, limits and readers who come and go against the run engine over the real store, and judges each. `--schedules N` (default 2000), `--from SEED` (default 1);
 * a failing seed is printed, and `--from SEED --schedules 1` replays it.
 */
import { parseArgs } from 'node:util';
import { playSeed } from '../test/support/simulation/find-out.ts';
import { judge } from '../test/support/simulation/judge.ts';
import { countOption } from './support/count-option.ts';

/** So many failing schedules show what is wrong. */
const FAILED_MAX = 20;

function readOptions(): { schedules: number; from: number } {
  const { values } = parseArgs({ options: { schedules: { type: 'string' }, from: { type: 'string' } } });
  return {
    schedules: countOption('schedules', values.schedules, 2_000),
    from: countOption('from', values.from, 1),
  };
}

/** The number of schedules that did not hold, or were not played. */
async function main(): Promise<number> {
  const { schedules, from } = readOptions();
  const ends = new Map<string, number>();
  let [played, failed, runs, virtualSeconds] = [0, 0, 0, 0];
  for (let seed = from; seed < from + schedules && failed < FAILED_MAX; seed++) {
    const one = await playSeed(seed);
    const faults = judge(one);
    played += 1;
    runs += one.histories.length;
    virtualSeconds += one.seconds;
    for (const { run } of one.histories) {
      const end = run.error ? `${run.status} ${run.error.code}` : run.status;
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
    if (faults.length === 0) continue;
    failed += 1;
    console.log(`seed ${seed} (replay: npm run -s test:simulation -- --from ${seed} --schedules 1)`);
    for (const fault of faults) console.log(`  ${fault}`);
  }
  console.log(`${runs} runs in ${played} schedules, ${Math.round(virtualSeconds / 3600)} virtual hours; they ended`);
  for (const [end, count] of [...ends].sort((a, b) => b[1] - a[1])) {
    console.log(`  ${String(count).padStart(7)}  ${end}`);
  }
  const left = schedules - played;
  console.log(`${played - failed} passed, ${failed} failed${left > 0 ? `, ${left} not played` : ''}`);
  return failed + left;
}

try {
  process.exitCode = (await main()) === 0 ? 0 : 1;
} catch (error) {
  if (!(error instanceof RangeError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
