import type { Settings } from '../config/load-settings.ts';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { TraceContext } from '../core/outbound.ts';
import { createMetrics, type Metrics, type MetricsParts } from '../observability/metrics.ts';
import { createRunLog } from '../observability/run-log.ts';
import { createRunTraces } from '../observability/trace-runs.ts';
import { openTracing, type OpenTracing } from '../observability/tracing.ts';
import { createWorkflowLabel } from '../observability/workflow-label.ts';
import type { Registry } from '../providers/registry.ts';
import type { Run } from '../runs/model.ts';
import type { RunObserver } from '../runs/observer.ts';
import type { Vault } from '../vault/credentials.ts';
import { VERSION } from './version.ts';

/** Everything that watches the gateway: metrics, the log's line for each run, traces. */
export interface Observation {
  observer: RunObserver;
  metrics: Metrics;
  tracing: OpenTracing;
  /** What calls of vendors for a run are traced below. */
  traceOf: (run: Run) => TraceContext | null;
  stop(): Promise<void>;
}

export interface ObservationParts extends Pick<MetricsParts, 'gauges' | 'storeStats'> {
  settings: Pick<Settings, 'traces'>;
  registry: () => Registry;
  vault: Pick<Vault, 'pool'>;
  clock: Pick<Clock, 'now'>;
  log: Log;
}

export async function observe({ settings, registry, vault, log, ...parts }: ObservationParts): Promise<Observation> {
  const tracing = await openTracing({ target: settings.traces, version: VERSION, log });
  const workflowLabel = createWorkflowLabel((name) => registry().workflow(name) !== null);
  const traces = createRunTraces({ tracing, workflowLabel });
  const runLog = createRunLog({ log, workflowLabel });
  const credentialStates = () => credentialStatesOf(vault, registry());
  const metrics = createMetrics({ ...parts, registry, credentialStates, version: VERSION });
  return {
    observer: {
      ...metrics.observer,
      ended(run) {
        metrics.observer.ended(run);
        runLog.ended(run);
        traces.ended(run);
      },
    },
    metrics,
    tracing,
    traceOf: (run) => traces.contextOf(run),
    async stop() {
      metrics.stop();
      await tracing.close();
    },
  };
}

/** Of every credential that new runs may use. */
async function credentialStatesOf(vault: Pick<Vault, 'pool'>, registry: Registry) {
  const pools = registry.providers().map(async (provider) => {
    return (await vault.pool(provider)).map(({ credential, state }) => {
      return { provider: provider.name, credentialId: credential.id, state: state.is };
    });
  });
  return (await Promise.all(pools)).flat();
}
