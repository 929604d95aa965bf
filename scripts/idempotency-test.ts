/**
 * Sends many copies of one `POST /runs` with the same Idempotency-Key at once, over connections that are open
 * already, and counts what the simulated vendors were asked to start. `--rounds N` (default 50),
 * `--copies N` (default 200, an even number).
 */
import { parseArgs } from 'node:util';
import { reportChecks } from '../test/support/processes/checks.ts';
import { playIdempotency } from '../test/support/processes/idempotency/play.ts';
import { countOption } from './support/count-option.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string' }, copies: { type: 'string' } } });
const rounds = countOption('rounds', values.rounds, 50);
const copies = countOption('copies', values.copies, 200);
if (copies % 2 !== 0) throw new RangeError('--copies: expected an even number');

console.log(`${rounds} rounds of ${copies} copies`);
const { text, failed } = reportChecks(await playIdempotency({ rounds, copies }));
console.log(text);
process.exitCode = failed === 0 ? 0 : 1;
