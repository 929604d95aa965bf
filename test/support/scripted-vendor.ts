import { once } from 'node:events';
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { SandboxVendor } from '../../src/sandbox/start-sandbox.ts';

/** A request that came in, and with which of the secrets. */
export interface VendorCall {
  at: number;
  /** `POST /v1/workflow-runs`, without its query. */
  line: string;
  isStart: boolean;
  secret: string;
  /** The body as it came. */
  body: string;
  /** When its answer was over, or its connection gone. */
  endedAt: number;
}

/** What a call gets: `works`: the simulated vendor's own answer, whatever the secret. */
export type Behaviour =
  | 'works'
  | { status: number; headers?: Record<string, string> }
  | ((call: VendorCall, response: ServerResponse) => void);

/** A simulated vendor behind a script, which may treat each credential and each call in its own way. */
export interface ScriptedVendor {
  baseUrl: string;
  /** Asked for every call. */
  script: (call: VendorCall) => Behaviour;
  /** Starts that came in, oldest first. */
  starts(secret?: string): VendorCall[];
  /** Everything that came in. */
  calls: VendorCall[];
  close(): Promise<void>;
}

/** Posts that begin nothing. */
const OTHER_POSTS = /\/(cancel|resume|pause|stop)$/;

/** Starts one on loopback; with `port`, there. It answers like the vendor until it is told otherwise. */
export async function startScriptedVendor(
  vendor: Pick<SandboxVendor, 'origin' | 'baseUrl' | 'key'>,
  { secrets = [vendor.key], port = 0 }: { secrets?: readonly string[]; port?: number } = {},
): Promise<ScriptedVendor> {
  const calls: VendorCall[] = [];
  const secretIn = (text: string) => secrets.find((secret) => text.includes(secret)) ?? '';
  const server: Server = createServer(
    (request, response) => void serve(request, response).catch(() => response.destroy()),
  );

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const at = performance.now();
    const bytes = await buffer(request);
    const line = `${request.method} ${request.url?.split('?', 1).join('')}`;
    const secret = secretIn(`${request.url} ${request.rawHeaders.join(' ')}`);
    const isStart = request.method === 'POST' && !OTHER_POSTS.test(line);
    const call: VendorCall = { at, line, isStart, secret, body: bytes.toString(), endedAt: Infinity };
    response.on('close', () => (call.endedAt = performance.now()));
    calls.push(call);
    const behaviour = vendorIs.script(call);
    if (typeof behaviour === 'function') behaviour(call, response);
    else if (behaviour === 'works') forward(request, response, { bytes, secret });
    else answer(response, behaviour);
  }

  function forward(request: IncomingMessage, response: ServerResponse, sent: { bytes: Buffer; secret: string }): void {
    const known = (text: string) => (sent.secret === '' ? text : text.replaceAll(sent.secret, vendor.key));
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, known(String(value))]),
    );
    const onward = httpRequest(vendor.origin + known(request.url ?? '/'), { method: request.method, headers });
    onward.on('response', (answered) => {
      response.writeHead(answered.statusCode ?? 500, answered.headers);
      answered.pipe(response);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    onward.end(sent.bytes);
  }

  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const vendorIs: ScriptedVendor = {
    baseUrl: vendor.baseUrl.replace(vendor.origin, origin),
    script: () => 'works',
    starts: (secret) => calls.filter((call) => call.isStart && (secret === undefined || call.secret === secret)),
    calls,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return vendorIs;
}

function answer(
  response: ServerResponse,
  { status, headers = {} }: { status: number; headers?: Record<string, string> },
) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify({ error: `says ${status}` }));
}

/** How many of these calls were under way together at most. */
export function mostAtOnce(calls: readonly VendorCall[]): number {
  return Math.max(0, ...calls.map(({ at }) => calls.filter((other) => other.at <= at && at < other.endedAt).length));
}
