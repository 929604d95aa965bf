import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { reviveJson } from '../../src/core/json.ts';

/*
 * A HashiCorp Vault (or OpenBao) server as its API documents describe it, no more: a KV version 2 engine, tokens and
 * AppRole. It takes nothing that the documents do not give, and notes what it did not take.
 *
 * https://developer.hashicorp.com/vault/api-docs (statuses, errors, headers, namespaces)
 * https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-version
 * https://developer.hashicorp.com/vault/api-docs/auth/approle#login-with-approle
 * https://developer.hashicorp.com/vault/api-docs/auth/token#renew-a-token-self
 */

export interface AppRole {
  mount: string;
  roleId: string;
  secretId: string;
  /** Seconds. */
  leaseS: number;
  renewable: boolean;
  /** Seconds after which a token ends whatever is renewed; undefined: never. */
  maxS?: number;
}

/** How it fails; `works`: it does not. */
export type Mood =
  | 'works'
  | 'sealed'
  /** Answers nothing. */
  | 'silent'
  /** Half an answer, then the connection is gone. */
  | 'cut'
  | 'html'
  | 'garbage'
  | 'huge'
  /** What is there is said to be at another server. */
  | { redirect: string }
  | { status: number };

export interface ServerCall {
  /** `GET /v1/kv/data/tutor`. */
  line: string;
  token: string | null;
}

export interface SecretsServer {
  address: string;
  calls: ServerCall[];
  /** Requests that the documents do not allow. */
  complaints: string[];
  mood: Mood;
  role: AppRole;
  /** Writes a version of a secret; `kv/tutor`. */
  put(path: string, data: Record<string, unknown>): void;
  /** Deletes the latest version, which leaves its metadata. */
  softDelete(path: string): void;
  /** Deletes everything of it. */
  remove(path: string): void;
  /** Ends all tokens that a login gave. */
  revokeLogins(): void;
  /** A token that nothing was logged in for is good until it is taken back. */
  allow(token: string, isGood: boolean): void;
  /** Paths that no token may read. */
  hide(path: string): void;
  /** Calls whose line begins so. */
  callsOf(line: string): number;
  /** Stops listening, and cuts what is open. */
  down(): Promise<void>;
  /** Listens again, at the same address. */
  up(): Promise<void>;
}

interface Login {
  endsAt: number;
  diesAt: number;
}

const MOUNT = 'kv';
const HUGE_BYTES = 3 * 1024 * 1024;

/** Starts one on loopback. `namespace`: what it asks for in `X-Vault-Namespace`; null: it has none. */
export async function startSecretsServer({ namespace = null }: { namespace?: string | null } = {}): Promise<
  SecretsServer & { close(): Promise<void> }
> {
  const secrets = new Map<string, { versions: number; data: Record<string, unknown> | null }>();
  const hidden = new Set<string>();
  const given = new Set<string>();
  const logins = new Map<string, Login>();
  let server: Server;
  let port = 0;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    const { method = '', url = '' } = request;
    const token = headerOf(request, 'x-vault-token');
    self.calls.push({ line: `${method} ${url}`, token });
    complain(request, body);
    const { mood } = self;
    if (mood !== 'works') return misbehave(response, mood);
    if (headerOf(request, 'x-vault-request') !== 'true')
      return refuse(response, 412, 'missing required request header');
    if ((headerOf(request, 'x-vault-namespace') ?? '') !== (namespace ?? '')) return refuse(response, 403, DENIED);
    if (url === `/v1/auth/${self.role.mount}/login`)
      return method === 'POST' ? logIn(response, body) : unsupported(response);
    if (token === null || !isGood(token)) return refuse(response, 403, DENIED, 'invalid token');
    if (url === '/v1/auth/token/renew-self') return method === 'POST' ? renew(response, token) : unsupported(response);
    const path = url.startsWith(`/v1/${MOUNT}/data/`)
      ? decodeURIComponent(url.slice(`/v1/${MOUNT}/data/`.length))
      : null;
    if (path === null) return refuse(response, 404, `no handler for route "${url.slice('/v1/'.length)}"`);
    if (method !== 'GET') return unsupported(response);
    if (hidden.has(path)) return refuse(response, 403, DENIED);
    const secret = secrets.get(path);
    if (secret === undefined) return send(response, 404, { errors: [] });
    const metadata = {
      created_time: '2026-01-02T03:04:05.678901234Z',
      custom_metadata: null,
      deletion_time: secret.data === null ? '2026-01-03T03:04:05.678901234Z' : '',
      destroyed: false,
      version: secret.versions,
    };
    send(response, secret.data === null ? 404 : 200, envelope({ data: { data: secret.data, metadata } }));
  }

  /** What a client that keeps to the documents never does. */
  function complain(request: IncomingMessage, body: string): void {
    const { method = '', url = '' } = request;
    if (!url.startsWith('/v1/')) self.complaints.push(`${url} is not below /v1/`);
    if (url.includes('?')) self.complaints.push('a query that was not asked for');
    if (request.headers.authorization !== undefined) self.complaints.push('two kinds of token');
    if (method === 'GET' && body !== '') self.complaints.push('a GET with a body');
    const isLogin = url.endsWith('/login');
    if (isLogin && headerOf(request, 'x-vault-token') !== null) self.complaints.push('a login with a token');
  }

  function isGood(token: string): boolean {
    const login = logins.get(token);
    return given.has(token) || (login !== undefined && Date.now() < Math.min(login.endsAt, login.diesAt));
  }

  function logIn(response: ServerResponse, body: string): void {
    const { role } = self;
    const shown = reviveJson<Record<string, unknown>>(body);
    const names = Object.keys(shown).toSorted().join();
    if (names !== 'role_id,secret_id') self.complaints.push(`a login with ${names}`);
    if (shown['role_id'] !== role.roleId || shown['secret_id'] !== role.secretId) {
      return refuse(response, 400, 'invalid role or secret ID');
    }
    const token = `hvs.${randomBytes(12).toString('hex')}`;
    const now = Date.now();
    const diesAt = now + (role.maxS ?? Infinity) * 1000;
    logins.set(token, { endsAt: role.leaseS === 0 ? Infinity : now + role.leaseS * 1000, diesAt });
    send(response, 200, envelope({ auth: authOf(token, role.leaseS) }));
  }

  function renew(response: ServerResponse, token: string): void {
    const login = logins.get(token);
    if (login === undefined || !self.role.renewable) return refuse(response, 400, 'lease is not renewable');
    const now = Date.now();
    login.endsAt = Math.min(now + self.role.leaseS * 1000, login.diesAt);
    send(response, 200, envelope({ auth: authOf(token, Math.max(0, Math.round((login.endsAt - now) / 1000))) }));
  }

  function authOf(token: string, leaseS: number): object {
    return {
      client_token: token,
      accessor: createHash('sha256').update(token).digest('hex').slice(0, 24),
      policies: ['default', 'rungate'],
      token_policies: ['default', 'rungate'],
      metadata: { role_name: 'rungate' },
      lease_duration: leaseS,
      renewable: self.role.renewable,
      entity_id: '',
      token_type: 'service',
      orphan: true,
    };
  }

  function keyOf(path: string): string {
    if (!path.startsWith(`${MOUNT}/`)) throw new Error(`expected a path below ${MOUNT}/`);
    return path.slice(MOUNT.length + 1);
  }

  async function up(): Promise<void> {
    server = createServer((request, response) => void serve(request, response).catch(() => response.destroy()));
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  }

  async function down(): Promise<void> {
    if (!server.listening) return;
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }

  await up();
  const self: SecretsServer & { close(): Promise<void> } = {
    address: `http://127.0.0.1:${port}`,
    calls: [],
    complaints: [],
    mood: 'works',
    role: { mount: 'approle', roleId: 'role-1', secretId: 'secret-id-1', leaseS: 3600, renewable: true },
    put(path, data) {
      const versions = (secrets.get(keyOf(path))?.versions ?? 0) + 1;
      secrets.set(keyOf(path), { versions, data });
    },
    softDelete(path) {
      const secret = secrets.get(keyOf(path));
      if (secret) secret.data = null;
    },
    remove: (path) => void secrets.delete(keyOf(path)),
    revokeLogins: () => logins.clear(),
    allow: (token, isGood_) => void (isGood_ ? given.add(token) : given.delete(token)),
    hide: (path) => void hidden.add(keyOf(path)),
    callsOf: (line) => self.calls.filter((call) => call.line.startsWith(line)).length,
    down,
    up,
    close: down,
  };
  return self;
}

const DENIED = 'permission denied';

function headerOf(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name];
  return typeof value === 'string' ? value : null;
}

/** Every answer of Vault's own has these members. */
function envelope(own: { data?: object; auth?: object }): object {
  const usual = { request_id: randomBytes(16).toString('hex'), lease_id: '', renewable: false, lease_duration: 0 };
  return { ...usual, data: null, wrap_info: null, warnings: null, auth: null, ...own };
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}

function refuse(response: ServerResponse, status: number, ...errors: string[]): void {
  send(response, status, { errors });
}

function unsupported(response: ServerResponse): void {
  refuse(response, 405, 'unsupported operation');
}

function misbehave(response: ServerResponse, mood: Exclude<Mood, 'works'>): void {
  if (typeof mood === 'object') {
    if ('redirect' in mood) response.writeHead(307, { location: mood.redirect }).end();
    else refuse(response, mood.status, 'something is the matter');
    return;
  }
  switch (mood) {
    case 'sealed':
      return refuse(response, 503, 'Vault is sealed');
    case 'silent':
      return;
    case 'cut':
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '500' });
      response.write('{"data":{"data":{"api_key":"sk_half');
      setTimeout(() => response.destroy(), 20);
      return;
    case 'html':
      response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>no such site</h1>');
      return;
    case 'garbage':
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"data":{"keys":["sk_garbage"]}}');
      return;
    case 'huge':
      response.writeHead(200, { 'content-type': 'application/json' }).end(`{"data":"${'x'.repeat(HUGE_BYTES)}"}`);
  }
}
