import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { Tracing } from '../../src/core/tracing.ts';
import type { RunsAppParts } from '../../src/http/runs-parts.ts';
import { memoryTracing } from '../support/memory-tracing.ts';
import { startRunsApp, type RunningApp } from '../support/runs-app.ts';

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const OWN = '00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01';

const ownTracing = () => memoryTracing(() => ({ traceparent: OWN, tracestate: null }));

async function post(app: RunningApp, body: object, headers: Record<string, string> = {}) {
  const answer = await fetch(`${app.url}/runs`, {
    method: 'POST',
    headers: { authorization: 'Bearer runs', 'content-type': 'application/json', connection: 'close', ...headers },
    body: JSON.stringify(body),
  });
  await answer.text();
  return answer;
}

/** The lines of requests, once all connections are gone. */
async function linesOf({ app, log }: RunningApp) {
  const closed = once(app.server, 'close');
  app.server.close();
  await closed;
  return log.filter(({ message }) => message === 'request answered');
}

const RUN = { provider: 'ai-tutor', workflow: 'wf_1', inputs: { text: 'a-marker' }, metadata: { note: 'a-marker' } };

describe('the line of a request', () => {
  it('has these fields and no other', async () => {
    await using app = await startRunsApp();
    await post(app, RUN, { traceparent: TRACEPARENT, prefer: 'respond-async', 'x-request-id': 'abc' });
    const [line] = await linesOf(app);
    expect(line).toEqual({
      level: 'info',
      message: 'request answered',
      fields: {
        request_id: 'abc',
        run_id: expect.stringMatching(/^run_/),
        trace_id: '0af7651916cd43dd8448eb211c80319c',
        key_id: 'key_runs',
        method: 'POST',
        route: '/runs',
        status: 202,
        code: null,
        ms: expect.any(Number),
      },
    });
  });

  it('names the error, the route and nothing of the query', async () => {
    await using app = await startRunsApp();
    const headers = { authorization: 'Bearer runs', connection: 'close' };
    await (await fetch(`${app.url}/runs/run_a-marker?x=a-marker`, { headers })).text();
    await (await fetch(`${app.url}/a-marker`, { headers })).text();
    await (await fetch(`${app.url}/runs`, { headers: { connection: 'close' } })).text();
    const lines = await linesOf(app);
    expect(lines.map(({ fields }) => [fields['route'], fields['status'], fields['code'], fields['key_id']])).toEqual([
      ['/runs/:id', expect.any(Number), expect.any(String), 'key_runs'],
      [null, 404, 'not_found', null],
      ['/runs', 401, 'unauthorized', null],
    ]);
    expect(JSON.stringify(lines)).not.toContain('a-marker');
  });
});

describe('the span of a request', () => {
  const traced = (tracing: Tracing) => ({ tracing }) as Partial<RunsAppParts>;

  it('continues the caller’s trace, and the run is told of it', async () => {
    const tracing = ownTracing();
    await using app = await startRunsApp(traced(tracing));
    const answer = await post(app, RUN, { traceparent: TRACEPARENT, tracestate: 'a=1', prefer: 'respond-async' });
    expect(answer.headers.get('traceparent')).toBe(OWN);
    const [line] = await linesOf(app);
    expect(tracing.spans).toEqual([
      {
        name: 'POST /runs',
        parent: { traceparent: TRACEPARENT, tracestate: 'a=1' },
        kind: 'server',
        attributes: { 'http.request.method': 'POST', 'http.route': '/runs' },
        set: {
          'rungate.run_id': line?.fields['run_id'],
          'rungate.key_id': 'key_runs',
          'http.response.status_code': 202,
        },
        ends: [null],
      },
    ]);
  });

  it('is no error where the caller was wrong, and has its word', async () => {
    const tracing = ownTracing();
    await using app = await startRunsApp(traced(tracing));
    await post(app, { workflow: 7 });
    await linesOf(app);
    expect(tracing.spans).toMatchObject([{ parent: null, set: { 'error.type': 'invalid_request' }, ends: [null] }]);
  });

  it('is not there for what anybody may ask', async () => {
    const tracing = ownTracing();
    await using app = await startRunsApp(traced(tracing));
    await (await fetch(`${app.url}/healthz`, { headers: { connection: 'close' } })).text();
    expect((await linesOf(app)).map(({ level }) => level)).toEqual(['debug']);
    expect(tracing.spans).toEqual([]);
  });
});
