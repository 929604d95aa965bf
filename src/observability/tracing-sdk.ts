import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Context, type Tracer } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  RandomIdGenerator,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type IdGenerator,
  type Sampler,
} from '@opentelemetry/sdk-trace';
import type { Log } from '../core/log.ts';
import type { TraceContext } from '../core/outbound.ts';
import type { SpanStart } from '../core/tracing.ts';
import { spanIdFrom } from './span-ids.ts';
import { tellOfLosses } from './tell-of-losses.ts';
import type { OpenTracing, TraceTarget } from './tracing.ts';

/** Spans that wait to be sent; further ones are dropped. */
const QUEUE_MAX = 4_096;
const BATCH_MAX = 512;
/** Spans are sent this often, or when a batch is full. */
const GATHER_MS = 2_000;
/** For one batch, tries in. At the end of the process everything is sent at once, so it also bounds the last flush. */
const EXPORT_MS = 5_000;

const KINDS = { server: SpanKind.SERVER, client: SpanKind.CLIENT, internal: SpanKind.INTERNAL } as const;
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/**
 * Tracing by OpenTelemetry's SDK. Parents are given, never found in a global context: nothing is registered globally,
 * so nothing is traced that this program does not trace itself, the exporter's own calls least of all.
 */
export function createSdkTracing({
  target,
  version,
  log,
}: {
  target: TraceTarget;
  version: string;
  log: Pick<Log, 'warn'>;
}): OpenTracing {
  const ids = new GivenIds();
  const headers = Object.fromEntries(Object.entries(target.headers).map(([name, value]) => [name, value.open()]));
  const exporter = tellOfLosses(new OTLPTraceExporter({ url: target.url, headers, timeoutMillis: EXPORT_MS }), log);
  const processor = new BatchSpanProcessor({
    exporter,
    maxQueueSize: QUEUE_MAX,
    maxExportBatchSize: BATCH_MAX,
    scheduledDelayMillis: GATHER_MS,
    exportTimeoutMillis: EXPORT_MS,
  });
  const provider = new TracerProvider({
    resource: defaultResource().merge(resourceFromAttributes({ 'service.version': version, ...target.resource })),
    sampler: samplerOf(target.sampler),
    idGenerator: ids,
    spanProcessors: [processor],
  });
  const tracer = provider.getTracer('rungate', version);
  return {
    enabled: true,
    start: (name, options) => startSpan({ tracer, ids }, name, options),
    async close() {
      const timer = AbortSignal.timeout(EXPORT_MS);
      const late = new Promise<void>((resolve) => timer.addEventListener('abort', () => resolve(), { once: true }));
      // A batch that could not be sent has been told of.
      await Promise.race([provider.shutdown().catch(() => undefined), late]);
    },
  };
}

function startSpan({ tracer, ids }: { tracer: Tracer; ids: GivenIds }, name: string, options: SpanStart) {
  const { parent, kind = 'internal', attributes = {}, startedAt, idFrom } = options;
  ids.next = idFrom === undefined ? null : spanIdFrom(idFrom);
  const started = startedAt === undefined ? {} : { startTime: startedAt };
  const span = tracer.startSpan(name, { kind: KINDS[kind], attributes, ...started }, contextOf(parent));
  ids.next = null;
  const { traceId, spanId, traceFlags } = span.spanContext();
  const flags = traceFlags.toString(16).padStart(2, '0');
  return {
    context: { traceparent: `00-${traceId}-${spanId}-${flags}`, tracestate: parent?.tracestate ?? null },
    set: (more: Readonly<Record<string, string | number | boolean>>) => void span.setAttributes(more),
    end(error: string | null = null, at?: number) {
      if (error !== null)
        span.setAttribute('error.type', error).setStatus({ code: SpanStatusCode.ERROR, message: error });
      span.end(at);
    },
  };
}

function contextOf(parent: TraceContext | null): Context {
  const [, traceId, spanId, flags] = parent === null ? [] : (TRACEPARENT.exec(parent.traceparent) ?? []);
  if (traceId === undefined || spanId === undefined || flags === undefined) return ROOT_CONTEXT;
  const traceFlags = Number.parseInt(flags, 16) & 1;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}

function samplerOf({ name, ratio }: TraceTarget['sampler']): Sampler {
  switch (name) {
    case 'always_on':
      return new AlwaysOnSampler();
    case 'always_off':
      return new AlwaysOffSampler();
    case 'traceidratio':
      return new TraceIdRatioBasedSampler(ratio);
    case 'parentbased_always_on':
      return new ParentBasedSampler({ root: new AlwaysOnSampler() });
    case 'parentbased_always_off':
      return new ParentBasedSampler({ root: new AlwaysOffSampler() });
    case 'parentbased_traceidratio':
      return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) });
  }
}

/** Random ids, but for a span whose id is set just before it is started. */
class GivenIds implements IdGenerator {
  next: string | null = null;
  readonly #random = new RandomIdGenerator();

  generateTraceId(): string {
    return this.#random.generateTraceId();
  }

  generateSpanId(): string {
    return this.next ?? this.#random.generateSpanId();
  }
}
