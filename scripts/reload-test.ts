/**
 * Reloads the configuration of a real gateway again and again under load, and counts what became of the requests.
 * `--rate N` requests a second (default 2000), `--seconds N` (default 10), `--every MS` between two writes of the
 * file (default 200).
 */
import { parseArgs } from 'node:util';
import { reportChecks } from '../test/support/processes/checks.ts';
import { judgeReload } from '../test/support/processes/reload/judge.ts';
import { playReload } from '../test/support/processes/reload/play.ts';
import { countOption } from './support/count-option.ts';

/** Requests arrive by the clock; a busy machine may answer them more slowly, which is told, down to this part. */
const ANSWERED_MIN = 0.5;

const { values } = parseArgs({
  options: { rate: { type: 'string' }, seconds: { type: 'string' }, every: { type: 'string' } },
});
const game = {
  requestsPerSecond: countOption('rate', values.rate, 2_000),
  seconds: countOption('seconds', values.seconds, 10),
  rewriteMs: countOption('every', values.every, 200),
};

console.log(`${game.requestsPerSecond} requests a second for ${game.seconds} s, a new file every ${game.rewriteMs} ms`);
const played = await playReload(game);
const { text, failed } = reportChecks(judgeReload(played, game, game.requestsPerSecond * ANSWERED_MIN));
console.log(text);
process.exitCode = failed === 0 ? 0 : 1;
