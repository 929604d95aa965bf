/**
 * Throws random and mutated requests at both listeners of a real gateway: identities that are nearly right, paths with
 * other spellings, headers, statements of SQL, broken HTTP. `--seconds N` (default 60), `--seed S` (default: by chance).
 */
import { parseArgs } from 'node:util';
import { reportChecks } from '../test/support/processes/checks.ts';
import { judgeFuzz } from '../test/support/processes/fuzz/judge.ts';
import { playFuzz } from '../test/support/processes/fuzz/play.ts';
import { countOption } from './support/count-option.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string' }, seed: { type: 'string' } } });
const game = {
  seconds: countOption('seconds', values.seconds, 60),
  seed: countOption('seed', values.seed, 1 + Math.floor(Math.random() * 1_000_000)),
};

console.log(`fuzzing for ${game.seconds} s, seed ${game.seed}`);
const { text, failed } = reportChecks(judgeFuzz(await playFuzz(game), game.seconds));
console.log(text);
process.exitCode = failed === 0 ? 0 : 1;
