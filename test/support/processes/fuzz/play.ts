import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { exportJWK, SignJWT } from 'jose';
import { seededRandom } from '../../simulation/seeded-random.ts';
import { createHttpClient, type ClientAnswer } from '../http-client.ts';
import { prepareGatewayProcess, type GatewayProcess } from '../gateway-process.ts';
import { startSandboxProcess, type SandboxProcess } from '../sandbox-process.ts';
import { sendRawCall, type RawAnswer } from './raw-call.ts';
import { drawRequest, type FuzzRequest, type FuzzWorld } from './requests.ts';

export interface FuzzGame {
  seconds: number;
  seed: number;
}

/** One request that got an answer that it should not have got. */
export interface Oddity {
  what: string;
  request: string;
  answer: string;
}

export interface PlayedFuzz {
  requests: number;
  /** How often each status came; 0: closed without an answer. */
  statuses: ReadonlyMap<number, number>;
  oddities: readonly Oddity[];
  msMax: number;
  /** Of the gateway's heap after a forced collection, at the quarter and at the end. */
  heapMb: readonly [number, number];
  /** Lines of its log, and how it died. */
  complaints: readonly string[];
  /** Whether an honest request is still answered. */
  alive: boolean;
}

const WORKERS = 12;
const ANSWER_MS_MAX = 5_000;
const ODDITIES_MAX = 50;
const SHOWN_MAX = 3_000;
const MEGABYTE = 1024 * 1024;
const ORIGIN = 'https://app.example.com';
const AUDIENCE = 'rungate-fuzz';
/** Answered to everybody, by design. */
const OPEN_PATHS: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/openapi.json', '/docs', '/docs/errors']);
const REPORT_MEMORY = fileURLToPath(new URL('../../../../bench/support/report-memory.ts', import.meta.url));

/** Throws random and mutated requests at both listeners of a real gateway. */
export async function playFuzz({ seconds, seed }: FuzzGame): Promise<PlayedFuzz> {
  await using sandbox = await startSandboxProcess();
  await using issuer = await startIssuer();
  const workflow = await sandbox.workflowId('ai-tutor', 'fuzzed');
  await using gateway = await prepareGatewayProcess({
    config: (keyId) => configFor(sandbox, { workflow, issuer: issuer.url, keyId }),
    environment: { FUZZ_VENDOR_KEY: sandbox.vendors['ai-tutor']?.key ?? '' },
    nodeArguments: ['--expose-gc', '--import', REPORT_MEMORY],
  });
  await gateway.start();
  const world = await openWorld(gateway, issuer);
  // Awaited here: what is used is let go when this function returns.
  const played = await attack(gateway, world, { seconds, seed });
  return played;
}

async function attack(gateway: GatewayProcess, world: FuzzWorld, { seconds, seed }: FuzzGame): Promise<PlayedFuzz> {
  const ports = { runs: portOf(gateway.url), admin: portOf(gateway.adminUrl()) };
  const endsAt = performance.now() + seconds * 1000;
  const statuses = new Map<number, number>();
  const oddities: Oddity[] = [];
  let requests = 0;
  let msMax = 0;

  async function work(worker: number): Promise<void> {
    const random = seededRandom(seed * 1_000 + worker);
    while (performance.now() < endsAt && oddities.length < ODDITIES_MAX) {
      const request = drawRequest(random, world);
      const { listener, method, bytes, damaged } = request;
      const answer = await sendRawCall({ port: ports[listener], bytes, method, ends: damaged }, ANSWER_MS_MAX);
      requests++;
      msMax = Math.max(msMax, answer.ms);
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      for (const what of judgeAnswer(request, answer, world)) oddities.push({ what, ...shown(request, answer) });
    }
  }

  const workers = Promise.all(Array.from({ length: WORKERS }, (_, worker) => work(worker)));
  await new Promise((resolve) => setTimeout(resolve, (seconds * 1000) / 4));
  const quarter = await heapOf(gateway);
  await workers;
  const end = await heapOf(gateway);
  const headers = { authorization: `Bearer ${world.runsKey}` };
  const alive = await fetch(`${gateway.url}/me`, { headers }).then(
    ({ status }) => status === 200,
    () => false,
  );
  return { requests, statuses, oddities, msMax, heapMb: [quarter, end], complaints: gateway.complaints(), alive };
}

/** What speaks against an answer. */
function judgeAnswer(request: FuzzRequest, { status, head, body, late }: RawAnswer, world: FuzzWorld): string[] {
  const faults: string[] = [];
  const text = request.bytes.toString('latin1');
  if (late) faults.push(`no whole answer within ${ANSWER_MS_MAX} ms`);
  if (status === 500) faults.push('a 500');
  if (status === 0 && !late && !request.damaged) faults.push('closed without an answer');
  // However many spaces stand before it: the parser takes them.
  const target = /^\S+ +(\S*)/.exec(text)?.[1] ?? '';
  if (status >= 200 && status < 300 && !isHonest(request, text, world) && !isOpen(target, request)) {
    faults.push(`a ${status} without an identity`);
  }
  if (/^x-injected:/im.test(head)) faults.push('a header that the request brought');
  for (const secret of [world.runsKey, world.viewerKey, world.adminKey, world.token, world.jwt]) {
    if (head.includes(secret) || body.includes(secret)) faults.push('an answer that shows a secret');
  }
  if (status >= 400 && request.method !== 'HEAD' && !isEnvelope(body)) faults.push(`a ${status} without the envelope`);
  return faults;
}

/** Shows, whole, something that proves somebody on this listener. */
function isHonest({ listener }: FuzzRequest, text: string, world: FuzzWorld): boolean {
  const keys = [world.viewerKey, world.adminKey];
  const proofs = listener === 'admin' ? keys : [...keys, world.runsKey, world.token, world.jwt];
  const inHeader = [...text.matchAll(/^authorization:(.*)$/gim)].some(([, value = '']) =>
    proofs.some((proof) => value.includes(proof)),
  );
  return inHeader || (listener === 'runs' && text.includes(`token=${world.token}`));
}

/** By its path alone, whatever follows it; preflights are answered to everybody too. */
function isOpen(target: string, { method }: FuzzRequest): boolean {
  if (method === 'OPTIONS') return true;
  const path = target.replace(/^https?:\/\/[^/?#]*/i, '').replace(/[?#;].*$/s, '');
  try {
    return OPEN_PATHS.has(decodeURIComponent(path));
  } catch {
    return false;
  }
}

function isEnvelope(body: string): boolean {
  return /^(?:[0-9a-f]+\r\n)?\{"error":\{"code":"[a-z_]+"/.test(body);
}

function shown({ listener, bytes }: FuzzRequest, { head, body }: RawAnswer): Pick<Oddity, 'request' | 'answer'> {
  const request = `${listener}: ${JSON.stringify(bytes.toString('latin1').slice(0, SHOWN_MAX))}`;
  return { request, answer: JSON.stringify(`${head}\r\n\r\n${body}`.slice(0, 500)) };
}

/** NaN where it is dead, which its complaints tell of. */
async function heapOf(gateway: GatewayProcess): Promise<number> {
  const text = await gateway.report().catch(() => '{}');
  const { heap = Number.NaN } = JSON.parse(text) as { heap?: number };
  return heap / MEGABYTE;
}

async function openWorld(gateway: GatewayProcess, issuer: Issuer): Promise<FuzzWorld> {
  using client = createHttpClient({ url: gateway.url, key: gateway.key, connections: 1 });
  const run = await client.ask({ method: 'POST', path: '/runs', body: { workflow: 'fuzzed', inputs: { text: 'x' } } });
  const token = await client.ask({ method: 'POST', path: '/tokens', body: { workflows: ['fuzzed'], ttl_s: 3_600 } });
  const world = {
    runsKey: gateway.key,
    viewerKey: await gateway.createKey('viewer', 'viewer'),
    adminKey: await gateway.createKey('admin', 'admin'),
    token: textIn(token, 'token'),
    jwt: issuer.jwt,
    publicKeyPem: issuer.publicKeyPem,
    runId: textIn(run, 'id'),
    workflow: 'fuzzed',
    origin: ORIGIN,
  };
  // What is taken apart must be good as it is, or nothing would be proven.
  for (const proof of [world.token, world.jwt]) {
    const answer = await fetch(`${gateway.url}/me`, { headers: { authorization: `Bearer ${proof}`, origin: ORIGIN } });
    if (answer.status !== 200) throw new Error(`an honest caller was refused: ${await answer.text()}`);
  }
  return world;
}

function configFor(
  sandbox: SandboxProcess,
  { workflow, issuer, keyId }: { workflow: string; issuer: string; keyId: string },
): string {
  return JSON.stringify({
    providers: {
      'ai-tutor': {
        base_url: sandbox.vendors['ai-tutor']?.base_url,
        allow_private_network: true,
        credentials: ['env:FUZZ_VENDOR_KEY'],
      },
    },
    workflows: { fuzzed: { provider: 'ai-tutor', workflow } },
    access: {
      origins: [ORIGIN],
      issuers: [{ issuer, audience: AUDIENCE, jwks_uri: `${issuer}/keys`, key: keyId, allow_private_network: true }],
    },
  });
}

interface Issuer extends AsyncDisposable {
  url: string;
  jwt: string;
  publicKeyPem: string;
}

/** An OpenID Connect issuer of one key, and one JWT of its making. */
async function startIssuer(): Promise<Issuer> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const jwk = { ...(await exportJWK(publicKey)), kid: 'one', use: 'sig', alg: 'RS256' };
  const server = createServer((_request, reply) => {
    reply.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [jwk] }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const claims = new SignJWT({}).setProtectedHeader({ alg: 'RS256', kid: 'one' }).setIssuer(url).setAudience(AUDIENCE);
  const jwt = await claims.setSubject('user-1').setIssuedAt().setExpirationTime('1h').sign(privateKey);
  return {
    url,
    jwt,
    publicKeyPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function textIn({ status, body }: ClientAnswer, field: string): string {
  const value = body[field];
  if (typeof value === 'string') return value;
  throw new Error(`no ${field} in an answer of ${status}: ${JSON.stringify(body)}`);
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}
