import { createServer, type AddressInfo, type Server } from 'node:net';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import {
  startTestGateway,
  vendorOf,
  type Answered,
  type TestGateway,
  type TestProvider,
} from '../../support/gateway.ts';
import { startScriptedVendor, type Behaviour, type ScriptedVendor } from '../../support/scripted-vendor.ts';
import { stopCleanly } from '../../support/stop-cleanly.ts';
import { ERRORS, type Code } from '../vendors/contract-table.ts';

/** What the tests set, in every place where it can be set. */
const LIMIT_MS = 400;
const LIMIT_S = LIMIT_MS / 1000;
/** On a busy machine a timer may be late, but never early. */
const LATE_MS = 2_000;
const TRICKLE_MS = 50;
/** So that a kind that asks by our own id gives up asking. */
const TIMEOUT_S = 1;

type Concern = 'headers' | 'idle' | 'total';

const CONCERNS: readonly {
  concern: Concern;
  what: string;
  code: Code;
  variable: string;
  behave: (response: ServerResponse) => void;
}[] = [
  {
    concern: 'headers',
    what: 'a head that never comes',
    code: 'upstream_timeout',
    variable: 'RUNGATE_HEADERS_TIMEOUT_MS',
    behave: () => undefined,
  },
  {
    concern: 'idle',
    what: 'a body that stalls after its headers',
    code: 'outcome_unknown',
    variable: 'RUNGATE_IDLE_TIMEOUT_MS',
    behave: (response) => void response.writeHead(200, { 'content-type': 'application/json' }).write('{"success":'),
  },
  {
    concern: 'total',
    what: 'a body that trickles for ever',
    code: 'outcome_unknown',
    variable: 'RUNGATE_TOTAL_TIMEOUT_MS',
    behave: (response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
      const timer = setInterval(() => response.write(' '), TRICKLE_MS);
      response.on('close', () => clearInterval(timer));
    },
  },
];

/** Milliseconds that the gateway held each connection, by kind. */
const heldMs = new Map<string, number>();
const vendors = new Map<string, ScriptedVendor>();
const mute: Server = createServer((socket) => socket.on('error', () => undefined));
let byProvider: TestGateway;

beforeAll(async () => {
  mute.listen(0, '127.0.0.1');
  await once(mute, 'listening');
  const { port } = mute.address() as AddressInfo;
  byProvider = await startTestGateway({
    environment: { RUNGATE_CONNECT_TIMEOUT_MS: String(LIMIT_MS) },
    async providers(sandbox) {
      for (const { kind } of PROVIDER_KINDS) vendors.set(kind, await startScriptedVendor(vendorOf(sandbox, kind)));
      const silent = { kind: PROVIDER_KINDS[0]?.kind ?? '', baseUrl: `https://127.0.0.1:${port}`, secret: 'any' };
      return { ...timedProviders(), silent };
    },
  });
});
afterAll(async () => {
  mute.close();
  await stopCleanly(byProvider, [...vendors.values()]);
});

/** For each kind and concern a provider with this time-out alone. */
function timedProviders(): Record<string, TestProvider> {
  const entries = PROVIDER_KINDS.flatMap(({ kind }) =>
    CONCERNS.map(({ concern }) => {
      const timeouts = { [`${concern}_s`]: LIMIT_S };
      return [
        `${kind}-${concern}`,
        { kind, baseUrl: vendors.get(kind)?.baseUrl ?? '', timeouts, secret: 'any' },
      ] as const;
    }),
  );
  return Object.fromEntries(entries);
}

/** Starts at every vendor get this; whatever else is asked is unknown there. */
function behaveLike(behave: (response: ServerResponse) => void): void {
  for (const [kind, vendor] of vendors) {
    vendor.script = ({ isStart }): Behaviour => {
      if (!isStart) return { status: 404 };
      return (call, response) => {
        response.on('close', () => heldMs.set(kind, performance.now() - call.at));
        behave(response);
      };
    };
  }
}

async function expectCut(kind: string, { body, status }: Answered, code: Code): Promise<void> {
  expect(body.error).toMatchObject({ code, ...ERRORS[code] });
  expect(status).toBe(ERRORS[code].status);
  // Connecting counts as well, before the vendor sees anything.
  await expect.poll(() => heldMs.get(kind)).toBeGreaterThan(LIMIT_MS / 2);
  expect(heldMs.get(kind)).toBeLessThan(LIMIT_MS + LATE_MS);
}

describe('a connection that is not there in time', () => {
  it('is given up: nothing was sent', async () => {
    const begun = performance.now();
    const { status, body } = await byProvider.post('/runs', {
      provider: 'silent',
      workflow: byProvider.workflowId(PROVIDER_KINDS[0]?.kind ?? '', 'any'),
    });
    const tookMs = performance.now() - begun;
    expect(status).toBe(502);
    expect(body.error).toMatchObject({ code: 'upstream_unreachable', ...ERRORS.upstream_unreachable });
    expect(tookMs).toBeGreaterThan(LIMIT_MS * 0.9);
    expect(tookMs).toBeLessThan(LIMIT_MS + LATE_MS);
  });
});

describe.each(CONCERNS)('$what', ({ concern, code, variable, behave }) => {
  it('is cut after the provider’s own time, at every kind', async () => {
    behaveLike(behave);
    heldMs.clear();
    await Promise.all(
      PROVIDER_KINDS.map(async ({ kind }) => {
        const workflow = byProvider.workflowId(kind, 'any');
        const before = vendors.get(kind)?.starts().length ?? 0;
        const request = { provider: `${kind}-${concern}`, workflow, timeout_s: TIMEOUT_S };
        await expectCut(kind, await byProvider.post('/runs', request), code);
        expect(vendors.get(kind)?.starts()).toHaveLength(before + 1);
      }),
    );
  });

  it('is cut after the setting’s time, at every kind that has none of its own', async () => {
    behaveLike(behave);
    heldMs.clear();
    // Where a kind's starts block, its own time is the longer one, and wins.
    const kinds = PROVIDER_KINDS.filter(({ startTimeoutMs }) => concern === 'total' || startTimeoutMs === undefined);
    const gateway = await startTestGateway({
      environment: { [variable]: String(LIMIT_MS) },
      providers: () =>
        Object.fromEntries(kinds.map(({ kind }) => [kind, { kind, baseUrl: vendors.get(kind)?.baseUrl ?? '' }])),
    });
    try {
      expect(kinds.length).toBeGreaterThan(0);
      await Promise.all(
        kinds.map(async ({ kind }) => {
          const request = { provider: kind, workflow: gateway.workflowId(kind, 'any'), timeout_s: TIMEOUT_S };
          await expectCut(kind, await gateway.post('/runs', request), code);
        }),
      );
      expect(gateway.complaints).toEqual([]);
    } finally {
      await gateway.stop();
    }
  });
});

describe('a body that stalls after the head of an error', () => {
  it('is cut, and the error is the head’s', async () => {
    behaveLike((response) => void response.writeHead(500, { 'content-type': 'application/json' }).write('{'));
    heldMs.clear();
    await Promise.all(
      PROVIDER_KINDS.map(async ({ kind }) => {
        const request = { provider: `${kind}-idle`, workflow: byProvider.workflowId(kind, 'any') };
        await expectCut(kind, await byProvider.post('/runs', request), 'upstream_error');
      }),
    );
  });
});
