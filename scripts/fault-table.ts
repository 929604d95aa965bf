/**
 * Lets every simulated vendor fail in every way that there is, through a real gateway with the retries that are
 * shipped, and shows as a Markdown table what each came to. `--out F` writes the table to a file.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { reportChecks } from '../test/support/processes/checks.ts';
import { faultTable, judgeFaults } from './support/faults/judge.ts';
import { playFaults } from './support/faults/play.ts';

const { values } = parseArgs({ options: { out: { type: 'string' } } });
const begunAt = performance.now();
const played = await playFaults();
if (values.out === undefined) console.log(`${faultTable(played)}\n`);
else writeFileSync(values.out, `${faultTable(played)}\n`);
const { text, failed } = reportChecks(judgeFaults(played));
console.log(`${played.faults.length} faults in ${Math.round((performance.now() - begunAt) / 1000)} s`);
console.log(text);
process.exitCode = failed === 0 ? 0 : 1;
