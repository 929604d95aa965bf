import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { startTestGateway, type Answered, type TestGateway } from '../../support/gateway.ts';
import { QUICK_KINDS } from './contract-table.ts';

const pausable = PROVIDER_KINDS.filter(({ pause }) => pause !== undefined);
let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startTestGateway({ kinds: QUICK_KINDS });
});
afterAll(() => gateway.stop());

const begin = (kind: string, workflow: string): Promise<Answered> =>
  gateway.post('/runs', { provider: kind, workflow: gateway.workflowId(kind, workflow) });

describe.each(pausable)('a run of $kind', ({ kind }) => {
  const running = async (workflow: string, fields: object = {}): Promise<string> => {
    const id = await gateway.begin({ provider: kind, workflow: gateway.workflowId(kind, workflow), ...fields });
    await gateway.until(id, ({ upstream }) => upstream.run_id !== null);
    return id;
  };
  const pauseRun = (id: string) => gateway.post(`/runs/${id}/pause`);

  it('is paused, shown as waiting, and resumed', async () => {
    const id = await running('runs-700.to-be-paused');
    expect(await pauseRun(id)).toMatchObject({ status: 202, body: { id, status: 'running' } });
    const paused = await gateway.until(id, ({ status }) => status !== 'running');
    expect(paused).toMatchObject({ status: 'waiting', waiting: { for: 'resume', hint: null } });
    expect((await gateway.post(`/runs/${id}/resume`)).body).toMatchObject({ status: 'succeeded', waiting: null });
    expect(gateway.sandbox.resumes({ kind, workflow: 'runs-700.to-be-paused' })).toMatchObject([
      { command: 'resume', began: true },
    ]);
  });

  it('that the vendor does not want to pause goes on', async () => {
    const id = await running('unpausable.runs-1200');
    expect((await pauseRun(id)).status).toBe(202);
    expect(await gateway.end(id)).toMatchObject({ status: 'succeeded', error: null });
  });

  it.each([
    'pause-status-503-x1',
    'pause-status-429-x1',
    'pause-cut-before-headers',
    'pause-html',
    'pause-cut-on-accept',
  ])('is paused in spite of %s: it may be asked again', async (fault) => {
    const id = await running(fault);
    expect((await pauseRun(id)).status).toBe(202);
    const paused = await gateway.until(id, ({ status }) => status !== 'running');
    expect(paused).toMatchObject({ status: 'waiting', waiting: { for: 'resume' } });
    await gateway.cancel(id);
    expect(await gateway.end(id)).toMatchObject({ status: 'cancelled' });
  });

  it('is not paused while it waits, once it has ended, or before the vendor has named it', async () => {
    const { body: waiting } = await begin(kind, 'asks');
    const { body: ended } = await begin(kind, 'runs-0');
    for (const id of [waiting.id, ended.id]) {
      const { status, body } = await pauseRun(id);
      expect([status, body.error.code, body.error.run_id]).toEqual([409, 'run_not_running', id]);
    }
    const workflow = gateway.workflowId(kind, 'slow-60000.unnamed');
    const unnamed = await gateway.begin({ provider: kind, workflow });
    expect((await pauseRun(unnamed)).body.error.code).toBe('run_not_addressable');
    await gateway.cancel(unnamed);
  });
});

describe('the gateway', () => {
  it('made no mistake of its own in all this', () => expect(gateway.complaints).toEqual([]));
});
