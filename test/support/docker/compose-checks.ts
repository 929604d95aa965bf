import { randomBytes } from 'node:crypto';
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isJsonObject } from '../../../src/core/json.ts';
import { ROOT } from '../documents.ts';
import { freePort } from '../free-port.ts';
import { attach, makeKey, untilHealthy, type Container } from './container.ts';
import { command, tryCommand } from './run-command.ts';
import { must, type Steps } from '../processes/steps.ts';

/** A provider whose vendor nobody can reach: what a run at it ends as tells that the configuration was read. */
const CONFIGURATION = `
providers:
  nowhere:
    kind: ai-tutor
    base_url: http://127.0.0.1:9
    allow_private_network: true
workflows:
  lost: { provider: nowhere, workflow: wf_abc123 }
`;

/** A copy of docker-compose.yml in a directory of its own, with secrets and configuration as the documents say. */
interface Project {
  compose(...argv: readonly string[]): Promise<string>;
  /** The one container, once it is healthy. */
  container(): Promise<Container>;
  remove(): Promise<void>;
}

/** `docker compose`, or the older `docker-compose`; null where there is neither. */
async function findCompose(): Promise<readonly string[] | null> {
  for (const line of [['docker', 'compose'], ['docker-compose']]) {
    if ((await tryCommand([...line, 'version'])).status === 0) return line;
  }
  return null;
}

/** `docker-compose up` with secrets by file, a mounted configuration, and its data in the named volume. */
export async function checkCompose({ check }: Steps, { image, name }: { image: string; name: string }): Promise<void> {
  const program = await findCompose();
  let project: Project | undefined;
  try {
    const up = await check('compose brings it up with one command, hardened and healthy', async () => {
      must(program !== null, 'neither `docker compose` nor `docker-compose` is there');
      project = await makeProject(program, { image, name });
      await project.compose('up', '--detach', '--no-build');
      const container = await project.container();
      must((await container.tryExec(['touch', '/tmp/x'])).status !== 0, 'its root can be written');
      must((await container.exec(['id', '-u'])) !== '0', 'it runs as root');
    });
    if (up && project) await checkProject({ check }, project);
  } finally {
    await project?.remove();
  }
}

async function checkProject({ check }: Pick<Steps, 'check'>, project: Project): Promise<void> {
  const listed = async () => project.compose('exec', '-T', 'gateway', 'rungate', 'credentials', 'list', '--json');

  await check('the master key comes from the secret, and a vendor’s key goes in by standard input', async () => {
    const container = await project.container();
    const files = await container.exec(['ls', '-a', '/data']);
    must(files.includes('rungate.db') && !files.includes('master.key'), `in the volume: ${files}`);
    await container.exec(['rungate', 'credentials', 'add', 'nowhere', '--stdin'], { stdin: 'not-a-real-key-4711' });
    must((await listed()).includes('nowhere'), 'the credential is not listed');
  });
  await check('the mounted configuration counts', async () => {
    const container = await project.container();
    const key = await makeKey(container);
    const { status, body } = await container.ask('/runs', { key, body: { workflow: 'lost', inputs: {} } });
    const code = isJsonObject(body['error']) ? body['error']['code'] : null;
    must(status === 502 && code === 'upstream_unreachable', `${status} ${JSON.stringify(body)}`);
  });
  await check('compose down and up keeps the data, and the stop is orderly', async () => {
    const before = await project.container();
    await project.compose('stop');
    const exit = await before.inspect('{{.State.ExitCode}}');
    must(exit === '0', `exit code ${exit}`);
    await project.compose('down');
    await project.compose('up', '--detach', '--no-build');
    const after = await project.container();
    must(after.id !== before.id, 'it is the same container');
    must((await listed()).includes('nowhere'), 'the credential is gone');
  });
}

async function makeProject(
  program: readonly string[],
  { image, name }: { image: string; name: string },
): Promise<Project> {
  const directory = await mkdtemp(join(tmpdir(), 'rungate-compose-'));
  const secret = join(directory, 'secrets', 'master.key');
  await mkdir(join(directory, 'secrets'), { mode: 0o700 });
  await mkdir(join(directory, 'config'), { mode: 0o755 });
  await copyFile(join(ROOT, 'docker-compose.yml'), join(directory, 'docker-compose.yml'));
  await writeFile(secret, `${randomBytes(32).toString('base64')}\n`);
  await writeFile(join(directory, 'config', 'rungate.yaml'), CONFIGURATION);
  await writeFile(join(directory, 'image.yml'), `services: { gateway: { image: '${image}' } }\n`);
  for (const file of [secret, join(directory, 'config', 'rungate.yaml')]) await chmod(file, 0o644);

  const line = [...program, '-p', name, '-f', 'docker-compose.yml', '-f', 'image.yml'];
  const port = await freePort();
  const compose = (...argv: readonly string[]) =>
    command([...line, ...argv], { directory, environment: { RUNGATE_PORT: String(port) } });
  return {
    compose,
    async container() {
      const container = attach(await compose('ps', '-q', 'gateway'), `http://127.0.0.1:${port}`);
      await untilHealthy(container);
      return container;
    },
    async remove() {
      await compose('down', '--volumes', '--timeout', '5').catch(() => undefined);
      await rm(directory, { recursive: true, force: true });
    },
  };
}
