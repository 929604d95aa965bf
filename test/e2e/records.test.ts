import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { QUICK_KINDS } from '../contract/vendors/contract-table.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

const PROVIDER = 'ai-tutor';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({ kinds: QUICK_KINDS });
});
afterAll(() => gateway.stop());

describe('the record of a run', () => {
  it('is deleted once it has ended, and the same request does not begin another', async () => {
    const body = { provider: PROVIDER, workflow: 'deleted', metadata: { order: '1' } };
    const key = { 'idempotency-key': 'delete-me' };
    const { body: run } = await gateway.post('/runs', body, key);
    const deleted = await gateway.delete(`/runs/${run.id}`);
    expect(deleted).toMatchObject({ status: 200, body: { id: run.id, status: 'succeeded', output: run.output } });
    expect((await gateway.get(`/runs/${run.id}`)).status).toBe(404);
    expect((await gateway.get('/runs?metadata[order]=1')).body.data).toEqual([]);
    const replayed = await gateway.post('/runs', body, key);
    expect(replayed).toMatchObject({ status: 404, body: { error: { code: 'not_found', run_id: run.id } } });
    expect(gateway.sandbox.starts({ workflow: 'deleted' })).toHaveLength(1);
  });

  it('stays while the run goes on, and is nobody else’s to delete', async () => {
    const id = await gateway.begin({ provider: PROVIDER, workflow: 'slow-1000' });
    const refused = await gateway.delete(`/runs/${id}`);
    expect(refused).toMatchObject({ status: 409, body: { error: { code: 'run_not_ended', run_id: id } } });
    await gateway.end(id);
    expect((await (await gateway.client('runs')).delete(`/runs/${id}`)).status).toBe(404);
    expect((await (await gateway.client('viewer')).delete(`/runs/${id}`)).status).toBe(403);
    expect((await (await gateway.client('admin')).delete(`/runs/${id}`)).body).toMatchObject({ key: { name: 'test' } });
  });

  it('is found by what it was begun with', async () => {
    const before = new Date().toISOString();
    const fields = { tags: ['nightly'], metadata: { order: '7', plan: 'free' } };
    const { body: run } = await gateway.post('/runs', { provider: PROVIDER, workflow: 'found', ...fields });
    const found = async (query: string) =>
      (await gateway.get(`/runs?${query}`)).body.data.map(({ id }: { id: string }) => id);
    expect(await found('tag=nightly')).toEqual([run.id]);
    expect(await found('metadata[order]=7&metadata[plan]=free')).toEqual([run.id]);
    expect(await found('metadata[order]=7&metadata[plan]=paid')).toEqual([]);
    expect(await found(`workflow=found&created_after=${before}`)).toEqual([run.id]);
    expect(await found(`created_after=${run.created_at}&created_before=${run.created_at}`)).toContain(run.id);
    expect(await found('subject=user-1')).toEqual([]);
  });
});
