import { describe, expect, it, onTestFinished } from 'vitest';
import type { LogFields } from '../../../src/core/log.ts';
import { spanIdFrom } from '../../../src/observability/span-ids.ts';
import { openTracing, type TraceTarget } from '../../../src/observability/tracing.ts';
import { startCollector } from '../../support/traces.ts';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const PARENT = { traceparent: `00-${TRACE_ID}-b7ad6b7169203331-01`, tracestate: 'a=1' };
const UNSAMPLED = { ...PARENT, traceparent: PARENT.traceparent.replace(/01$/, '00') };

async function setUp(sampler: TraceTarget['sampler'] = { name: 'parentbased_always_on', ratio: 1 }) {
  const collector = await startCollector();
  onTestFinished(() => collector[Symbol.asyncDispose]());
  const logged: LogFields[] = [];
  const target = { url: `${collector.origin}/v1/traces`, headers: {}, resource: { 'service.name': 'x' }, sampler };
  const log = { warn: (fields: LogFields) => void logged.push(fields) };
  return { collector, logged, tracing: await openTracing({ target, version: '9.9.9', log }) };
}

describe('tracing', () => {
  it('is off without a target, and passes the caller’s context on', async () => {
    const tracing = await openTracing({ target: null, version: '9.9.9', log: { warn: () => undefined } });
    const span = tracing.start('x', { parent: PARENT });
    span.set({ a: 1 });
    span.end('b');
    expect([tracing.enabled, span.context]).toEqual([false, PARENT]);
    await tracing.close();
  });

  it('gives a span the id that follows from a text, and others ids of their own', async () => {
    const { collector, tracing } = await setUp();
    const named = tracing.start('named', { parent: PARENT, idFrom: 'run_1' });
    const other = tracing.start('other', { parent: named.context, attributes: { a: 1, b: true, c: 'd' } });
    other.end('upstream_timeout');
    named.end();
    await tracing.close();
    expect(named.context).toEqual({ traceparent: `00-${TRACE_ID}-${spanIdFrom('run_1')}-01`, tracestate: 'a=1' });
    expect(collector.spans).toEqual([
      expect.objectContaining({
        name: 'other',
        parentSpanId: spanIdFrom('run_1'),
        error: 'upstream_timeout',
        attributes: { a: 1, b: true, c: 'd', 'error.type': 'upstream_timeout' },
      }),
      expect.objectContaining({ name: 'named', parentSpanId: 'b7ad6b7169203331', error: null }),
    ]);
  });

  it('takes times of the past as they are', async () => {
    const { collector, tracing } = await setUp();
    tracing.start('old', { parent: PARENT, startedAt: 1_700_000_000_000 }).end(null, 1_700_000_002_500);
    await tracing.close();
    expect(collector.spans[0]).toMatchObject({ startMs: 1_700_000_000_000, endMs: 1_700_000_002_500 });
  });

  it.each([
    ['parentbased_always_on', 1, ['root', 'sampled']],
    ['parentbased_always_off', 1, ['sampled']],
    ['parentbased_traceidratio', 0, ['sampled']],
    ['always_on', 1, ['root', 'sampled', 'unsampled']],
    ['always_off', 1, []],
    ['traceidratio', 0, []],
    ['traceidratio', 1, ['root', 'sampled', 'unsampled']],
  ] as const)('with %s (%d) sends %j', async (name, ratio, sent) => {
    const { collector, tracing } = await setUp({ name, ratio });
    const contexts = Object.entries({ root: null, sampled: PARENT, unsampled: UNSAMPLED }).map(([span, parent]) => {
      const started = tracing.start(span, { parent });
      started.end();
      return [span, started.context?.traceparent.slice(53)] as const;
    });
    await tracing.close();
    expect(collector.spans.map((span) => span.name)).toEqual(sent);
    expect(contexts.filter(([, flags]) => flags === '01').map(([span]) => span)).toEqual(sent);
  });

  it('loses spans and says so once where the collector takes none, however many come', async () => {
    const { collector, logged, tracing } = await setUp();
    await collector[Symbol.asyncDispose]();
    for (let i = 0; i < 10_000; i++) tracing.start('x', { parent: PARENT }).end();
    await tracing.close();
    expect(logged).toEqual([{ spans: expect.any(Number), reason: expect.any(String) }]);
  });
});
