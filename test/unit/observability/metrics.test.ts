import { setTimeout as aMoment } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { errorBody } from '../../../src/core/errors.ts';
import { CHILDREN_MAX } from '../../../src/observability/metrics/definition.ts';
import type { Attempt, Run } from '../../../src/runs/model.ts';
import { readExposition, valueOf } from '../../support/exposition.ts';
import { AT, endedRun, QUIET, registryWith, startMetrics } from '../../support/metrics.ts';

const scrape = async (metrics: { render(): Promise<string> }) => readExposition(await metrics.render());

function attempt(at: number, changes: Partial<Attempt> = {}): Attempt {
  return {
    number: 1,
    step: 'start',
    provider: 'ai-tutor',
    kind: 'ai-tutor',
    origin: 'https://aitutor-api.vercel.app',
    credentialId: null,
    workflow: 'wf_abc123',
    at,
    state: 'began',
    errorCode: null,
    ...changes,
  };
}

const failed = (code: 'outcome_unknown' | 'workflow_failed'): Partial<Run> => ({
  status: 'failed',
  error: errorBody(code),
});

describe('runs', () => {
  it('are counted by provider, workflow, status and code', async () => {
    using metrics = startMetrics();
    metrics.observer.ended(endedRun());
    metrics.observer.ended(endedRun());
    metrics.observer.ended(endedRun(failed('workflow_failed')));
    const seen = await scrape(metrics);
    const labels = { provider: 'ai-tutor', workflow: 'summarize-ticket' };
    expect(valueOf(seen, 'rungate_runs_total', { ...labels, status: 'succeeded', code: 'none' })).toBe(2);
    expect(valueOf(seen, 'rungate_runs_total', { ...labels, status: 'failed', code: 'workflow_failed' })).toBe(1);
  });

  it('count as other where the workflow is not registered, or the provider is no longer configured', async () => {
    using metrics = startMetrics();
    metrics.observer.ended(endedRun({ workflow: 'wf_the_vendors_own_id' }));
    metrics.observer.ended(endedRun({ provider: 'removed' }));
    const seen = await scrape(metrics);
    expect(valueOf(seen, 'rungate_runs_total', { provider: 'ai-tutor', workflow: 'other' })).toBe(1);
    expect(valueOf(seen, 'rungate_runs_total', { provider: 'other' })).toBe(1);
    expect(await metrics.render()).not.toMatch(/wf_the_vendors_own_id|removed/);
  });

  it('have a time in the gateway, up to the last start that was sent, and one at the vendor', async () => {
    using metrics = startMetrics();
    const attempts = [
      attempt(AT + 100, { state: 'not_begun' }),
      attempt(AT + 4000, { step: 'token' }),
      attempt(AT + 5000),
    ];
    metrics.observer.ended(endedRun({ attempts, finishedAt: AT + 30_000 }));
    const seen = await scrape(metrics);
    expect(valueOf(seen, 'rungate_run_gateway_seconds_sum')).toBe(5);
    expect(valueOf(seen, 'rungate_run_vendor_seconds_sum')).toBe(25);
  });

  it('have no time at the vendor where nothing was sent', async () => {
    using metrics = startMetrics();
    metrics.observer.ended(endedRun({ ...failed('workflow_failed'), attempts: [], finishedAt: AT + 2000 }));
    const seen = await scrape(metrics);
    expect(valueOf(seen, 'rungate_run_gateway_seconds_sum')).toBe(2);
    expect(valueOf(seen, 'rungate_run_vendor_seconds_count')).toBeNull();
  });

  it('are counted though the wall clock went back', async () => {
    using metrics = startMetrics();
    metrics.observer.ended(endedRun({ attempts: [attempt(AT - 9000)], finishedAt: AT - 10_000 }));
    const seen = await scrape(metrics);
    expect(valueOf(seen, 'rungate_run_gateway_seconds_sum')).toBe(0);
    expect(valueOf(seen, 'rungate_run_vendor_seconds_sum')).toBe(0);
  });

  it('of unknown outcome have a zero for every provider, so that the first of them is an increase', async () => {
    using metrics = startMetrics();
    const outcomes = { provider: 'ai-tutor' };
    expect(valueOf(await scrape(metrics), 'rungate_outcomes_unknown_total', outcomes)).toBe(0);
    metrics.observer.ended(endedRun(failed('outcome_unknown')));
    expect(valueOf(await scrape(metrics), 'rungate_outcomes_unknown_total', outcomes)).toBe(1);
  });

  it('are counted when they are refused, sent again, or too late', async () => {
    using metrics = startMetrics();
    metrics.observer.refused('overloaded');
    metrics.observer.triedAgain(endedRun(), 'upstream_rate_limited', 'credential');
    metrics.observer.dropped(endedRun());
    const seen = await scrape(metrics);
    expect(valueOf(seen, 'rungate_runs_refused_total', { code: 'overloaded' })).toBe(1);
    expect(valueOf(seen, 'rungate_runs_refused_total', { code: 'store_unavailable' })).toBe(0);
    const again = { provider: 'ai-tutor', code: 'upstream_rate_limited', to: 'credential' };
    expect(valueOf(seen, 'rungate_run_retries_total', again)).toBe(1);
    expect(valueOf(seen, 'rungate_late_results_dropped_total', { provider: 'ai-tutor' })).toBe(1);
  });
});

describe('calls, requests and commits', () => {
  it('are counted by the hundred of their status, and by what was asked', async () => {
    using metrics = startMetrics();
    for (const status of [200, 202, 429, 529, 999, null]) {
      metrics.observer.called({ provider: 'b3os', operation: 'poll', status, durationMs: 40 });
    }
    const seen = await scrape(metrics);
    const counted = ['2xx', '4xx', '5xx', 'none'].map((status_class) =>
      valueOf(seen, 'rungate_vendor_calls_total', { provider: 'b3os', operation: 'poll', status_class }),
    );
    expect(counted).toEqual([2, 1, 1, 2]);
    expect(valueOf(seen, 'rungate_vendor_call_seconds_count', { provider: 'b3os' })).toBe(6);
  });

  it('fill buckets that add up', async () => {
    using metrics = startMetrics();
    for (const ms of [1, 3, 40, 40, 700_000]) metrics.request({ route: '/runs', method: 'POST', status: 200, ms });
    const { samples = [] } = (await scrape(metrics)).get('rungate_http_request_seconds') ?? {};
    const buckets = samples.filter(({ name }) => name.endsWith('_bucket')).map(({ value }) => value);
    expect(buckets).toEqual(buckets.toSorted((a, b) => a - b));
    expect([buckets[0], buckets.at(-2), buckets.at(-1)]).toEqual([1, 4, 5]);
    expect(samples.find(({ name }) => name.endsWith('_sum'))?.value).toBeCloseTo(700.084);
  });

  it('keep requests that fit no route, and methods that no route has, apart', async () => {
    using metrics = startMetrics();
    metrics.request({ route: null, method: 'PROPFIND', status: 404, ms: 1 });
    metrics.request({ route: '/runs/:id', method: 'GET', status: null, ms: 1 });
    const seen = await scrape(metrics);
    const name = 'rungate_http_requests_total';
    expect(valueOf(seen, name, { route: 'none', method: 'other', status_class: '4xx' })).toBe(1);
    expect(valueOf(seen, name, { route: '/runs/:id', method: 'GET', status_class: 'none' })).toBe(1);
  });

  it('tell the size and the time of a commit', async () => {
    using metrics = startMetrics();
    metrics.storeObserver.committed({ operations: 12, ms: 4 });
    const seen = await scrape(metrics);
    expect(valueOf(seen, 'rungate_store_commit_operations_bucket', { le: '8' })).toBe(0);
    expect(valueOf(seen, 'rungate_store_commit_operations_bucket', { le: '16' })).toBe(1);
    expect(valueOf(seen, 'rungate_store_commit_seconds_sum')).toBe(0.004);
  });
});

describe('what is true at the moment', () => {
  it('is asked for at each scrape', async () => {
    let queued = 3;
    using metrics = startMetrics({
      gauges: () => ({ ...QUIET, startsInFlight: 2, queued }),
      storeStats: () => ({ queuedOperations: 7 }),
    });
    const first = await scrape(metrics);
    expect(valueOf(first, 'rungate_starts_in_flight')).toBe(2);
    expect(valueOf(first, 'rungate_runs_queued')).toBe(3);
    expect(valueOf(first, 'rungate_store_queue_operations')).toBe(7);
    queued = 0;
    expect(valueOf(await scrape(metrics), 'rungate_runs_queued')).toBe(0);
  });

  it('says of each credential in which state it and its breaker are, and nothing of removed ones', async () => {
    const one = { provider: 'ai-tutor', credentialId: 'cred_1' };
    const gone = { provider: 'ai-tutor', credentialId: 'cred_gone' };
    using metrics = startMetrics({
      credentialStates: async () => [{ ...one, state: 'set_aside' }],
      gauges: () => ({
        ...QUIET,
        breakers: [
          { ...one, state: 'half_open' },
          { ...gone, state: 'open' },
        ],
        allowances: [
          { ...one, remaining: 41 },
          { ...gone, remaining: 0 },
        ],
      }),
    });
    const seen = await scrape(metrics);
    const labels = { provider: 'ai-tutor', credential: 'cred_1' };
    expect(valueOf(seen, 'rungate_breaker_state', labels)).toBe(1);
    expect(valueOf(seen, 'rungate_vendor_allowance_remaining', labels)).toBe(41);
    const states = ['usable', 'resting', 'set_aside'].map((state) =>
      valueOf(seen, 'rungate_credential_state', { ...labels, state }),
    );
    expect(states).toEqual([0, 0, 1]);
    expect(await metrics.render()).not.toContain('cred_gone');
  });

  it('forgets a breaker that is no longer told of', async () => {
    let breakers = [{ provider: 'b3os', credentialId: 'c', state: 'open' as const }];
    using metrics = startMetrics({
      credentialStates: async () => [{ provider: 'b3os', credentialId: 'c', state: 'usable' }],
      gauges: () => ({ ...QUIET, breakers }),
    });
    expect(valueOf(await scrape(metrics), 'rungate_breaker_state')).toBe(2);
    breakers = [];
    expect(valueOf(await scrape(metrics), 'rungate_breaker_state')).toBeNull();
  });

  it('tells of the process and what it is', async () => {
    using metrics = startMetrics();
    const seen = await scrape(metrics);
    expect(valueOf(seen, 'rungate_build_info', { version: '1.2.3', node: process.version })).toBe(1);
    expect(valueOf(seen, 'process_cpu_seconds_total')).toBeGreaterThan(0);
    expect(valueOf(seen, 'process_resident_memory_bytes')).toBeGreaterThan(1_000_000);
    const startedAt = (valueOf(seen, 'process_start_time_seconds') ?? 0) * 1000;
    expect(Math.abs(Date.now() - process.uptime() * 1000 - startedAt)).toBeLessThan(2000);
    const later = valueOf(await scrape(metrics), 'process_cpu_seconds_total') ?? 0;
    expect(later).toBeGreaterThanOrEqual(valueOf(seen, 'process_cpu_seconds_total') ?? Infinity);
  });

  it('sees how long the event loop was held', async () => {
    using metrics = startMetrics();
    // It is measured from one tick of its own to the next, so there has to be one before and one after.
    await vi.waitFor(async () => {
      await aMoment(60);
      const until = performance.now() + 200;
      while (performance.now() < until);
      await aMoment(60);
      const seen = await scrape(metrics);
      expect(valueOf(seen, 'rungate_event_loop_lag_seconds', { stat: 'max' })).toBeGreaterThan(0.1);
    });
    await aMoment(60);
    const later = valueOf(await scrape(metrics), 'rungate_event_loop_lag_seconds', { stat: 'p50' });
    expect(later).toBeLessThan(0.1);
  });
});

describe('the series', () => {
  it('stay within their bound, and those beyond count as other', async () => {
    const names = Array.from({ length: CHILDREN_MAX.counter + 200 }, (_, i) => `workflow-${i}`);
    const registry = registryWith(...names);
    using metrics = startMetrics({ registry: () => registry });
    for (const workflow of names) metrics.observer.ended(endedRun({ workflow }));
    metrics.observer.ended(endedRun({ workflow: 'workflow-0' }));
    const seen = await scrape(metrics);
    const runs = seen.get('rungate_runs_total')?.samples ?? [];
    expect(runs).toHaveLength(CHILDREN_MAX.counter + 1);
    expect(valueOf(seen, 'rungate_runs_total', { workflow: 'workflow-0' })).toBe(2);
    expect(valueOf(seen, 'rungate_runs_total', { workflow: 'other', provider: 'other', status: 'succeeded' })).toBe(
      200,
    );
    const counts = (seen.get('rungate_run_gateway_seconds')?.samples ?? []).filter(({ name }) =>
      name.endsWith('_count'),
    );
    expect(counts).toHaveLength(CHILDREN_MAX.histogram + 1);
    expect(counts.reduce((sum, { value }) => sum + value, 0)).toBe(names.length + 1);
  });
});

describe('scrapes at the same time', () => {
  it('share one text', async () => {
    using metrics = startMetrics();
    const [first, second] = await Promise.all([metrics.render(), metrics.render()]);
    expect(first).toBe(second);
    expect(await metrics.render()).not.toBe(first);
  });
});
