/**
 * Faults by chance at full load: a gateway over vendors that fail in every way now and then, and clients that hold,
 * stream, come back, leave, cancel, repeat themselves and answer. `--minutes N` (default 10), `--clients N` (default
 * 64), `--seed S` (default: by chance).
 */
import { parseArgs } from 'node:util';
import { reportChecks } from '../test/support/processes/checks.ts';
import { countOption } from './support/count-option.ts';
import { judgeSoak, soakFigures } from './support/soak/judge.ts';
import { playSoak } from './support/soak/play.ts';

const { values } = parseArgs({
  options: { minutes: { type: 'string' }, clients: { type: 'string' }, seed: { type: 'string' } },
});
const game = {
  minutes: countOption('minutes', values.minutes, 10),
  clients: countOption('clients', values.clients, 64),
  seed: countOption('seed', values.seed, 1 + Math.floor(Math.random() * 1_000_000)),
};

console.log(`${game.clients} clients for ${game.minutes} minutes, seed ${game.seed}`);
const played = await playSoak(game);
console.log(soakFigures(played));
const { text, failed } = reportChecks(judgeSoak(played));
console.log(text);
process.exitCode = failed === 0 ? 0 : 1;
