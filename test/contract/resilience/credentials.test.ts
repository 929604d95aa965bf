import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { createCommandLine, type CommandLine } from '../../support/command-line.ts';
import { startTestGateway, vendorOf, type TestGateway, type TestProvider } from '../../support/gateway.ts';
import { startScriptedVendor, type Behaviour, type ScriptedVendor } from '../../support/scripted-vendor.ts';
import { beginStream, readToEnd } from '../../support/streams.ts';
import { stopCleanly } from '../../support/stop-cleanly.ts';
import { QUICK_KINDS } from '../vendors/contract-table.ts';

const SECRETS = ['the-first-secret', 'the-second-secret'] as const;
const [FIRST, SECOND] = SECRETS;
const RUNS = 400;
/** Four times what chance explains, of 400 starts at three to one. */
const SHARE_MARGIN = 36;
const ONE = 'ai-tutor';

const vendors = new Map<string, ScriptedVendor>();
let gateway: TestGateway;
let commandLine: CommandLine;

/** Each concern has its own providers, whose credentials no other test has spoilt. */
const CONCERNS = ['tokens', 'refused', 'unpaid', 'forbidden', 'limited', 'exhausted', 'resting'];

beforeAll(async () => {
  commandLine = await createCommandLine();
  gateway = await startTestGateway({
    kinds: QUICK_KINDS,
    async providers(sandbox) {
      const providers: Record<string, TestProvider> = {};
      for (const { kind } of PROVIDER_KINDS) {
        const vendor = await startScriptedVendor(vendorOf(sandbox, kind), { secrets: SECRETS });
        vendors.set(kind, vendor);
        for (const concern of CONCERNS) {
          providers[`${kind}-${concern}`] = { kind, baseUrl: vendor.baseUrl, secrets: SECRETS };
        }
        providers[`${kind}-alone`] = { kind, baseUrl: vendor.baseUrl, secrets: [FIRST] };
      }
      const secrets = [{ secret: FIRST, weight: 3 }, SECOND];
      providers['weighted'] = { kind: ONE, baseUrl: vendors.get(ONE)?.baseUrl ?? '', secrets };
      return providers;
    },
  });
});
afterAll(async () => {
  await Promise.all([stopCleanly(gateway, [...vendors.values()]), commandLine.remove()]);
});

/** What `credentials list` says of a provider's credentials, by secret. */
async function listed(
  provider: string,
): Promise<Record<string, { id: string; state: string; state_code: string | null }>> {
  const { stdout } = await commandLine.run(['credentials', 'list', '--json'], { environment: gateway.environment });
  const { data } = JSON.parse(stdout);
  // oxlint-disable-next-line typescript/no-explicit-any -- a document of the command line
  return Object.fromEntries(data.filter((one: any) => one.provider === provider).map((one: any) => [one.label, one]));
}

const stateOf = async (provider: string, secret: string) => (await listed(provider))[secret]?.state;

/** The vendor refuses whichever credential comes first, so that no test depends on chance. */
function refuseFirst(kind: string, refusal: Behaviour): { refused: () => string } {
  let refused: string | null = null;
  vendors.get(kind)!.script = ({ secret, isStart }) => {
    if (!isStart) return 'works';
    refused ??= secret;
    return secret === refused ? refusal : 'works';
  };
  return { refused: () => refused ?? '' };
}

const otherOf = (secret: string) => (secret === FIRST ? SECOND : FIRST);

function start(kind: string, provider: string) {
  return gateway.post('/runs', { provider, workflow: gateway.workflowId(kind, 'runs-0') });
}

/** How many starts came in while it was done. */
async function startsDuring(kind: string, act: () => Promise<unknown>): Promise<number> {
  const before = vendors.get(kind)!.starts().length;
  await act();
  return vendors.get(kind)!.starts().length - before;
}

describe.each(PROVIDER_KINDS)('two credentials at $kind', ({ kind, verify }) => {
  it.each([
    { status: 401, concern: 'refused', code: 'upstream_auth_failed' },
    { status: 402, concern: 'unpaid', code: 'upstream_payment_required' },
  ])('are one when $status sets the other aside', async ({ status, concern, code }) => {
    const provider = `${kind}-${concern}`;
    const { refused } = refuseFirst(kind, { status });
    const { body: run } = await start(kind, provider);
    expect(run).toMatchObject({ status: 'succeeded', error: null });
    const ids = await listed(provider);
    const bad = refused();
    expect(run.attempts).toMatchObject([
      { provider, credential: ids[bad]?.id, error_code: code },
      { provider, credential: ids[otherOf(bad)]?.id, error_code: null },
    ]);
    await expect.poll(() => stateOf(provider, bad)).toBe('set_aside');
    expect((await listed(provider))[bad]?.state_code).toBe(code);
    expect(await stateOf(provider, otherOf(bad))).toBe('usable');
    // Set aside, it is not even tried.
    const again = await startsDuring(kind, async () => {
      const runs = await Promise.all(Array.from({ length: 8 }, () => start(kind, provider)));
      for (const { body } of runs) expect(body.attempts).toHaveLength(1);
    });
    expect(again).toBe(8);
  });

  it('are both tried where 403 speaks of one start alone', async () => {
    const provider = `${kind}-forbidden`;
    const { refused } = refuseFirst(kind, { status: 403 });
    const { body } = await start(kind, provider);
    expect(body).toMatchObject({ status: 'succeeded', attempts: [{ error_code: 'upstream_forbidden' }, {}] });
    expect(await stateOf(provider, refused())).toBe('usable');
    vendors.get(kind)!.script = () => ({ status: 403 });
    const failed = await start(kind, provider);
    expect(failed).toMatchObject({ status: 502, body: { error: { code: 'upstream_forbidden', source: 'upstream' } } });
    expect(await stateOf(provider, FIRST)).toBe('usable');
    expect(await stateOf(provider, SECOND)).toBe('usable');
  });

  it('take turns where 429 rests one, which comes back when the vendor said', async () => {
    const provider = `${kind}-limited`;
    const { refused } = refuseFirst(kind, { status: 429, headers: { 'retry-after': '2' } });
    const limitedAt = performance.now();
    const { body } = await start(kind, provider);
    expect(body).toMatchObject({ status: 'succeeded', attempts: [{ error_code: 'upstream_rate_limited' }, {}] });
    const bad = refused();
    await expect.poll(() => stateOf(provider, bad)).toBe('resting');
    expect((await start(kind, provider)).body.attempts).toHaveLength(1);
    vendors.get(kind)!.script = () => 'works';
    const backAt = await expect
      .poll(
        async () => {
          await start(kind, provider);
          return vendors.get(kind)!.starts(bad).at(-1)?.at ?? 0;
        },
        { timeout: 10_000, interval: 20 },
      )
      .toBeGreaterThan(limitedAt + 1_900)
      .then(() => vendors.get(kind)!.starts(bad).at(-1)!.at);
    expect(backAt - limitedAt).toBeLessThan(5_000);
    const between = vendors
      .get(kind)!
      .starts(bad)
      .filter(({ at }) => at > limitedAt && at < backAt);
    expect(between).toHaveLength(1);
  });

  it('are exhausted when each is set aside, and mended by verify', async () => {
    const provider = `${kind}-exhausted`;
    vendors.get(kind)!.script = () => ({ status: 401 });
    const first = await start(kind, provider);
    expect(first).toMatchObject({ status: 502, body: { error: { code: 'credentials_exhausted', source: 'gateway' } } });
    const { body: run } = await gateway.get(`/runs/${first.body.error.run_id}`);
    expect(run.attempts.map((attempt: { error_code: string }) => attempt.error_code)).toEqual(
      Array.from({ length: 2 }, () => 'upstream_auth_failed'),
    );
    const calls = await startsDuring(kind, async () => {
      const next = await start(kind, provider);
      expect(next).toMatchObject({ status: 502, body: { error: { code: 'credentials_exhausted', run_id: null } } });
    });
    expect(calls).toBe(0);
    if (verify === undefined) return;
    for (const status of [200, 404]) {
      vendors.get(kind)!.script = () => (_, response) =>
        response.writeHead(status, { 'content-type': 'text/html' }).end('<html>nginx</html>');
      const unclear = await commandLine.run(['credentials', 'verify', provider], { environment: gateway.environment });
      expect(unclear.exitCode).toBe(1);
      expect([await stateOf(provider, FIRST), await stateOf(provider, SECOND)]).toEqual(['set_aside', 'set_aside']);
    }
    vendors.get(kind)!.script = () => 'works';
    const verified = await commandLine.run(['credentials', 'verify', provider], { environment: gateway.environment });
    expect(verified).toMatchObject({ exitCode: 0 });
    expect([await stateOf(provider, FIRST), await stateOf(provider, SECOND)]).toEqual(['usable', 'usable']);
    await expect.poll(async () => (await start(kind, provider)).status, { timeout: 1_500, interval: 100 }).toBe(200);
  });

  it('are not asked while both rest: the answer names the earlier return', async () => {
    const provider = `${kind}-resting`;
    const seconds = new Map([
      [FIRST, '600'],
      [SECOND, '300'],
    ] as const);
    vendors.get(kind)!.script = ({ secret }) => ({
      status: 429,
      headers: { 'retry-after': seconds.get(secret as typeof FIRST) ?? '' },
    });
    expect((await start(kind, provider)).status).toBe(429);
    const calls = await startsDuring(kind, async () => {
      const { status, body, headers } = await start(kind, provider);
      expect(status).toBe(429);
      expect(body.error).toMatchObject({ code: 'upstream_rate_limited', source: 'gateway', retryable: true });
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(290);
      expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(300);
    });
    expect(calls).toBe(0);
  });
});

const byToken = PROVIDER_KINDS.filter(({ startStream }) => startStream?.token !== undefined);

describe.each(byToken)('a single-use token of $kind that the vendor refuses', ({ kind }) => {
  it('is no fault of the credential that bought it', async () => {
    const provider = `${kind}-tokens`;
    vendors.get(kind)!.script = () => 'works';
    const body = { provider, workflow: gateway.workflowId(kind, 'status-401'), inputs: { a: 1 } };
    const events = await readToEnd(beginStream(gateway, body));
    expect(events.at(-1)).toMatchObject({
      type: 'run.failed',
      data: { run: { error: { code: 'upstream_auth_failed' } } },
    });
    expect([await stateOf(provider, FIRST), await stateOf(provider, SECOND)]).toEqual(['usable', 'usable']);
    expect((await start(kind, provider)).body).toMatchObject({ status: 'succeeded' });
  });
});

describe('one credential alone', () => {
  it.each(PROVIDER_KINDS)(
    'keeps the refusal of $kind as it is, is tried again, and is mended by acceptance',
    async ({ kind }) => {
      const provider = `${kind}-alone`;
      vendors.get(kind)!.script = () => ({ status: 401 });
      for (let i = 0; i < 2; i++) {
        const calls = await startsDuring(kind, async () => {
          const refused = await start(kind, provider);
          expect(refused).toMatchObject({ status: 502, body: { error: { code: 'upstream_auth_failed' } } });
        });
        expect(calls).toBe(1);
        await expect.poll(() => stateOf(provider, FIRST)).toBe('set_aside');
      }
      vendors.get(kind)!.script = () => 'works';
      expect((await start(kind, provider)).body).toMatchObject({ status: 'succeeded' });
      await expect.poll(() => stateOf(provider, FIRST)).toBe('usable');
    },
  );
});

describe('weights', () => {
  it('share the starts', async () => {
    const vendor = vendors.get(ONE)!;
    vendor.script = () => 'works';
    const before = vendor.starts().length;
    for (let begun = 0; begun < RUNS; begun += 50) {
      const runs = await Promise.all(Array.from({ length: 50 }, () => start(ONE, 'weighted')));
      expect(runs.map(({ status, body }) => body.error?.code ?? status)).toEqual(runs.map(() => 200));
    }
    const starts = vendor.starts().slice(before);
    const first = starts.filter(({ secret }) => secret === FIRST).length;
    expect(starts).toHaveLength(RUNS);
    expect(Math.abs(first - RUNS * 0.75)).toBeLessThan(SHARE_MARGIN);
  });
});
