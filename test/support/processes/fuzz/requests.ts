import type { SeededRandom } from '../../simulation/seeded-random.ts';
import { drawFalseIdentity, type Identities } from './identities.ts';
import { mutate, NASTY } from './mutate.ts';
import { ADMIN_PATHS, BODIES, HEADERS, METHODS, POSTED, QUERIES, RUNS_PATHS, READ_BY_OPERATORS } from './tables.ts';

export type Listener = 'runs' | 'admin';

export interface FuzzRequest {
  listener: Listener;
  method: string;
  bytes: Buffer;
  /** Not the whole of a request: the client ends, and may get no answer. */
  damaged: boolean;
}

export interface FuzzWorld extends Identities {
  /** A run that has ended, of the key and of nobody else. */
  runId: string;
  workflow: string;
  origin: string;
}

/** Draws one request. Nine in ten are shown with an identity that is none. */
export function drawRequest(random: SeededRandom, world: FuzzWorld): FuzzRequest {
  return random.chance(0.25) ? drawPlainRequest(random, world) : drawWildRequest(random, world);
}

/** Nothing is wrong with it but one thing: whatever lets it pass is not hidden behind something else that is wrong. */
function drawPlainRequest(random: SeededRandom, world: FuzzWorld): FuzzRequest {
  const listener: Listener = random.chance(0.5) ? 'runs' : 'admin';
  const route = random.pick(listener === 'runs' ? ['/me', '/runs', '/providers', '/workflows'] : READ_BY_OPERATORS);
  const identity = `Authorization: Bearer ${drawFalseIdentity(random, world)}`;
  const extra = random.pick<readonly string[]>([
    [],
    [],
    [],
    drawHost(random),
    drawOrigin(random, world),
    drawHeaders(random),
  ]);
  const host = extra.some((line) => line.startsWith('Host:')) ? [] : ['Host: 127.0.0.1'];
  const query = random.chance(0.2)
    ? random.pick(['?%2e', '?/healthz', '?%2e%2e/docs', '?x=/openapi.json', '?token=', '?%00', '?/docs/..'])
    : '';
  const lines = [...host, ...extra, ...(random.chance(0.1) ? [] : [identity.replaceAll(/[\r\n]/g, ' ')])];
  const text = `GET ${route}${query} HTTP/1.1\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`;
  return { listener, method: 'GET', bytes: Buffer.from(text, 'latin1'), damaged: false };
}

function drawWildRequest(random: SeededRandom, world: FuzzWorld): FuzzRequest {
  const listener: Listener = random.chance(0.6) ? 'runs' : 'admin';
  const honest = random.chance(0.12);
  const target = drawTarget(random, world, { listener, honest });
  const method = drawMethod(random, target);
  const body = method === 'GET' && random.chance(0.9) ? null : drawBody(random);
  const lines = [
    ...drawHost(random),
    ...drawIdentity(random, world, { listener, honest }),
    ...drawOrigin(random, world),
    ...drawHeaders(random),
    ...drawLength(random, body),
  ];
  const version = random.chance(0.97) ? 'HTTP/1.1' : random.pick(['HTTP/1.0', 'HTTP/2.0', 'HTTP/1.11', 'http/1.1', '']);
  const text = `${method} ${target} ${version}\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n${body ?? ''}`;
  const damaged = random.chance(0.05);
  const bytes = Buffer.from(damaged ? mutate(random, text) : text, 'latin1');
  return { listener, method, bytes, damaged };
}

/** Mostly one that the route has, so that what stands behind it is reached. */
function drawMethod(random: SeededRandom, target: string): string {
  if (random.chance(0.1)) return random.pick(METHODS);
  if (POSTED.test(target)) return 'POST';
  return random.weigh({ GET: 6, POST: 3, DELETE: 1 });
}

function drawTarget(
  random: SeededRandom,
  { runId, token }: FuzzWorld,
  { listener, honest }: { listener: Listener; honest: boolean },
): string {
  const any = () => encodeURIComponent(random.pick(NASTY)) || 'x';
  let path = random
    .pick(listener === 'runs' ? RUNS_PATHS : ADMIN_PATHS)
    .replace('{run}', runId)
    .replace('{any}', any);
  if (random.chance(0.3)) path = twist(random, path);
  const parts: string[] = [];
  while (random.chance(0.4)) {
    const value = random.chance(0.5) ? random.pick(NASTY) : String(random.below(200));
    parts.push(
      `${random.pick(QUERIES)}=${random.chance(0.8) ? encodeURIComponent(value) : value.replaceAll(/[\s\0]/g, '')}`,
    );
  }
  if (random.chance(0.08)) parts.push(`token=${encodeURIComponent(honest ? token : mutate(random, token))}`);
  return parts.length === 0 ? path : `${path}?${parts.join('&')}`;
}

/** Ways to say another path than the one that a careless reader would see. */
function twist(random: SeededRandom, path: string): string {
  const ways: readonly (() => string)[] = [
    () => path.replaceAll('/', '%2f'),
    () => path.replaceAll('/', '//'),
    () => `/healthz/..${path}`,
    () => `/healthz/%2e%2e${path}`,
    () => `/docs/..;${path}`,
    () => `${path}/.`,
    () => `${path}/..`,
    () => `${path}%00`,
    () => `${path};a=b`,
    () => `${path}/`,
    () => `${path}.json`,
    () => `${path}%20`,
    () => `\\${path.slice(1)}`,
    () => `http://127.0.0.1:8081${path}`,
    () => `//127.0.0.1${path}`,
    () => path.toUpperCase(),
    () => path.replace(/[a-z]/, (letter) => `%${letter.charCodeAt(0).toString(16)}`),
    () => `${path}#/healthz`,
    () => `/healthz?${path}`,
    () => '*',
    () => '',
    () => `/${random.pick(NASTY).replaceAll(/[\s\0]/g, '')}`,
    () => mutate(random, path).replaceAll(/[\s\0]/g, ''),
  ];
  return random.pick(ways)();
}

function drawHost(random: SeededRandom): string[] {
  if (random.chance(0.9)) return ['Host: 127.0.0.1'];
  return random.pick([
    [],
    ['Host: a', 'Host: b'],
    [`Host: ${mutate(random, '127.0.0.1:8080')}`],
    ['Host: /healthz'],
    ['Host: x/healthz?'],
    ['Host: x#/docs'],
    ['Host: evil.example@127.0.0.1'],
    [`Host: ${'h'.repeat(5_000)}`],
  ]);
}

function drawIdentity(
  random: SeededRandom,
  world: FuzzWorld,
  { listener, honest }: { listener: Listener; honest: boolean },
): string[] {
  const name = random.chance(0.9)
    ? 'Authorization'
    : random.pick(['authorization', 'AUTHORIZATION', 'Proxy-Authorization', 'Authorization ']);
  const scheme = random.chance(0.85)
    ? 'Bearer'
    : random.pick([
        'bearer',
        'BEARER',
        'Basic',
        'Token',
        'Bearer  ',
        'Bearer\t',
        '',
        'Bearer Bearer',
        'Bearer,',
        'Digest',
      ]);
  if (honest) {
    const own =
      listener === 'runs'
        ? [world.runsKey, world.runsKey, world.token, world.jwt]
        : [world.viewerKey, world.viewerKey, world.adminKey];
    return [`Authorization: Bearer ${random.pick(own)}`];
  }
  const line = `${name}: ${scheme} ${drawFalseIdentity(random, world)}`;
  if (random.chance(0.05)) return [];
  return random.chance(0.05) ? [line, `Authorization: Bearer ${drawFalseIdentity(random, world)}`] : [line];
}

function drawOrigin(random: SeededRandom, { origin }: FuzzWorld): string[] {
  if (random.chance(0.8)) return [];
  const value = random.pick([
    origin,
    `${origin}/`,
    `${origin}.evil.example`,
    'null',
    'https://evil.example',
    'file://',
    mutate(random, origin),
  ]);
  return random.chance(0.1) ? [`Origin: ${origin}`, `Origin: ${value}`] : [`Origin: ${value}`];
}

function drawHeaders(random: SeededRandom): string[] {
  const lines: string[] = [];
  while (random.chance(0.7) && lines.length < 40) {
    const name = random.pick(Object.keys(HEADERS));
    const right = random.pick(HEADERS[name] ?? []);
    const value = random.chance(0.4) ? right : random.chance(0.5) ? mutate(random, right) : random.pick(NASTY);
    lines.push(`${name}: ${value}`);
    if (random.chance(0.1)) lines.push(`${name}: ${random.chance(0.5) ? right : random.pick(NASTY)}`);
  }
  // Bytes that end a line would make another request of it: that is tried too, but rarely.
  return random.chance(0.95) ? lines.map((line) => line.replaceAll(/[\r\n]/g, ' ')) : lines;
}

function drawBody(random: SeededRandom): string {
  const body = random.pick(BODIES);
  return random.chance(0.7)
    ? body
    : random.chance(0.9)
      ? mutate(random, body)
      : '['.repeat(random.pick([100, 5_000, 100_000]));
}

function drawLength(random: SeededRandom, body: string | null): string[] {
  if (body === null) return [];
  const type = random.chance(0.9) ? ['Content-Type: application/json'] : [];
  return [...type, `Content-Length: ${body.length}`];
}
