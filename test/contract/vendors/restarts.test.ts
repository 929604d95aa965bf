import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { prepareTestGateway, startTestGateway, type TestGateway } from '../../support/gateway.ts';
import { QUICK_KINDS } from './contract-table.ts';
import { PROGRAM } from '../../support/program.ts';

const RESUMABLE = PROVIDER_KINDS.filter(({ resume }) => resume !== undefined).map(({ kind }) => kind);
const UNANSWERED_RESUME = 'runs-0.resume-never-answers';
const FIRST = PROVIDER_KINDS[0]?.kind ?? '';

let gateway: TestGateway;
const begun = async (workflow: string, count: number) =>
  expect.poll(() => gateway.sandbox.starts({ workflow }), { timeout: 10_000 }).toHaveLength(count);
const startsOf = (kind: string, workflow: string) => gateway.sandbox.starts({ kind, workflow });

/** A run that asks, whose resume will be taken but not answered. */
async function beginToWait(kind: string, client: Pick<TestGateway, 'post'> = gateway): Promise<string> {
  const workflow = gateway.workflowId(kind, UNANSWERED_RESUME);
  const { body } = await client.post('/runs', { provider: kind, workflow });
  expect(body.status).toBe('waiting');
  return body.id as string;
}
const resumed = (kind: string) =>
  expect.poll(() => gateway.sandbox.resumes({ kind, workflow: UNANSWERED_RESUME })).toHaveLength(1);

/** One run of each kind, begun; the ids in the order of the kinds. */
async function beginEach(workflow: string, fields: object = {}): Promise<string[]> {
  return Promise.all(
    PROVIDER_KINDS.map(({ kind }) =>
      gateway.begin({ provider: kind, workflow: gateway.workflowId(kind, workflow), ...fields }),
    ),
  );
}

afterEach(async () => {
  await gateway.stop();
  if (gateway.complaints.length > 0) throw new Error(`the log complains: ${gateway.complaints.join('; ')}`);
});

describe('a gateway that is told to stop', () => {
  const up = async (environment: Record<string, string>) => {
    gateway = await startTestGateway({ kinds: QUICK_KINDS, environment });
  };

  it('answers the copy of a request afterwards that it would refuse by then', async () => {
    await up({ RUNGATE_WEBHOOK_ALLOW_PRIVATE_NETWORK: 'true' });
    const body = {
      provider: FIRST,
      workflow: gateway.workflowId(FIRST, 'ok'),
      webhook: { url: 'http://127.0.0.1:9/hook' },
    };
    const send = (key: string) => gateway.post('/runs', body, { 'idempotency-key': key });
    const first = await send('copied');
    expect(first.status).toBe(200);
    await gateway.shutDown();
    Object.assign(gateway.environment, { RUNGATE_WEBHOOK_ALLOW_PRIVATE_NETWORK: 'false' });
    await gateway.startUp();
    expect(await send('copied')).toMatchObject({ status: 200, body: { id: first.body.id } });
    expect(await send('new')).toMatchObject({ status: 400, body: { error: { param: 'webhook.url' } } });
  });

  it('waits for starts under way, refuses new runs meanwhile, and hands the polled ones over', async () => {
    await up({ RUNGATE_DRAIN_TIMEOUT_S: '20' });
    const slow = await beginEach('slow-1500.runs-1500');
    await begun('slow-1500.runs-1500', PROVIDER_KINDS.length);
    const held = gateway.post('/runs', { provider: FIRST, workflow: gateway.workflowId(FIRST, 'slow-1400') });
    await begun('slow-1400', 1);
    const refused = expectRefusal();
    const stopping = gateway.shutDown();
    await refused;
    // Whoever waits is let go; the run itself goes on.
    expect([202, 200]).toContain((await held).status);
    await stopping;
    await gateway.startUp();
    for (const id of [...slow, (await held).body.id]) {
      expect(await gateway.end(id)).toMatchObject({ status: 'succeeded', error: null });
    }
    for (const { kind } of PROVIDER_KINDS) expect(startsOf(kind, 'slow-1500.runs-1500')).toHaveLength(1);
  });

  /** New runs are refused once the gateway drains; the first tries may still be taken. */
  async function expectRefusal(): Promise<void> {
    const url = gateway.url();
    for (;;) {
      const ready = await fetch(`${url}/readyz`).catch(() => null);
      if (ready === null || ready.status === 503) return;
    }
  }

  it('gives up starts that take longer than the drain: nobody knows their fate, or the next process asks', async () => {
    await up({ RUNGATE_DRAIN_TIMEOUT_S: '1' });
    const ids = await beginEach('slow-3000.runs-0');
    await begun('slow-3000.runs-0', PROVIDER_KINDS.length);
    await gateway.shutDown();
    await gateway.startUp();
    for (const [i, kind] of PROVIDER_KINDS.entries()) {
      const ended = await gateway.end(ids[i] ?? '');
      if (kind.lookup !== undefined) expect(ended).toMatchObject({ status: 'succeeded', error: null });
      else expect(ended).toMatchObject({ status: 'failed', error: { code: 'outcome_unknown', retryable: false } });
      expect(startsOf(kind.kind, 'slow-3000.runs-0')).toHaveLength(1);
    }
  });

  it('leaves queued runs as they are, and the next process starts each once', async () => {
    await up({ RUNGATE_STARTS_MAX: '1', RUNGATE_DRAIN_TIMEOUT_S: '0' });
    await gateway.begin({ provider: FIRST, workflow: gateway.workflowId(FIRST, 'slow-60000') });
    await begun('slow-60000', 1);
    const ids = await beginEach('from-the-queue');
    await gateway.shutDown();
    const already = gateway.sandbox.starts({ workflow: 'from-the-queue' });
    expect(already).toEqual([]);
    await gateway.startUp();
    for (const id of ids) expect(await gateway.end(id)).toMatchObject({ status: 'succeeded' });
    for (const { kind } of PROVIDER_KINDS) expect(startsOf(kind, 'from-the-queue')).toHaveLength(1);
  });

  it('asks what became of a resume that takes longer than the drain, and never sends it again', async () => {
    await up({ RUNGATE_DRAIN_TIMEOUT_S: '1' });
    for (const kind of RESUMABLE) {
      const id = await beginToWait(kind);
      const { status } = await gateway.post(`/runs/${id}/resume`, {}, { prefer: 'respond-async' });
      expect(status).toBe(202);
      await resumed(kind);
      await gateway.shutDown();
      await gateway.startUp();
      expect(await gateway.end(id)).toMatchObject({ status: 'succeeded', waiting: null });
      expect(gateway.sandbox.resumes({ kind })).toHaveLength(1);
    }
  });

  it('leaves a cancel that the vendor has not confirmed to the next process', async () => {
    await up({});
    for (const { kind, cancel } of PROVIDER_KINDS) {
      if (cancel === undefined) continue;
      const id = await gateway.begin({ provider: kind, workflow: gateway.workflowId(kind, 'cancel-slow-1500') });
      await gateway.until(id, ({ upstream }) => upstream.run_id !== null);
      expect((await gateway.cancel(id)).status).toBe(202);
      await gateway.shutDown();
      await gateway.startUp();
      expect(await gateway.end(id)).toMatchObject({ status: 'cancelled', upstream: { stopped: true } });
    }
  });
});

describe('a process that is killed', () => {
  let child: ChildProcess | undefined;

  afterEach(() => void child?.kill('SIGKILL'));

  beforeEach(async () => {
    gateway = await prepareTestGateway({ kinds: QUICK_KINDS });
  });

  /** `rungate serve` in a process of its own, on the gateway's data; resolves to where it listens. */
  async function serve(): Promise<string> {
    child = spawn(process.execPath, [PROGRAM, 'serve'], {
      env: { ...gateway.environment, RUNGATE_LOG_LEVEL: 'silent' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const line of createInterface({ input: child.stdout! })) {
      const url = /runs API +(\S+)/.exec(line)?.[1];
      if (url !== undefined) return url;
    }
    throw new Error('the process ended before it listened');
  }

  async function kill(): Promise<void> {
    const process = child!;
    const exited = once(process, 'exit');
    process.kill('SIGKILL');
    await exited;
  }

  it('loses no run that it acknowledged, and none is begun twice', async () => {
    const url = await serve();
    const open = await beginEachAt(url, 'slow-60000.runs-0');
    const named = await beginEachAt(url, 'runs-2500');
    await begun('slow-60000.runs-0', PROVIDER_KINDS.length);
    await begun('runs-2500', PROVIDER_KINDS.length);
    await kill();
    await gateway.startUp();
    for (const [i, kind] of PROVIDER_KINDS.entries()) {
      const unanswered = await gateway.end(open[i] ?? '');
      if (kind.lookup !== undefined) expect(unanswered).toMatchObject({ status: 'succeeded' });
      else expect(unanswered).toMatchObject({ status: 'failed', error: { code: 'outcome_unknown' } });
      const polled = await gateway.end(named[i] ?? '');
      // The vendor may have named its run a moment before, or after.
      const canAsk = kind.poll !== undefined && (kind.lookup !== undefined || polled.upstream.run_id !== null);
      if (canAsk) expect(polled.status).toBe('succeeded');
      else expect(polled).toMatchObject({ status: 'failed', error: { code: 'outcome_unknown' } });
      for (const workflow of ['slow-60000.runs-0', 'runs-2500']) expect(startsOf(kind.kind, workflow)).toHaveLength(1);
    }
  });

  it('asks what became of a resume under way, and never sends it again', async () => {
    const at = gateway.at(await serve());
    const ids = new Map<string, string>();
    for (const kind of RESUMABLE) {
      const id = await beginToWait(kind, at);
      ids.set(kind, id);
      expect((await at.post(`/runs/${id}/resume`, {}, { prefer: 'respond-async' })).status).toBe(202);
      await resumed(kind);
    }
    await kill();
    await gateway.startUp();
    for (const [kind, id] of ids) {
      expect(await gateway.end(id)).toMatchObject({ status: 'succeeded', waiting: null });
      expect(gateway.sandbox.resumes({ kind })).toHaveLength(1);
    }
  });

  async function beginEachAt(url: string, workflow: string): Promise<string[]> {
    const at = gateway.at(url);
    const ids = await Promise.all(
      PROVIDER_KINDS.map(({ kind }) => at.begin({ provider: kind, workflow: gateway.workflowId(kind, workflow) })),
    );
    // A vendor that names its runs has named this one before the process is killed.
    if (!workflow.startsWith('slow')) {
      for (const [i, { poll }] of PROVIDER_KINDS.entries()) {
        if (poll !== undefined) await at.until(ids[i] ?? '', ({ upstream }) => upstream.run_id !== null);
      }
    }
    return ids;
  }
});
