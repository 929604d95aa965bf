/**
 * Puts secrets that are nowhere else in the world into every place that takes one, has vendors echo them in every way,
 * forces every failure, and looks for them afterwards in all that was written. `--keep F` writes what was gathered of the
 * gateway's log to a file.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { judgeCanary } from '../test/support/processes/canary/judge.ts';
import { playCanary } from '../test/support/processes/canary/play.ts';
import { reportChecks } from '../test/support/processes/checks.ts';

const { values } = parseArgs({ options: { keep: { type: 'string' } } });
const begunAt = performance.now();
const played = await playCanary();
if (values.keep !== undefined) {
  const log = played.evidence.filter(({ place }) => place.endsWith('of the gateway'));
  writeFileSync(values.keep, Buffer.concat(log.map(({ bytes }) => bytes)));
}
const { text, failed } = reportChecks(judgeCanary(played));
console.log(`played in ${Math.round((performance.now() - begunAt) / 1000)} s`);
console.log(text);
process.exitCode = failed === 0 ? 0 : 1;
