import type { MetricDefinition } from './metrics/definition.ts';
import { PROCESS_METRICS } from './metrics/process-metrics.ts';
import { RUN_METRICS } from './metrics/run-metrics.ts';
import { VENDOR_METRICS } from './metrics/vendor-metrics.ts';

/** Every metric there is. The alert rules, the dashboard and `docs/metrics.md` are generated from it. */
export const METRIC_GROUPS = [
  { title: 'Runs', metrics: RUN_METRICS },
  { title: 'Vendors', metrics: VENDOR_METRICS },
  { title: 'The process', metrics: PROCESS_METRICS },
] as const satisfies readonly { title: string; metrics: Readonly<Record<string, MetricDefinition>> }[];

const [runs, vendors, itself] = METRIC_GROUPS;

/** The same, each by its own name in the code. */
export const METRICS = { ...runs.metrics, ...vendors.metrics, ...itself.metrics } as const;
