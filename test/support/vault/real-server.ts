import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Agent, request, type Dispatcher } from 'undici';
import { reviveJson, type JsonObject } from '../../../src/core/json.ts';
import { freePort } from '../free-port.ts';

const ROOT_TOKEN = 'root-token-of-a-test';
const STARTED_MS_MAX = 60_000;

/** A real HashiCorp Vault or OpenBao in its development mode: in memory, over TLS with an authority of its own. */
export interface RealServer {
  address: string;
  /** The authority's certificate. */
  caFile: string;
  /** What it calls itself: `OpenBao v2.4.0`. */
  version: string;
  /** Calls it as root; `path` without `/v1`. Throws where the answer is an error. */
  readonly call: (
    method: Dispatcher.HttpMethod,
    path: string,
    body?: object,
    options?: CallOptions,
  ) => Promise<JsonObject>;
  readonly unseal: () => Promise<void>;
  readonly close: () => Promise<void>;
}

export interface CallOptions {
  namespace?: string;
}

/** Starts `program`. Throws with what it said where it does not come up. */
export async function startRealServer(program: string): Promise<RealServer> {
  const directory = await mkdtemp(join(tmpdir(), 'rungate-vault-'));
  const listen = `127.0.0.1:${await freePort()}`;
  const flags = [
    '-dev-tls',
    `-dev-tls-cert-dir=${directory}`,
    `-dev-root-token-id=${ROOT_TOKEN}`,
    '-dev-no-store-token',
  ];
  const child = spawn(program, ['server', '-dev', ...flags, `-dev-listen-address=${listen}`], {
    env: { HOME: directory, PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const endWithParent = () => {
    child.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  };
  process.once('exit', endWithParent);
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const close = async () => {
    process.off('exit', endWithParent);
    child.kill('SIGKILL');
    await gone;
    await rm(directory, { recursive: true, force: true });
  };
  const said: string[] = [];
  const unsealKey = new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on('line', (line) => {
        said.push(line);
        const key = /^Unseal Key(?: 1)?: (\S+)/.exec(line)?.[1];
        if (key !== undefined) resolve(key);
      });
    }
    const fail = (why: string) =>
      reject(new Error(`${program} did not start (${why}):\n${said.slice(-20).join('\n')}`));
    child.once('error', ({ message }) => fail(message));
    child.once('close', () => fail('it ended'));
    setTimeout(() => fail('it took too long'), STARTED_MS_MAX).unref();
  });
  try {
    return await connect({ key: await unsealKey, listen, directory, said, close });
  } catch (error) {
    await close();
    throw error;
  }
}

interface Started {
  key: string;
  listen: string;
  directory: string;
  said: readonly string[];
  close: () => Promise<void>;
}

async function connect({ key, listen, directory, said, close }: Started): Promise<RealServer> {
  const caFile = await authorityIn(directory);
  const dispatcher = new Agent({ connect: { ca: await readFile(caFile) } });
  const address = `https://${listen}`;
  const call: RealServer['call'] = async (method, path, body, { namespace } = {}) => {
    const headers = {
      'x-vault-token': ROOT_TOKEN,
      ...(namespace === undefined ? {} : { 'x-vault-namespace': namespace }),
    };
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const answer = await request(`${address}/v1/${path}`, { dispatcher, method, headers, ...sent });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw new Error(`${method} ${path}: ${answer.statusCode} ${text}`);
    return text === '' ? {} : reviveJson<JsonObject>(text);
  };
  const version = said.map((line) => /^ +Version: (.*)/.exec(line)?.[1]).find((found) => found !== undefined);
  return {
    address,
    caFile,
    version: version ?? 'of an unknown version',
    call,
    unseal: async () => void (await call('PUT', 'sys/unseal', { key })),
    async close() {
      await dispatcher.close();
      await close();
    },
  };
}

/** HashiCorp's and OpenBao's file names differ in their first part. */
async function authorityIn(directory: string): Promise<string> {
  const name = (await readdir(directory)).find((file) => file.endsWith('-ca.pem'));
  if (name === undefined) throw new Error('it made no certificate of an authority');
  return join(directory, name);
}
