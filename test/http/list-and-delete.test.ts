import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunId } from '../../src/core/ids.ts';
import type { RenderedRun } from '../../src/runs/render-run.ts';
import { endedWell } from '../support/memory-runs.ts';
import { startRunsApp, type Envelope, type RunningApp } from '../support/runs-app.ts';

let app: RunningApp;
beforeEach(async () => void (app = await startRunsApp()));
afterEach(() => app[Symbol.asyncDispose]());

async function send(path: string, { key = 'runs', method = 'GET', body = null as object | null } = {}) {
  const headers = {
    authorization: `Bearer ${key}`,
    prefer: 'respond-async',
    ...(body && { 'content-type': 'application/json' }),
  };
  return fetch(app.url + path, { method, headers, body: body && JSON.stringify(body) });
}

async function begin(fields: object = {}, key = 'runs'): Promise<RunId> {
  const answer = await send('/runs', { key, method: 'POST', body: { provider: 'p', workflow: 'w', ...fields } });
  return ((await answer.json()) as { id: RunId }).id;
}

describe('GET /runs with filters', () => {
  async function found(query: string, key = 'runs'): Promise<string[]> {
    const answer = await send(`/runs?${query}`, { key });
    expect(answer.status).toBe(200);
    return ((await answer.json()) as { data: RenderedRun[] }).data.map(({ id }) => id);
  }

  beforeEach(() => app.runs.behave(endedWell(Date.now())));

  it('finds by tag', async () => {
    const one = await begin({ tags: ['a', 'b'] });
    await begin({ tags: ['ab'] });
    expect(await found('tag=a')).toEqual([one]);
  });

  it('finds by metadata, all pairs at once', async () => {
    const one = await begin({ metadata: { 'order id': '1', plan: 'free' } });
    const two = await begin({ metadata: { 'order id': '1', 'a]b[c': '' } });
    expect(await found('metadata[order%20id]=1')).toEqual([two, one]);
    expect(await found('metadata%5Border%20id%5D=1&metadata[plan]=free')).toEqual([one]);
    expect(await found('metadata[a]b[c]=')).toEqual([two]);
    expect(await found('metadata[constructor]=x')).toEqual([]);
  });

  it('finds by when the run was created, in any zone', async () => {
    const one = await begin();
    const at = Date.now();
    app.clock.offsetMs = 60_000;
    const two = await begin();
    const between = new Date(at + 30_000).toISOString();
    expect(await found(`created_after=${between}`)).toEqual([two]);
    expect(await found(`created_before=${between}`)).toEqual([one]);
    const elsewhere = `${new Date(at + 30_000 + 7_200_000).toISOString().slice(0, -1)}%2B02:00`;
    expect(await found(`created_after=${elsewhere}`)).toEqual([two]);
    expect(await found('created_after=9999-12-31T23:59:59Z')).toEqual([]);
    expect(await found('created_before=0001-01-01T00:00:00Z')).toEqual([]);
  });

  it('finds by subject within what the caller may see', async () => {
    const mine = await begin();
    app.runs.change(mine, { subject: 'user-1' });
    const other = await begin({}, 'other');
    app.runs.change(other, { subject: 'user-1' });
    expect(await found('subject=user-1')).toEqual([mine]);
    expect(await found('subject=user-1', 'admin')).toEqual([other, mine]);
    expect(await found('subject=user-2', 'admin')).toEqual([]);
  });
});

describe('DELETE /runs/{id}', () => {
  it('answers with the run one last time, and then it is gone', async () => {
    app.runs.behave(endedWell(Date.now()));
    const id = await begin();
    const answer = await send(`/runs/${id}`, { method: 'DELETE' });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ id, status: 'succeeded', output: { text: 'Once upon a time' } });
    expect((await send(`/runs/${id}`)).status).toBe(404);
    expect((await send(`/runs/${id}`, { method: 'DELETE' })).status).toBe(404);
  });

  it('refuses a run that has not ended', async () => {
    const id = await begin({ metadata: {} });
    app.runs.change(id, { status: 'waiting' });
    const answer = await send(`/runs/${id}`, { method: 'DELETE' });
    expect(answer.status).toBe(409);
    expect(((await answer.json()) as Envelope).error).toMatchObject({ code: 'run_not_ended', run_id: id });
    expect((await send(`/runs/${id}`)).status).toBe(200);
  });

  it.each([
    ['runs', 200],
    ['admin', 200],
    ['viewer', 403],
    ['other', 404],
    ['nobody', 401],
  ])('with a key of %s: %i', async (key, status) => {
    app.runs.behave(endedWell(Date.now()));
    const id = await begin();
    expect((await send(`/runs/${id}`, { key, method: 'DELETE' })).status).toBe(status);
  });

  it.each(['x', 'run_0', '%2e%2e', 'run_00000000000000000000000000'])('knows no run %s', async (id) => {
    expect((await send(`/runs/${id}`, { method: 'DELETE' })).status).toBe(404);
  });

  it('takes no body but an empty one', async () => {
    app.runs.behave(endedWell(Date.now()));
    const id = await begin();
    expect((await send(`/runs/${id}`, { method: 'DELETE', body: { force: true } })).status).toBe(400);
    expect((await send(`/runs/${id}`, { method: 'DELETE', body: {} })).status).toBe(200);
  });
});
