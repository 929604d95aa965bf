import type { SpanExporter } from '@opentelemetry/sdk-trace';
import type { Log } from '../core/log.ts';

/** OpenTelemetry's `ExportResultCode.SUCCESS`, whose package is none of ours. */
const SUCCESS: number = 0;
/** A collector that is down is told of once in so long, with everything that was lost since. */
const TELL_EVERY_MS = 60_000;

/** The same exporter, which tells the log of spans that did not arrive. */
export function tellOfLosses(exporter: SpanExporter, log: Pick<Log, 'warn'>): SpanExporter {
  let lost = 0;
  let tellAgainAt = 0;

  function tell(spans: number, error: unknown): void {
    lost += spans;
    const now = performance.now();
    if (now < tellAgainAt) return;
    log.warn({ spans: lost, reason: reasonOf(error) }, 'spans could not be sent to the collector');
    lost = 0;
    tellAgainAt = now + TELL_EVERY_MS;
  }

  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const code: number = result.code;
        if (code !== SUCCESS) tell(spans.length, result.error);
        done(result);
      });
    },
    forceFlush: async () => exporter.forceFlush?.(),
    shutdown: () => exporter.shutdown(),
  };
}

/** A status or a system's code alone: the error also carries the collector's answer. */
function reasonOf(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  const { code } = error as { code?: unknown };
  return typeof code === 'number' || typeof code === 'string' ? String(code) : error.name;
}
