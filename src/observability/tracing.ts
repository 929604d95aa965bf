import type { Log } from '../core/log.ts';
import type { Secret } from '../core/secret.ts';
import { NO_TRACING, type Tracing } from '../core/tracing.ts';

/** OpenTelemetry's names. */
export type SamplerName =
  | 'always_on'
  | 'always_off'
  | 'traceidratio'
  | 'parentbased_always_on'
  | 'parentbased_always_off'
  | 'parentbased_traceidratio';

/** Where spans go, and which. */
export interface TraceTarget {
  /** Spans are posted there, as OTLP in JSON. */
  url: string;
  headers: Readonly<Record<string, Secret>>;
  /** What says in the backend whose spans they are: `service.name` and others. */
  resource: Readonly<Record<string, string>>;
  /** `ratio`: the share that the two of that name take. */
  sampler: { name: SamplerName; ratio: number };
}

export interface OpenTracing extends Tracing {
  /** Sends what has gathered, for some seconds at most. */
  close(): Promise<void>;
}

/**
 * Tracing to an OpenTelemetry collector; null: none. The SDK is loaded only where there is one: it is 240 modules,
 * a tenth of a second and 23 MB of memory that most gateways need not have.
 */
export async function openTracing({
  target,
  version,
  log,
}: {
  target: TraceTarget | null;
  /** Of this program. */
  version: string;
  log: Pick<Log, 'warn'>;
}): Promise<OpenTracing> {
  if (target === null) return { ...NO_TRACING, close: async () => undefined };
  const { createSdkTracing } = await import('./tracing-sdk.ts');
  return createSdkTracing({ target, version, log });
}
