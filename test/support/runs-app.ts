import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { createTargetCheck } from '../../src/app/check-webhook-target.ts';
import { seesEveryone, type Caller, type CallerToken, type Role } from '../../src/core/caller.ts';
import { NO_TRACING } from '../../src/core/tracing.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { ErrorBody } from '../../src/core/errors.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { createIds } from '../../src/core/ids.ts';
import type { Log, LogFields } from '../../src/core/log.ts';
import { createSystemRandom } from '../../src/core/random.ts';
import { Secret } from '../../src/core/secret.ts';
import { NO_LIMITS } from '../../src/access/key-limits.ts';
import * as policy from '../../src/access/policy.ts';
import { httpLimits } from '../../src/app/limits.ts';
import { loadSettings } from '../../src/config/load-settings.ts';
import type { ShownIdentity } from '../../src/access/authenticate.ts';
import type { App, Health } from '../../src/http/app.ts';
import { buildRunsApp } from '../../src/http/build-runs-app.ts';
import type { RunsAppParts } from '../../src/http/runs-parts.ts';
import { createRegistry } from '../../src/providers/registry.ts';
import { createMemoryRuns, type MemoryRuns } from './memory-runs.ts';

/** As the settings have them where nothing is set. */
export const HTTP_LIMITS = httpLimits(loadSettings({}).limits);

export interface LogLine {
  level: keyof Log;
  fields: LogFields;
  message: string;
}

export interface RunningApp extends AsyncDisposable {
  app: App;
  url: string;
  port: number;
  runs: MemoryRuns;
  log: LogLine[];
  clock: { offsetMs: number };
  state: { unready: ReturnType<Health['unready']> };
}

/** A caller for each role; the test's keys are `<role>` and, for somebody else, `other`. */
export function callerWith(role: Role, changes: Partial<Caller> = {}): Caller {
  return {
    keyId: `key_${role}`,
    keyName: role,
    lineage: `key_${role}`,
    keyExpiresAt: null,
    subject: null,
    token: null,
    origins: [],
    role,
    allowedWorkflows: [],
    allowedProviders: [],
    limits: NO_LIMITS,
    ...changes,
  };
}

/** As a browser would hold it, for an hour. */
function testToken(): CallerToken {
  return { id: 'tok_1', runsMax: null, expiresAt: systemClock.now() + 3_600_000, origin: null };
}

const CALLERS: Readonly<Record<string, Caller>> = {
  runs: callerWith('runs'),
  viewer: callerWith('viewer'),
  admin: callerWith('admin'),
  other: callerWith('runs', { lineage: 'key_other' }),
  narrow: callerWith('runs', { allowedProviders: ['draft-and-goal/wf_1'] }),
  token: callerWith('runs', { token: testToken() }),
  'admin-token': callerWith('admin', { token: testToken() }),
};

/** Knows the keys `runs`, `viewer`, `admin`, `other` and `narrow`, and the tokens `token` and `admin-token`. */
export async function authenticateTestKey({ authorization }: Pick<ShownIdentity, 'authorization'>): Promise<Caller> {
  const caller = authorization?.startsWith('Bearer ') ? CALLERS[authorization.slice('Bearer '.length)] : undefined;
  if (!caller) throw new GatewayError('unauthorized');
  return caller;
}

/** The parts of a runs API over runs in memory. */
export function runsAppParts(): Omit<RunningApp, 'app' | 'url' | 'port' | keyof AsyncDisposable> & {
  parts: RunsAppParts;
} {
  const offset = { offsetMs: 0 };
  const clock = {
    ...systemClock,
    now: () => systemClock.now() + offset.offsetMs,
    monotonic: () => systemClock.monotonic() + offset.offsetMs,
  };
  const ids = createIds({ clock: systemClock, random: createSystemRandom() });
  const runs = createMemoryRuns({ ids, clock });
  const log: LogLine[] = [];
  const state: RunningApp['state'] = { unready: null };
  const write = (level: keyof Log) => (fields: LogFields, message: string) => log.push({ level, fields, message });
  const registry = createRegistry({ kinds: [], providers: {}, workflows: [] });
  const parts: RunsAppParts = {
    runs,
    openCalls: { hold: () => () => {} },
    servesOrigin: async () => false,
    shedder: { refusal: () => null, admit: () => () => {} },
    policy: { ...policy, seesEveryone },
    audited: (_deed, work) => work(),
    webhooks: {
      checkTarget: createTargetCheck({ allowPrivateNetwork: false }),
      checkSecretRoom: async () => {},
      rotateSecret: async () => ({ secret: new Secret('whsec_c2VjcmV0'), previousExpiresAt: null }),
      receive: async () => 'unknown',
    },
    ids,
    clock,
    tokens: { issue: async () => ({ token: new Secret('rgt_test'), expiresAt: clock.now() + 600_000 }) },
    usedBy: async () => ({ unfinishedRuns: runs.created.length, runsToday: null, tokenRuns: null }),
    registry: () => registry,
    authenticate: authenticateTestKey,
    credentialPresent: async () => true,
    breakerOf: () => 'closed',
    version: '0.0.0',
    health: { unready: () => state.unready },
    log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') },
    tracing: NO_TRACING,
    observeRequest() {},
    limits: { ...HTTP_LIMITS, bodyBytesMax: 100_000 },
  };
  return { runs, log, clock: offset, state, parts };
}

/** Starts the runs API on a free loopback port. */
export async function startRunsApp(changes: Partial<RunsAppParts> = {}): Promise<RunningApp> {
  const { parts, ...seen } = runsAppParts();
  const app = buildRunsApp({ ...parts, ...changes });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  return {
    ...seen,
    app,
    port,
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      app.server.closeAllConnections();
      await app.close();
    },
  };
}

export interface Envelope {
  error: ErrorBody;
}

/** Sends bytes as they are, and nothing after them where `over`; reads until the server closes or has sent one whole answer. */
export async function sendRaw(
  port: number,
  bytes: string | Uint8Array,
  { over = false } = {},
): Promise<{ status: number; head: string; body: string }> {
  const socket = connect({ host: '127.0.0.1', port });
  await once(socket, 'connect');
  let text = '';
  const whole = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const length = /content-length: (\d+)/i.exec(text)?.[1];
      const at = text.indexOf('\r\n\r\n');
      if (at !== -1 && length !== undefined && text.length >= at + 4 + Number(length)) resolve();
    });
    socket.on('error', () => resolve());
    socket.on('close', () => resolve());
  });
  if (over) socket.end(bytes);
  else socket.write(bytes);
  await whole;
  socket.destroy();
  const at = text.indexOf('\r\n\r\n');
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0),
    head: text.slice(0, at),
    body: text.slice(at + 4),
  };
}
