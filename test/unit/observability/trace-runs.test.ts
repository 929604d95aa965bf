import { describe, expect, it } from 'vitest';
import { errorBody } from '../../../src/core/errors.ts';
import { NO_TRACING, type SpanStart, type Tracing } from '../../../src/core/tracing.ts';
import { spanIdFrom } from '../../../src/observability/span-ids.ts';
import { createRunTraces } from '../../../src/observability/trace-runs.ts';
import { attemptAt, endedRun, REQUEST_TRACE } from './runs.ts';

interface Told extends SpanStart {
  name: string;
  spanId: string;
  ended: { error: string | null | undefined; at: number | undefined } | null;
}

/** Keeps what it was told, with ids as the SDK would give them. */
function setUp() {
  const spans: Told[] = [];
  const tracing: Tracing = {
    enabled: true,
    start(name, options) {
      const span: Told = { name, ...options, spanId: spanIdFrom(options.idFrom ?? ''), ended: null };
      spans.push(span);
      const { traceparent = '', tracestate = null } = options.parent ?? {};
      return {
        context: { traceparent: `${traceparent.slice(0, 36)}${span.spanId}-01`, tracestate },
        set: () => undefined,
        end: (error, at) => void (span.ended = { error, at }),
      };
    },
  };
  return { spans, traces: createRunTraces({ tracing, workflowLabel: () => 'other' }) };
}

describe('the spans of a run', () => {
  it('are those that its calls were hung below', () => {
    const { spans, traces } = setUp();
    const attempts = [
      attemptAt(1_010, { state: 'not_begun', errorCode: 'upstream_rate_limited' }),
      attemptAt(1_200, { number: 2, provider: 'b3os' }),
    ];
    const run = endedRun({ attempts });
    const first = traces.contextOf({ ...run, attempts: attempts.slice(0, 1) });
    const second = traces.contextOf(run);
    traces.ended(run);

    expect(spans.map(({ name }) => name)).toEqual(['run', 'attempt', 'attempt']);
    const [runSpan, ...attemptSpans] = spans;
    expect(runSpan?.parent?.traceparent).toBe(REQUEST_TRACE);
    expect(attemptSpans.map(({ parent }) => parent?.traceparent.slice(36, 52))).toEqual([
      runSpan?.spanId,
      runSpan?.spanId,
    ]);
    expect([first, second].map((context) => context?.traceparent.slice(36, 52))).toEqual(
      attemptSpans.map(({ spanId }) => spanId),
    );
    expect(second?.tracestate).toBe('a=1');
  });

  it('have the times of its row: an attempt lasts until the next one, or the end', () => {
    const { spans, traces } = setUp();
    const attempts = [
      attemptAt(1_010, { state: 'not_begun', errorCode: 'upstream_rate_limited' }),
      attemptAt(1_200, { number: 2 }),
    ];
    const error = errorBody('run_timed_out', {});
    traces.ended(endedRun({ attempts, status: 'timed_out', error }));
    expect(spans.map(({ startedAt, ended }) => [startedAt, ended?.at, ended?.error])).toEqual([
      [1_000, 1_500, 'run_timed_out'],
      [1_010, 1_200, 'upstream_rate_limited'],
      [1_200, 1_500, 'run_timed_out'],
    ]);
  });

  it('hold nothing that a caller wrote', () => {
    const { spans, traces } = setUp();
    traces.ended(endedRun({ workflow: 'a-marker' }));
    expect(JSON.stringify(spans)).not.toMatch(/a-marker|wf_of_a_caller/);
  });

  it('are not there where the request is not traced, and its context goes on', () => {
    const { spans, traces } = setUp();
    const unsampled = { traceparent: REQUEST_TRACE.replace(/01$/, '00'), tracestate: null };
    for (const trace of [null, unsampled]) {
      const run = endedRun({ trace });
      expect(traces.contextOf(run)).toBe(trace);
      traces.ended(run);
    }
    const off = createRunTraces({ tracing: NO_TRACING, workflowLabel: () => 'other' });
    expect(off.contextOf(endedRun())?.traceparent).toBe(REQUEST_TRACE);
    expect(spans).toEqual([]);
  });
});
