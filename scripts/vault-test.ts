/**
 * `npm run test:vault`: what docs/operations.md says of HashiCorp Vault and OpenBao, at a real server, which it starts in
 * development mode. That is `bao` or `vault` on the PATH, or the program that `RUNGATE_TEST_VAULT` names.
 */
import { spawnSync } from 'node:child_process';
import { createSteps, must } from '../test/support/processes/steps.ts';
import { playWithRealServer } from '../test/support/vault/play.ts';
import { startRealServer, type RealServer } from '../test/support/vault/real-server.ts';

const NEEDED =
  'this needs OpenBao or HashiCorp Vault: `bao` or `vault` on the PATH, or its path in RUNGATE_TEST_VAULT. ' +
  'Both are single programs; their projects offer them for every platform.';

const named = process.env['RUNGATE_TEST_VAULT'] ?? '';
const candidates = named === '' ? ['bao', 'vault'] : [named];
const steps = createSteps((line) => console.log(line));
let server: RealServer | undefined;

// Its own children end with it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
await steps.check('there is a server to try it with', async () => {
  const program = candidates.find((name) => spawnSync(name, ['version']).status === 0);
  must(program !== undefined, NEEDED);
  server = await startRealServer(program);
  return server.version;
});
if (server !== undefined) {
  try {
    await playWithRealServer(steps, server);
  } finally {
    await server.close();
  }
}
const failed = steps.checks.filter(({ faults }) => faults.length > 0).length;
console.log(`${steps.checks.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
