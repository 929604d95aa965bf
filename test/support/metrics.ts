import { systemClock } from '../../src/core/clock.ts';
import { createMetrics, type Metrics, type MetricsParts } from '../../src/observability/metrics.ts';
import { createRegistry, type RegisteredWorkflow, type Registry } from '../../src/providers/registry.ts';
import { PROVIDER_KINDS } from '../../src/providers/catalog.generated.ts';
import { firstRunIdAt } from '../../src/core/ids.ts';
import type { Run } from '../../src/runs/model.ts';
import type { EngineGauges } from '../../src/runs/observer.ts';
import { newRun } from '../contract/store/sample-run.ts';

export const QUIET: EngineGauges = {
  startsInFlight: 0,
  readsInFlight: 0,
  queued: 0,
  unfinished: 0,
  waiting: 0,
  followers: 0,
  deliveriesInFlight: 0,
  breakers: [],
  allowances: [],
};

/** Every kind is a provider of its name; the workflows are registered for AI Tutor. */
export function registryWith(...workflows: readonly string[]): Registry {
  const register = (name: string): RegisteredWorkflow => ({
    name,
    targets: [{ provider: 'ai-tutor', workflow: 'wf_1', weight: 1 }],
    stickyBy: null,
    fallbacks: [],
    description: null,
    inputs: null,
    validateInputs: () => null,
    defaults: {},
    timeoutS: null,
  });
  return createRegistry({ kinds: PROVIDER_KINDS, providers: {}, workflows: workflows.map(register) });
}

/** Metrics of an engine that does nothing, but for what is changed. */
export function startMetrics(changes: Partial<MetricsParts> = {}): Metrics & Disposable {
  const registry = registryWith('summarize-ticket');
  const metrics = createMetrics({
    clock: systemClock,
    registry: () => registry,
    gauges: () => QUIET,
    credentialStates: async () => [],
    storeStats: () => ({ queuedOperations: 0 }),
    version: '1.2.3',
    ...changes,
  });
  return { ...metrics, [Symbol.dispose]: () => metrics.stop() };
}

/** A run that was created at `AT` and has ended. */
export const AT = 1_790_000_000_000;
export function endedRun(changes: Partial<Run> = {}): Run {
  const {
    inputs: _inputs,
    events: _events,
    dueInMs: _dueInMs,
    countedStart: _counted,
    ...run
  } = newRun(firstRunIdAt(AT), AT);
  return {
    ...run,
    version: 2,
    seq: 3,
    status: 'succeeded',
    finishedAt: AT + 1000,
    owner: null,
    dueAt: null,
    ...changes,
  };
}
