import { LIMIT_SETTINGS } from '../../../src/config/limit-settings.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import { HARDENED, makeKey, objectIn, startContainer, textIn, untilHealthy, type Container } from './container.ts';
import { command, tryCommand } from './run-command.ts';
import { eventually, must, type Steps } from '../processes/steps.ts';

const DRAIN_S = LIMIT_SETTINGS.drainTimeoutS.default;
const BLOCKING_MS = 4_000;
const BLOCKING: JsonObject = { provider: 'ai-tutor', workflow: `runs-${BLOCKING_MS}`, inputs: { story: 'a slow fox' } };
const BLOCKING_VENDOR: JsonObject = { provider: 'ai-tutor', workflow: 'wf_abc123', inputs: { story: 'a fox' } };
const POLLED_VENDOR: JsonObject = {
  provider: 'draft-and-goal',
  workflow: '0cf35172-859e-4b26-8ce9-6c2588a77b40',
  inputs: { Text_0: 'Hello world' },
};
/** In a container: whether the admin port answers on loopback, and whether it does on the container's own address. */
const ADMIN_PROBE = `
  const { address } = Object.values(os.networkInterfaces()).flat().find(({ internal }) => !internal);
  const answers = (host) => fetch('http://' + host + ':8081/healthz').then(({ ok }) => ok, () => false);
  Promise.all(['127.0.0.1', address].map(answers)).then((both) => console.log(both.join(' ')));`;

/** What the process runs, or would run if it were there. */
const PROGRAM = [
  '/app/bin/rungate.js',
  '/app/program/x',
  '/app/bin/x',
  '/app/x',
  '/app/cache/x',
  '/app/cache/*/*',
  '/etc/rungate/x',
];
/**
 * In a container: starts the gateway, with a schema of inputs and a copy of the compile cache that it may add to, and prints what it added.
 * Node.js does that when a thread ends, for each module that was not in the cache or that has changed.
 */
const CACHE_PROBE = `
  set -e; cp -r "$NODE_COMPILE_CACHE" /data/cache; touch /data/copied
  echo 'workflows: { any: { provider: b3os, workflow: wf_1, inputs: { type: object } } }' > /data/rungate.yaml
  export RUNGATE_CONFIG=/data/rungate.yaml NODE_COMPILE_CACHE=/data/cache
  node /app/bin/rungate.js serve --sandbox > /data/lines 2>&1 & gateway=$!
  until node /app/scripts/health-check.mjs 2> /data/why; do kill -0 $gateway; sleep 0.1; done
  kill $gateway; wait $gateway
  find /data/cache -type f -newer /data/copied`;
/** Loaded before everything else, in each thread: says whether the thread has a compile cache. */
const THREAD_PROBE = `data:text/javascript,
  import { writeSync } from 'node:fs';
  import { getCompileCacheDir } from 'node:module';
  import { threadId } from 'node:worker_threads';
  writeSync(2, 'thread ' + threadId + ' caches in ' + getCompileCacheDir() + String.fromCharCode(10));`;

/** What is true of the image on its own. */
export async function checkImage({ check }: Steps, image: string): Promise<void> {
  const ask = (...line: string[]) => tryCommand(['docker', 'run', '--rm', '--entrypoint', ...line]);

  await check('the image has what was built, and no other packages', async () => {
    const { stdout } = await ask('ls', image, '/app', '/app/node_modules');
    must(
      ['bin', 'program', 'THIRD-PARTY-LICENSES'].every((name) => stdout.includes(name)),
      stdout,
    );
    const found = ['src', 'fastify', 'typescript', 'rolldown'].filter((name) => stdout.split('\n').includes(name));
    must(found.length === 0, `found ${found.join(', ')}`);
  });
  await check('the process may not change its own program, even where the root is writable', async () => {
    const line = PROGRAM.map((path) => `touch ${path}`).join(' || ');
    const { status } = await ask('sh', image, '-c', line);
    must(status !== 0, 'it may');
  });
  await check('commands work without a server', async () => {
    const help = await command(['docker', 'run', '--rm', ...HARDENED, image, '--help']);
    must(help.includes('Usage: rungate'), help);
  });
  await check('the health check fails where nobody answers', async () => {
    const { status } = await ask('node', image, '/app/scripts/health-check.mjs');
    must(status === 1, `exit status ${status}`);
  });
  await check('a stop that comes at once is heard, with an init process', async () => {
    const id = await command(['docker', 'run', '--detach', '--init', ...HARDENED, image, 'serve', '--sandbox']);
    const { ms } = await tryCommand(['docker', 'stop', '--time', '20', id]);
    await command(['docker', 'rm', '--volumes', id]);
    must(ms < 10_000, `stopping took ${Math.round(ms)} ms`);
    return `${Math.round(ms)} ms`;
  });
}

/** The compile cache: it has what a start loads, each thread reads it, and nothing is said where there is none. */
export async function checkCompileCache(
  { check }: Steps,
  { image, name }: { image: string; name: string },
): Promise<void> {
  await check('a start finds all that it loads in the compile cache', async () => {
    const line = ['docker', 'run', '--rm', '--init', ...HARDENED, '--entrypoint', 'sh', image, '-c', CACHE_PROBE];
    const added = await command(line);
    must(added === '', `${added.split('\n').length} entries were not in it`);
  });
  await check('the writer’s thread reads the compile cache, too', async () => {
    const argv = ['--import', THREAD_PROBE, '/app/bin/rungate.js', 'serve', '--sandbox'];
    const container = await startContainer(['--name', name, ...HARDENED, '--entrypoint', 'node', image, ...argv]);
    const { stderr } = await tryCommand(['docker', 'logs', container.id]);
    await command(['docker', 'rm', '--force', '--volumes', container.id]);
    const threads = stderr.split('\n').filter((text) => text.startsWith('thread '));
    must(threads.length > 1, 'there is no second thread');
    must(!threads.some((text) => !text.includes(' caches in /app/cache/')), threads.join(', '));
  });
  await check('where there is no compile cache and none can be made, nothing is said of it', async () => {
    const line = ['docker', 'run', '--rm', ...HARDENED, '--user', '4711:4711', image, '--help'];
    const { status, stderr } = await tryCommand(line);
    must(status === 0 && stderr === '', `exit status ${status}: ${stderr}`);
  });
}

/** A container's life: start, runs, health, stop while a run blocks, and another one on the same volume. */
export async function checkLife(steps: Steps, { image, name }: { image: string; name: string }): Promise<void> {
  const line = [...HARDENED, '--volume', `${name}:/data`];
  const kept: { key?: string; runs: string[] } = { runs: [] };
  let first: Container | undefined;
  const up = await steps.check('a hardened container serves', async () => {
    first = await startContainer(['--name', `${name}-1`, ...line, image, 'serve', '--sandbox']);
    const own = await readyAfterMs(first);
    return `ready ${own} ms after its start, first answer ${Math.round(first.readyMs)} ms after docker run`;
  });
  if (!up || !first) return;
  await checkRights(steps, first);
  await checkRuns(steps, first, kept);
  await checkStop(steps, first, kept);
  await checkSuccessor(steps, { line: ['--name', `${name}-2`, ...line], image, kept });
}

/** From the process's start, as the engine noted it, to the log line that says so. */
async function readyAfterMs(container: Container): Promise<number> {
  const readLine = async () => {
    const { stderr } = await tryCommand(['docker', 'logs', container.id]);
    return stderr.split('\n').find((text) => text.includes('"msg":"ready"')) ?? null;
  };
  const line = await eventually(readLine, { timeoutMs: 5_000, otherwise: 'its log has no line `ready`' });
  return Date.parse(textIn(objectIn(line), 'time')) - Date.parse(await container.inspect('{{.State.StartedAt}}'));
}

async function checkRights({ check }: Steps, container: Container): Promise<void> {
  await check('it is not root and has no capability', async () => {
    const status = await container.exec(['cat', '/proc/1/status']);
    must(/^Uid:\t([1-9]\d*)\t\1\t\1\t\1$/m.test(status), `it runs as ${/^Uid:.*$/m.exec(status)?.[0]}`);
    must(/^CapEff:\t0+$/m.test(status) && /^NoNewPrivs:\t1$/m.test(status), 'it has rights');
  });
  await check('its root file system is read-only, its data directory is its own', async () => {
    for (const path of ['/tmp/x', '/app/x', '/etc/rungate/x', '/home/node/x']) {
      must((await container.tryExec(['touch', path])).status !== 0, `${path} can be written`);
    }
    await container.exec(['sh', '-c', 'touch /data/x && rm /data/x']);
    must((await container.exec(['stat', '-c', '%a', '/data'])) === '700', 'others may look into /data');
  });
  await check('the admin API answers inside only', async () => {
    const answers = await container.exec(['node', '-e', ADMIN_PROBE]);
    must(answers === 'true false', `loopback and own address: ${answers}`);
  });
}

async function checkRuns(
  { check }: Steps,
  container: Container,
  kept: { key?: string; runs: string[] },
): Promise<void> {
  await check('a command in the container makes a key', async () => {
    kept.key = await makeKey(container, '--sandbox');
  });
  for (const body of [BLOCKING_VENDOR, POLLED_VENDOR]) {
    await check(`a run at ${textIn(body, 'provider')} is answered through the published port`, async () => {
      const answer = await container.ask('/runs', { key: kept.key ?? '', body });
      must(answer.status === 200 && answer.body['status'] === 'succeeded', JSON.stringify(answer));
      kept.runs.push(textIn(answer.body, 'id'));
    });
  }
  await check('the engine calls it healthy', async () => {
    const ms = await untilHealthy(container);
    return `after ${Math.round(ms / 1000)} s`;
  });
}

async function checkStop(
  { check }: Steps,
  container: Container,
  kept: { key?: string; runs: string[] },
): Promise<void> {
  const key = kept.key ?? '';
  await check('docker stop lets a run that blocks finish, and the process ends with 0', async () => {
    const held = container.ask('/runs', { key, body: BLOCKING });
    const id = await eventually(() => runningRun(container, key), { timeoutMs: 5_000, otherwise: 'no run began' });
    kept.runs.push(id);
    const stop = await tryCommand(['docker', 'stop', '--time', String(DRAIN_S + 15), container.id]);
    const { status } = await held;
    const exit = await container.inspect('{{.State.ExitCode}}');
    must(exit === '0', `exit code ${exit}`);
    must(stop.ms > BLOCKING_MS / 2, `it stopped after ${Math.round(stop.ms)} ms, before the run can have ended`);
    must(stop.ms < DRAIN_S * 1000, `stopping took ${Math.round(stop.ms)} ms`);
    must(status === 200 || status === 202, `the caller was answered ${status}`);
    return `stopped in ${(stop.ms / 1000).toFixed(1)} s, the caller was answered ${status}`;
  });
}

async function runningRun(container: Container, key: string): Promise<string | null> {
  const { body } = await container.ask('/runs?status=running', { key });
  const [run] = Array.isArray(body['data']) ? body['data'] : [];
  return run === undefined ? null : textIn(run, 'id');
}

async function checkSuccessor(
  { check }: Steps,
  { line, image, kept }: { line: readonly string[]; image: string; kept: { key?: string; runs: string[] } },
): Promise<void> {
  const port = 9090;
  await check('a new container on the volume knows the key and all runs, and each succeeded', async () => {
    const flags = ['--env', `RUNGATE_PORT=${port}`];
    const next = await startContainer([...line, ...flags, image, 'serve', '--sandbox'], port);
    must(kept.runs.length === 3, `${kept.runs.length} of 3 runs began`);
    for (const id of kept.runs) {
      const { status, body } = await next.ask(`/runs/${id}`, { key: kept.key ?? '' });
      must(status === 200 && body['status'] === 'succeeded', JSON.stringify(body));
    }
    await next.exec(['node', '/app/scripts/health-check.mjs']);
    return `its health check looks at port ${port}`;
  });
}
