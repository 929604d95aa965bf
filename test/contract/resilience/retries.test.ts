import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { freePort } from '../../support/free-port.ts';
import { startScriptedVendor, type ScriptedVendor } from '../../support/scripted-vendor.ts';
import { serveBeside, type ServingProcess } from '../../support/serving-process.ts';
import { prepareTestGateway, vendorOf, type TestGateway, type TestProvider } from '../../support/gateway.ts';
import { stopCleanly } from '../../support/stop-cleanly.ts';
import { QUICK_KINDS } from '../vendors/contract-table.ts';

const ONE = 'ai-tutor';
const SECRETS = ['the-first-secret', 'the-second-secret', 'the-third-secret'];
const RUNS = 300;
/** What a provider may send again at once, before a share of its starts counts. */
const SAVED_UP = 10;

let gateway: TestGateway;
let ports: Map<string, number>;
const open: ScriptedVendor[] = [];

/** Each kind is at a port of its own, where nobody listens yet. */
async function prepare(environment: Record<string, string>, more: Partial<TestProvider> = {}) {
  const closed = PROVIDER_KINDS.map(async ({ kind }) => [kind, await freePort()] as const);
  ports = new Map(await Promise.all(closed));
  gateway = await prepareTestGateway({
    kinds: QUICK_KINDS,
    environment,
    providers: (sandbox) =>
      Object.fromEntries(
        PROVIDER_KINDS.map(({ kind }) => {
          const { baseUrl, origin } = vendorOf(sandbox, kind);
          const here = baseUrl.replace(origin, `http://127.0.0.1:${ports.get(kind)}`);
          return [kind, { kind, baseUrl: here, ...more }];
        }),
      ),
  });
}

async function up(environment: Record<string, string>, more: Partial<TestProvider> = {}) {
  await prepare(environment, more);
  await gateway.startUp();
}

/** From now on somebody listens there. */
async function listenAt(kind: string): Promise<ScriptedVendor> {
  const vendor = await startScriptedVendor(vendorOf(gateway.sandbox, kind), { port: ports.get(kind) ?? 0 });
  open.push(vendor);
  return vendor;
}

const codesOf = (run: { attempts: { error_code: string | null }[] }) => run.attempts.map((one) => one.error_code);
const hasFailedTimes = (times: number) => (run: { attempts: { error_code: string | null }[] }) =>
  codesOf(run).filter((code) => code !== null).length >= times;

afterEach(async () => {
  await stopCleanly(gateway, open.splice(0));
});

describe('a vendor that nobody reaches', () => {
  it('is tried again until it is there, and each try is listed', async () => {
    await up({ RUNGATE_RETRIES_MAX: '10' });
    await Promise.all(
      PROVIDER_KINDS.map(async ({ kind }) => {
        const id = await gateway.begin({ provider: kind, workflow: gateway.workflowId(kind, 'runs-0') });
        await gateway.until(id, hasFailedTimes(2));
        const vendor = await listenAt(kind);
        const run = await gateway.end(id);
        expect(run).toMatchObject({ status: 'succeeded', error: null });
        const codes = codesOf(run);
        expect(codes.length).toBeGreaterThan(2);
        expect(codes).toEqual([...codes.slice(1).map(() => 'upstream_unreachable'), null]);
        expect(vendor.starts()).toHaveLength(1);
        for (const attempt of run.attempts) {
          expect(Object.keys(attempt).toSorted()).toEqual([
            'at',
            'credential',
            'error_code',
            'provider',
            'step',
            'workflow',
          ]);
          expect(attempt).toMatchObject({ provider: kind, workflow: run.upstream.workflow_id });
        }
      }),
    );
  });

  it('is never tried past the deadline', async () => {
    await up({ RUNGATE_RETRIES_MAX: '10' });
    const request = { provider: ONE, workflow: 'any', timeout_s: 1 };
    const ends = await Promise.all(
      Array.from({ length: 5 }, () => gateway.begin(request).then((id) => gateway.end(id))),
    );
    for (const run of ends) {
      expect(['upstream_unreachable', 'run_timed_out']).toContain(run.error.code);
      const late = run.attempts.filter(({ at }: { at: string }) => Date.parse(at) > Date.parse(run.deadline_at));
      expect(late).toEqual([]);
      expect(Date.parse(run.finished_at)).toBeLessThan(Date.parse(run.deadline_at) + 1_000);
    }
  });

  it('costs a tenth more starts at most, however long it is away', async () => {
    await up({ RUNGATE_RETRIES_MAX: '2' });
    const answers = [];
    for (let begun = 0; begun < RUNS; begun += 50) {
      const some = Array.from({ length: 50 }, () => gateway.post('/runs', { provider: ONE, workflow: 'any' }));
      answers.push(...(await Promise.all(some)));
    }
    let retries = 0;
    for (const { body } of answers) {
      expect(body.error.code).toBe('upstream_unreachable');
      retries += codesOf((await gateway.get(`/runs/${body.error.run_id}`)).body).length - 1;
    }
    expect(retries).toBeLessThanOrEqual(SAVED_UP + RUNS / 10);
    expect(retries).toBeGreaterThanOrEqual(SAVED_UP + RUNS / 20);
  });

  it.each([0, 2])(
    'is tried again %i times where RUNGATE_RETRIES_MAX says so, whichever credential',
    async (retriesMax) => {
      await up({ RUNGATE_RETRIES_MAX: String(retriesMax) }, { secrets: SECRETS });
      // A stream may have a step before its start, which begins nothing either.
      const forms = ['application/json', 'text/event-stream'];
      const requests = PROVIDER_KINDS.flatMap(({ kind }) => forms.map((accept) => ({ kind, accept })));
      await Promise.all(
        requests.map(async ({ kind, accept }) => {
          const body = JSON.stringify({ provider: kind, workflow: gateway.workflowId(kind, 'runs-0') });
          const headers = { authorization: gateway.authorization, 'content-type': 'application/json', accept };
          await (await fetch(`${gateway.url()}/runs`, { method: 'POST', body, headers })).text();
        }),
      );
      const { body: all } = await gateway.get('/runs?limit=100');
      expect(all.data).toHaveLength(requests.length);
      for (const run of all.data) {
        expect(run.error.code).toBe('upstream_unreachable');
        expect(codesOf(run)).toHaveLength(retriesMax + 1);
      }
    },
  );
});

describe('a run that is cancelled during its back-off', () => {
  it('ends at once, and is never sent', async () => {
    await up({ RUNGATE_RETRIES_MAX: '10' });
    const id = await gateway.begin({ provider: ONE, workflow: 'any' });
    await gateway.until(id, hasFailedTimes(2));
    expect((await gateway.cancel(id)).body).toMatchObject({ status: 'cancelled' });
    const vendor = await listenAt(ONE);
    const { length } = codesOf((await gateway.get(`/runs/${id}`)).body);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(vendor.starts()).toEqual([]);
    expect(codesOf((await gateway.get(`/runs/${id}`)).body)).toHaveLength(length);
  });
});

describe('a process that is stopped during the back-off', () => {
  it('leaves the run to the next one, which starts it once', async () => {
    await up({ RUNGATE_RETRIES_MAX: '10', RUNGATE_DRAIN_TIMEOUT_S: '0' });
    const id = await gateway.begin({ provider: ONE, workflow: 'runs-0' });
    await gateway.until(id, hasFailedTimes(3));
    await gateway.shutDown();
    const vendor = await listenAt(ONE);
    await gateway.startUp();
    expect(await gateway.end(id)).toMatchObject({ status: 'succeeded', error: null });
    expect(vendor.starts()).toHaveLength(1);
  });
});

describe('a process that is killed during the back-off', () => {
  let process: ServingProcess;
  beforeEach(() => prepare({ RUNGATE_RETRIES_MAX: '10' }));
  afterEach(() => process.kill());

  it('leaves runs that the next one starts exactly once', async () => {
    process = await serveBeside(gateway.environment);
    const at = gateway.at(process.url);
    const ids = await Promise.all(
      PROVIDER_KINDS.map(({ kind }) => at.begin({ provider: kind, workflow: gateway.workflowId(kind, 'runs-0') })),
    );
    // By then the waits are long enough for the kill to fall into them.
    await Promise.all(ids.map((id) => at.until(id, hasFailedTimes(5))));
    await process.kill();
    const left = await gateway.command(({ store }) => Promise.all(ids.map((id) => store.runs.peek(id as never))));
    const vendors = await Promise.all(PROVIDER_KINDS.map(({ kind }) => listenAt(kind)));
    await gateway.startUp();
    let proven = 0;
    for (const [i, id] of ids.entries()) {
      // A try that was under way just then may have been sent, as far as anybody knows.
      if (left[i]?.attempts.at(-1)?.state !== 'not_begun') continue;
      proven++;
      const run = await gateway.end(id);
      expect(run).toMatchObject({ status: 'succeeded', error: null });
      expect(codesOf(run)).toHaveLength((left[i]?.attempts.length ?? 0) + 1);
      expect(vendors[i]?.starts()).toHaveLength(1);
    }
    expect(proven).toBeGreaterThanOrEqual(2);
  });
});
