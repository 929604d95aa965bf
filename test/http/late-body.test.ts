import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Authenticate } from '../../src/access/authenticate.ts';
import { NO_LIMITS } from '../../src/access/key-limits.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { startAdminApp, type RunningAdminApp } from '../support/admin-app.ts';
import { openEvents, type EventClient } from '../support/event-client.ts';
import { recording } from '../support/recording.ts';
import { callerWith, runsAppParts, startRunsApp, type Envelope, type RunningApp } from '../support/runs-app.ts';

/** A revocation counts within a second; half of it goes to what is believed of a key. */
const LATE_MS = 500;

interface Half {
  path: string;
  body: string;
  status: number;
  headers?: Readonly<Record<string, string>>;
}

const AT_RUNS: Half[] = [
  { path: '/runs', body: '{"workflow":"w"}', status: 202 },
  { path: '/me/webhook-secret', body: '{}', status: 200 },
];
const AT_ADMIN: Half[] = [{ path: '/admin/keys', body: '{"name":"next","role":"admin"}', status: 201 }];

/** What was done for callers. */
let done: string[];
let revoked: boolean;
let proofs: number;
/** Stands still between a test's own steps. */
let nowMs: number;
let runs: RunningApp;
let admin: RunningAdminApp;
let clients: EventClient[];
beforeEach(async () => {
  done = [];
  revoked = false;
  proofs = 0;
  nowMs = 0;
  clients = [];
  const { parts } = runsAppParts();
  const limits = { ...NO_LIMITS, requestsPerMinute: 10 };
  const authenticate: Authenticate = async ({ authorization }) => {
    proofs += 1;
    if (revoked) throw new GatewayError('unauthorized');
    return callerWith(authorization === 'Bearer runs' ? 'runs' : 'admin', { limits });
  };
  runs = await startRunsApp({
    authenticate,
    clock: { now: () => nowMs, monotonic: () => nowMs },
    runs: recording(parts.runs, 'runs', done),
    webhooks: recording(parts.webhooks, 'webhooks', done),
    audited: (deed, work) => {
      done.push(deed.action);
      return work();
    },
  });
  admin = await startAdminApp((services) => ({ ...services, keys: recording(services.keys, 'keys', done) }), {
    authenticate,
  });
});
afterEach(async () => {
  for (const client of clients) client.leave();
  await runs[Symbol.asyncDispose]();
  await admin[Symbol.asyncDispose]();
});

const runsKey = { authorization: 'Bearer runs' };
const adminKey = { host: '127.0.0.1', authorization: 'Bearer admin' };

function passTime(): void {
  nowMs += LATE_MS;
  admin.clock.offsetMs += LATE_MS;
}

/** Sends the head and the first byte of the body; resolves once the caller is proven, to what sends the rest. */
async function begin(port: number, { path, body, headers }: Half): Promise<() => Promise<EventClient>> {
  const client = openEvents(port, {
    method: 'POST',
    path,
    headers: {
      accept: 'application/json',
      prefer: 'respond-async',
      'content-type': 'application/json',
      'content-length': String(body.length),
      ...headers,
    },
    more: body.slice(0, 1),
  });
  clients.push(client);
  await expect.poll(() => proofs).toBe(1);
  return async () => {
    client.socket.write(body.slice(1));
    await client.whole();
    return client;
  };
}

describe.each<[string, Half[], () => RunningApp | RunningAdminApp, Readonly<Record<string, string>>]>([
  ['the runs API', AT_RUNS, () => runs, runsKey],
  ['the admin API', AT_ADMIN, () => admin, adminKey],
])('a body that comes late to %s', (_name, halves, app, headers) => {
  it.each(halves)('finds its key revoked at $path: 401, and nothing is done', async (half) => {
    const finish = await begin(app().port, { ...half, headers });
    revoked = true;
    passTime();
    const client = await finish();
    expect([client.status(), client.header('www-authenticate')]).toEqual([401, expect.stringMatching(/^Bearer/)]);
    expect((JSON.parse(client.text()) as Envelope).error).toMatchObject({ code: 'unauthorized', retryable: false });
    expect(done).toEqual([]);
  });

  it.each(halves)('is taken at $path while its key is good', async (half) => {
    const finish = await begin(app().port, { ...half, headers });
    passTime();
    expect((await finish()).status()).toBe(half.status);
    expect(proofs).toBe(2);
    expect(done).not.toEqual([]);
  });
});

describe('a body', () => {
  const [run] = AT_RUNS as [Half];

  it('of nothing but its end is a body too', async () => {
    const client = openEvents(runs.port, {
      method: 'POST',
      path: '/runs/run_01k9zq00000000000000000000/cancel',
      headers: {
        ...runsKey,
        accept: 'application/json',
        'content-type': 'application/json',
        'transfer-encoding': 'chunked',
      },
    });
    clients.push(client);
    await expect.poll(() => proofs).toBe(1);
    revoked = true;
    passTime();
    client.socket.write('0\r\n\r\n');
    await client.whole();
    expect([client.status(), done]).toEqual([401, []]);
  });

  it('that comes at once costs one proof, and late or not, its request counts once', async () => {
    const first = await (await begin(runs.port, { ...run, headers: runsKey }))();
    expect([first.header('ratelimit'), proofs]).toEqual(['"key";r=9;t=60', 1]);
    proofs = 0;
    const finish = await begin(runs.port, { ...run, headers: runsKey });
    passTime();
    const second = await finish();
    expect([second.header('ratelimit'), proofs]).toEqual([expect.stringContaining('r=8;'), 2]);
  });

  it('that is refused is in the log as any refusal', async () => {
    revoked = true;
    await fetch(`${runs.url}/runs`, { method: 'POST', headers: runsKey });
    revoked = false;
    proofs = 0;
    const finish = await begin(runs.port, { ...run, headers: runsKey });
    revoked = true;
    passTime();
    await finish();
    const lines = () => runs.log.filter(({ message }) => message === 'request answered');
    await expect.poll(() => lines().length).toBe(2);
    const said = lines().map(({ level, fields: { key_id, status, code, route } }) => ({
      level,
      key_id,
      status,
      code,
      route,
    }));
    expect(said).toEqual(
      Array.from({ length: 2 }, () => ({
        level: 'info',
        key_id: null,
        status: 401,
        code: 'unauthorized',
        route: '/runs',
      })),
    );
  });
});
