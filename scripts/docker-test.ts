/**
 * `npm run test:docker`: builds the image, runs it as the documents say, and checks what they promise: read-only and
 * without rights, a compile cache that is filled, a run through the published port, health, an orderly stop, data that
 * outlives its container, and docker-compose.yml. Needs a Docker engine on this machine; `--build-network host` builds
 * where the engine's own network reaches no package registry. Everything is removed again but the image, `rungate:test`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { checkCompose } from '../test/support/docker/compose-checks.ts';
import { checkCompileCache, checkImage, checkLife } from '../test/support/docker/image-checks.ts';
import { command, tryCommand } from '../test/support/docker/run-command.ts';
import { createSteps, must } from '../test/support/processes/steps.ts';
import { ROOT } from '../test/support/documents.ts';

const IMAGE = 'rungate:test';
const BUILD_TIMEOUT_MS = 600_000;
const MEGABYTE = 1_000_000;

const { values } = parseArgs({ options: { 'build-network': { type: 'string' } } });
const network = values['build-network'];
const name = `rungate-test-${process.pid}`;
const steps = createSteps((line) => console.log(line));

const engine = await steps.check('there is a Docker engine', async () => {
  const found = await tryCommand(['docker', 'version', '--format', '{{.Server.Version}}']);
  const why = found.stderr.trim() || 'the program `docker` is not installed';
  must(found.status === 0, `this needs a running Docker engine and its client: ${why}`);
  return found.stdout.trim();
});
try {
  if (engine && (await steps.check('the image is built', build))) {
    await checkImage(steps, IMAGE);
    await checkCompileCache(steps, { image: IMAGE, name: `${name}-threads` });
    await checkLife(steps, { image: IMAGE, name });
    await checkCompose(steps, { image: IMAGE, name: `${name}-compose` });
  }
} finally {
  if (engine) await removeContainers();
}
const failed = steps.checks.filter(({ faults }) => faults.length > 0).length;
console.log(`${steps.checks.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

async function build(): Promise<string> {
  const begunAt = performance.now();
  const line = ['docker', 'build', '--tag', IMAGE, ...(network === undefined ? [] : ['--network', network]), '.'];
  await command(line, { directory: ROOT, timeoutMs: BUILD_TIMEOUT_MS });
  const seconds = Math.round((performance.now() - begunAt) / 1000);
  const bytes = async (image: string) =>
    Number(await command(['docker', 'image', 'inspect', '--format', '{{.Size}}', image]));
  const size = await bytes(IMAGE);
  const own = size - (await bytes(baseImage()));
  return `${inMegabytes(size)} uncompressed, ${inMegabytes(own)} of them on top of ${baseImage()}; in ${seconds} s`;
}

function baseImage(): string {
  return /^ARG NODE_IMAGE=(\S+)$/m.exec(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'))?.[1] ?? '';
}

function inMegabytes(bytes: number): string {
  return `${Math.round(bytes / MEGABYTE)} MB`;
}

/** What a check that failed has left behind, too. */
async function removeContainers(): Promise<void> {
  const left = await command(['docker', 'ps', '--all', '--quiet', '--filter', `name=${name}`]);
  if (left !== '') await command(['docker', 'rm', '--force', '--volumes', ...left.split('\n')]);
  await tryCommand(['docker', 'volume', 'rm', name]);
}
