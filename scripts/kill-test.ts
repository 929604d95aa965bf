/**
 * Kills a gateway (SIGKILL) at random moments while clients send runs over the simulated vendors,
 * starts it again at once, and counts what became of every run. `--kills N` (default 50), `--runs N` that
 * clients want (default 1200: some calls break before their run is written, and a thousand are to remain),
 * `--seed S` (default: by chance); the seed is printed and gives the same plan again.
 */
import { parseArgs } from 'node:util';
import { reportChecks } from '../test/support/processes/checks.ts';
import { judgeKills, tableOfEnds } from '../test/support/processes/kills/judge.ts';
import { playKills } from '../test/support/processes/kills/play.ts';
import { countOption } from './support/count-option.ts';

const { values } = parseArgs({
  options: { kills: { type: 'string' }, runs: { type: 'string' }, seed: { type: 'string' } },
});
const kills = countOption('kills', values.kills, 50);
const runs = countOption('runs', values.runs, 1_200);
const seed = countOption('seed', values.seed, 1 + Math.floor(Math.random() * 1_000_000));

console.log(
  `${runs} clients, one run each, ${kills} kills, seed ${seed} (again: npm run -s test:kill -- --seed ${seed})`,
);
const begunAt = performance.now();
const played = await playKills({ seed, kills, runs, patient: true });
const { text, failed } = reportChecks(judgeKills(played));
console.log(`${Math.round((performance.now() - begunAt) / 1000)} s; the runs ended`);
console.log(tableOfEnds(played));
console.log(text);
process.exitCode = failed === 0 ? 0 : 1;
