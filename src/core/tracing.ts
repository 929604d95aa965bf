import type { TraceContext } from './outbound.ts';

/** Small values that say what a span is about; never a secret, a body or a caller's text. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

export interface SpanStart {
  /** W3C context of the span above; null: a trace of its own. */
  parent: TraceContext | null;
  attributes?: SpanAttributes;
  /** Milliseconds since 1970; default: now. */
  startedAt?: number;
  kind?: 'server' | 'client' | 'internal';
  /** A span that other processes and later moments hang theirs below: its id follows from this text. */
  idFrom?: string;
}

export interface Span {
  /** What spans below it, and vendors, are told. Where nothing is traced: the parent's. */
  readonly context: TraceContext | null;
  set(attributes: SpanAttributes): void;
  /** `error`: a constant word, such as a code of the catalogue; null where it went well. `at`: milliseconds since 1970; default: now. */
  end(error?: string | null, at?: number): void;
}

/** The tracing port. Where no endpoint is configured it costs next to nothing. */
export interface Tracing {
  readonly enabled: boolean;
  start(name: string, options: SpanStart): Span;
}

/** Traces nothing, and passes on what callers say of their own traces. */
export const NO_TRACING: Tracing = {
  enabled: false,
  start: (_name, { parent }) => ({ context: parent, set() {}, end() {} }),
};

/** The trace's id, for logs; null where there is none. */
export function traceIdOf(trace: TraceContext | null): string | null {
  return trace === null ? null : trace.traceparent.slice(3, 35);
}
