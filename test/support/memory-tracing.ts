import type { TraceContext } from '../../src/core/outbound.ts';
import type { SpanAttributes, SpanStart, Tracing } from '../../src/core/tracing.ts';

export interface SeenSpan extends SpanStart {
  name: string;
  set: SpanAttributes;
  ends: (string | null | undefined)[];
}

/** Keeps the spans that were begun; `contextOf` says what each is known as below it. */
export function memoryTracing(contextOf: (options: SpanStart) => TraceContext): Tracing & { spans: SeenSpan[] } {
  const spans: SeenSpan[] = [];
  return {
    enabled: true,
    spans,
    start(name, options) {
      const span: SeenSpan = { name, ...options, set: {}, ends: [] };
      spans.push(span);
      return {
        context: contextOf(options),
        set: (attributes) => void (span.set = { ...span.set, ...attributes }),
        end: (error) => void span.ends.push(error),
      };
    },
  };
}
