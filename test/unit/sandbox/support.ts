import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { pause, systemClock, type Clock } from '../../../src/core/clock.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import { startSandbox, type Sandbox, type SandboxOptions } from '../../../src/sandbox/start-sandbox.ts';
import type { SandboxKind } from '../../../src/sandbox/vendors.ts';

/** A sandbox for one test file, whose time can be skipped; every test finds it empty. */
export function useSandbox(): { readonly current: Sandbox; skip(ms: number): void } {
  let sandbox: Sandbox | undefined;
  let skippedMs = 0;
  const clock: Clock = {
    now: () => systemClock.now() + skippedMs,
    monotonic: () => systemClock.monotonic() + skippedMs,
    after: (ms, fn) => systemClock.after(ms, fn),
  };
  beforeAll(async () => {
    sandbox = await openSandbox({ clock });
  });
  beforeEach(() => sandbox?.reset());
  afterAll(() => sandbox?.close());
  return {
    get current() {
      if (sandbox === undefined) throw new Error('the sandbox has not started');
      return sandbox;
    },
    skip(ms) {
      skippedMs += ms;
    },
  };
}

export function openSandbox(options: Partial<SandboxOptions> = {}): Promise<Sandbox> {
  return startSandbox({ clock: systemClock, random: createSystemRandom(), host: '127.0.0.1', ...options });
}

export interface Answered {
  status: number;
  headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into bodies of every shape
  body: any;
}

export interface Asked {
  method?: string;
  headers?: Record<string, string>;
  body?: unknown;
  /** Sent as it is, instead of `body`. */
  raw?: string | Uint8Array;
}

/** One request with `fetch`, redirects not followed; a body that is no JSON comes back as text. */
export async function ask(url: string, { method = 'GET', headers = {}, body, raw }: Asked = {}): Promise<Answered> {
  const content = raw ?? (body === undefined ? null : JSON.stringify(body));
  const response = await fetch(url, { method, headers, body: content, redirect: 'manual' });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: parsed(text) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const JSON_TYPE = { 'content-type': 'application/json' };

interface DocumentedClient {
  auth: (key: string) => Record<string, string>;
  /** A start of the workflow that the vendor knows by this id. */
  start: (workflowId: string) => { path: string; body: unknown };
}

/** How a correct client of each vendor asks, as the documents describe it. */
export const CLIENTS: Record<SandboxKind, DocumentedClient> = {
  'ai-tutor': {
    auth: (key) => ({ authorization: `Bearer ${key}`, ...JSON_TYPE }),
    start: (id) => ({ path: `/api/v1/run/${id}`, body: { story: 'a dog named charlie' } }),
  },
  b3os: {
    auth: (key) => ({ authorization: `Bearer ${key}`, ...JSON_TYPE }),
    start: (id) => ({
      path: `/v1/workflows/${id}/run`,
      body: { runId: 'run_chosen', payload: { city: 'Lyon' } },
    }),
  },
  'draft-and-goal': {
    auth: (key) => ({ 'x-api-key': key, ...JSON_TYPE }),
    start: (id) => ({
      path: `/v1/workflows/${id}/run`,
      body: { inputs: { Text_0: { value: 'Hello world', type: 'text' } } },
    }),
  },
  interactly: {
    auth: (key) => ({ authorization: `Bearer ${key}`, ...JSON_TYPE }),
    start: (id) => ({
      path: '/v1/workflow-runs',
      body: { command: 'start', workflow_id: id, dynamic_variables: { city: 'Lyon' } },
    }),
  },
};

/** A correct start, with another credential where one is given. */
export function startRequest(
  sandbox: Sandbox,
  kind: SandboxKind,
  workflow: string,
  credential?: string,
): Asked & { url: string; headers: Record<string, string> } {
  const { baseUrl, key, workflowId } = sandbox.vendors[kind];
  const { auth, start: startOf } = CLIENTS[kind];
  const { path, body } = startOf(workflowId(workflow));
  return { url: baseUrl + path, method: 'POST', headers: auth(credential ?? key), body };
}

export function start(sandbox: Sandbox, kind: SandboxKind, workflow: string): Promise<Answered> {
  const { url, ...asked } = startRequest(sandbox, kind, workflow);
  return ask(url, asked);
}

export interface Wire {
  text: string;
  bytes: Buffer;
  /** How the connection stood when we stopped looking. */
  connection: 'closed' | 'reset' | 'open';
}

/** Asks over a bare socket and shows what comes over the wire until it ends, or is silent for `silenceMs`. */
export async function askOverSocket(
  url: string,
  { method = 'GET', headers = {}, body }: Asked,
  silenceMs = 2_000,
): Promise<Wire> {
  const { hostname, port, host, pathname, search } = new URL(url);
  const content = body === undefined ? '' : JSON.stringify(body);
  const lines = Object.entries({ host, connection: 'close', 'content-length': Buffer.byteLength(content), ...headers });
  const socket = connect({ host: hostname, port: Number(port) });
  const chunks: Buffer[] = [];
  let reset = false;
  socket.on('error', () => (reset = true));
  const closed = once(socket, 'close').then(
    () => true,
    () => true,
  );
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.write(`${method} ${pathname}${search} HTTP/1.1\r\n${head}\r\n${content}`);
  const ended = await Promise.race([closed, pause(systemClock, silenceMs).then(() => false)]);
  const bytes = Buffer.concat(chunks);
  socket.destroy();
  await closed;
  return { bytes, text: bytes.toString('latin1'), connection: ended ? (reset ? 'reset' : 'closed') : 'open' };
}

/** A correct start over a bare socket. */
export function startOverSocket(
  sandbox: Sandbox,
  kind: SandboxKind,
  workflow: string,
  silenceMs?: number,
): Promise<Wire> {
  const { url, ...asked } = startRequest(sandbox, kind, workflow);
  return askOverSocket(url, asked, silenceMs);
}

/** Asks again and again until `good`; the test's own time-out is the limit. */
export async function askUntil(
  askOnce: () => Promise<Answered>,
  good: (answer: Answered) => boolean,
): Promise<Answered> {
  for (;;) {
    const answer = await askOnce();
    if (good(answer)) return answer;
    await pause(systemClock, 10);
  }
}
