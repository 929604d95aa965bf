/**
 * Plays seeded schedules of crashes, slow commits, lost answers and lying vendors against the run engine
 * over the real store, and judges each. `--schedules N` (default 2000), `--from SEED` (default 1);
 * a failing seed is printed, and `--from SEED --schedules 1` replays it.
 */
import { parseArgs } from 'node:util';
import { openStore } from '../src/store/open-store.ts';
import { judge } from '../test/support/simulation/judge.ts';
import { quietLog } from '../test/support/simulation/quiet-log.ts';
import { play } from '../test/support/simulation/world.ts';

const { values } = parseArgs({ options: { schedules: { type: 'string' }, from: { type: 'string' } } });
const schedules = Number(values.schedules ?? 2_000);
const from = Number(values.from ?? 1);

let failed = 0;
let runs = 0;
let virtualSeconds = 0;
const ends = new Map<string, number>();

for (let seed = from; seed < from + schedules; seed++) {
  let close = async () => {};
  const played = await play(seed, async (clock) => {
    const store = await openStore({ url: 'sqlite::memory:', clock, log: quietLog, role: 'serve', writer: 'inline' });
    close = () => store.close();
    return store.runs;
  });
  const faults = await judge(played);
  await close();
  runs += played.runs.length;
  virtualSeconds += played.seconds;
  for (const run of played.runs) {
    const end = run.error ? `${run.status} ${run.error.code}` : run.status;
    ends.set(end, (ends.get(end) ?? 0) + 1);
  }
  if (faults.length === 0) continue;
  failed += 1;
  console.log(`seed ${seed} (replay: npm run -s test:simulation -- --from ${seed} --schedules 1)`);
  for (const fault of faults) console.log(`  ${fault}`);
  if (failed >= 20) break;
}

console.log(`${runs} runs in ${schedules} schedules, ${Math.round(virtualSeconds / 3600)} virtual hours; they ended`);
for (const [end, count] of [...ends].sort((a, b) => b[1] - a[1])) console.log(`  ${String(count).padStart(7)}  ${end}`);
console.log(`${schedules - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
