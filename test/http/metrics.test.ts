import { describe, expect, it } from 'vitest';
import { startAdminApp } from '../support/admin-app.ts';
import { readExposition, valueOf } from '../support/exposition.ts';
import { startMetrics } from '../support/metrics.ts';

/** As Prometheus 3 sends it. */
const SCRAPER_ACCEPTS =
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,' +
  'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2';

async function startAdmin() {
  const metrics = startMetrics();
  const running = await startAdminApp(undefined, { metrics });
  return {
    metrics,
    state: running.state,
    scrape: (key: string, headers: Record<string, string> = {}, method = 'GET') =>
      fetch(`${running.url}/metrics`, { method, headers: { authorization: `Bearer ${key}`, ...headers } }),
    async [Symbol.asyncDispose]() {
      metrics.stop();
      await running[Symbol.asyncDispose]();
    },
  };
}

describe('GET /metrics', () => {
  it.each(['viewer', 'admin'])('answers role %s in the text form that Prometheus reads', async (key) => {
    await using admin = await startAdmin();
    admin.metrics.observer.refused('overloaded');
    const answer = await admin.scrape(key, { accept: SCRAPER_ACCEPTS });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([
      200,
      'text/plain; version=0.0.4; charset=utf-8',
    ]);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const seen = readExposition(await answer.text());
    expect(valueOf(seen, 'rungate_runs_refused_total', { code: 'overloaded' })).toBe(1);
  });

  it('is for operators alone', async () => {
    await using admin = await startAdmin();
    expect((await admin.scrape('runs')).status).toBe(403);
    expect((await admin.scrape('nobody')).status).toBe(401);
  });

  it('still answers while the process drains', async () => {
    await using admin = await startAdmin();
    admin.state.unready = 'draining';
    expect((await admin.scrape('viewer')).status).toBe(200);
  });

  it('is given to who asks for text, and not to who wants something else', async () => {
    await using admin = await startAdmin();
    const status = async (accept: string) => (await admin.scrape('viewer', { accept })).status;
    expect([await status('text/plain'), await status('text/plain; version=0.0.4')]).toEqual([200, 200]);
    expect(await status('application/json')).toBe(406);
  });

  it('takes HEAD, and no other method', async () => {
    await using admin = await startAdmin();
    expect((await admin.scrape('viewer', {}, 'HEAD')).status).toBe(200);
    const refused = await admin.scrape('viewer', {}, 'POST');
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });
});
