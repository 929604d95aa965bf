/**
 * Lets runs wait for a vendor that allows ten starts a minute and refuses every other: across a restart and a crash of
 * the gateway, and between two keys one of which floods. Takes five minutes, in which hardly anything happens.
 */
import { reportChecks } from '../test/support/processes/checks.ts';
import { checkFairShare } from './support/pacing/fair-share.ts';
import { checkRestart } from './support/pacing/restart.ts';

const parts = [checkRestart('SIGTERM'), checkRestart('SIGKILL'), checkFairShare()];
const { text, failed } = reportChecks((await Promise.all(parts)).flat());
console.log(text);
process.exitCode = failed === 0 ? 0 : 1;
