/**
 * Rotates the master key of a real gateway under load, with `--secrets N` (default 10000) sealed credentials. The command is
 * killed (SIGKILL) three times in the middle and begun again; then the old key is taken away and the gateway restarted.
 */
import { parseArgs } from 'node:util';
import { reportChecks } from '../test/support/processes/checks.ts';
import { judgeRotation } from '../test/support/processes/rotation/judge.ts';
import { playRotation } from '../test/support/processes/rotation/play.ts';
import { countOption } from './support/count-option.ts';

const { values } = parseArgs({ options: { secrets: { type: 'string' } } });
const secrets = countOption('secrets', values.secrets, 10_000);

console.log(`${secrets} credentials, runs and new secrets all the time, a rotation that is killed three times`);
const played = await playRotation({ secrets });
const { text, failed } = reportChecks(judgeRotation(played, { secrets }));
console.log(
  `stored in ${(played.ms.insert / 1000).toFixed(1)} s; everything took ${(played.ms.whole / 1000).toFixed(1)} s`,
);
console.log(text);
process.exitCode = failed === 0 ? 0 : 1;
