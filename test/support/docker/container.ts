import { isJsonObject, parseJson, type Json, type JsonObject } from '../../../src/core/json.ts';
import { command, tryCommand, type CommandOptions, type Ended } from './run-command.ts';
import { eventually } from '../processes/steps.ts';

const START_TIMEOUT_MS = 20_000;
const HEALTHY_TIMEOUT_MS = 60_000;
const ANSWER_TIMEOUT_MS = 90_000;

/** What the documents run a container with: nothing to write to but its volume, and no rights. */
export const HARDENED = ['--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges:true'];

export interface Answer {
  status: number;
  body: JsonObject;
}

/** A container that serves. */
export interface Container {
  id: string;
  /** The published port, on loopback. */
  origin: string;
  /** From the engine's being asked until the first answer. */
  readyMs: number;
  exec(line: readonly string[], options?: CommandOptions): Promise<string>;
  tryExec(line: readonly string[]): Promise<Ended>;
  /** `GET` without a body, else `POST`. */
  ask(path: string, call: { key: string; body?: JsonObject; prefer?: string }): Promise<Answer>;
  inspect(format: string): Promise<string>;
}

/** Starts a detached container and waits until it answers. `line` is what follows `docker run --detach`. */
export async function startContainer(line: readonly string[], port = 8080): Promise<Container> {
  const begunAt = performance.now();
  const id = await command(['docker', 'run', '--detach', '--publish', `127.0.0.1::${port}`, ...line]);
  const address = await command(['docker', 'port', id, String(port)]);
  const container = attach(id, `http://${address.split('\n')[0]}`);
  await untilAnswered(container);
  return { ...container, readyMs: performance.now() - begunAt };
}

/** A running container whose published address is known. */
export function attach(id: string, origin: string): Container {
  return {
    id,
    origin,
    readyMs: 0,
    exec: (line, options) => command(['docker', 'exec', ...(options?.stdin ? ['-i'] : []), id, ...line], options),
    tryExec: (line) => tryCommand(['docker', 'exec', id, ...line]),
    inspect: (format) => command(['docker', 'inspect', '--format', format, id]),
    async ask(path, { key, body, prefer }) {
      const response = await fetch(`${origin}${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: {
          authorization: `Bearer ${key}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(prefer === undefined ? {} : { prefer }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      });
      return { status: response.status, body: objectIn(await response.text()) };
    },
  };
}

/** Waits until `/healthz` answers. Throws with the container's log where it never does. */
async function untilAnswered({ id, origin }: Container): Promise<void> {
  const answers = () =>
    fetch(`${origin}/healthz`).then(
      ({ ok }) => ok || null,
      () => null,
    );
  const otherwise = 'the container does not answer';
  await eventually(answers, { timeoutMs: START_TIMEOUT_MS, everyMs: 10, otherwise }).catch(async () => {
    const { stdout, stderr } = await tryCommand(['docker', 'logs', '--tail', '10', id]);
    throw new Error(`${otherwise}: ${stdout}${stderr}`);
  });
}

/** Waits until the engine calls the container healthy, and resolves to how long that took. */
export async function untilHealthy(container: Container): Promise<number> {
  const begunAt = performance.now();
  const healthy = async () => ((await container.inspect('{{.State.Health.Status}}')) === 'healthy' ? true : null);
  await eventually(healthy, { timeoutMs: HEALTHY_TIMEOUT_MS, everyMs: 250, otherwise: 'it never becomes healthy' });
  return performance.now() - begunAt;
}

/** Makes a client key as an operator would, by a command in the container. */
export async function makeKey(container: Container, ...options: readonly string[]): Promise<string> {
  const line = ['rungate', 'keys', 'create', '--name', 'test', '--json', ...options];
  return textIn(objectIn(await container.exec(line)), 'key');
}

/** The text in a field. Throws where there is none. */
export function textIn(object: Json | undefined, field: string): string {
  const value = isJsonObject(object) ? object[field] : null;
  if (typeof value !== 'string') throw new Error(`no ${field}: ${JSON.stringify(object)?.slice(0, 200)}`);
  return value;
}

/** Reads a JSON object. Throws with the text where it is none. */
export function objectIn(text: string): JsonObject {
  const parsed = parseJson(text);
  if (!parsed.ok || !isJsonObject(parsed.value)) throw new Error(`no JSON object: ${text.slice(0, 200)}`);
  return parsed.value;
}
