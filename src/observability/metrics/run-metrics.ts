import type { MetricDefinition } from './definition.ts';

const GATEWAY_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const VENDOR_SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600];

/** What becomes of runs, and what there is to do. */
export const RUN_METRICS = {
  runs: {
    name: 'rungate_runs_total',
    type: 'counter',
    unit: 'count',
    help: 'Runs whose end this process has written.',
    labels: ['provider', 'workflow', 'status', 'code'],
    alerts: [
      {
        name: 'RungateRunsFail',
        expr:
          'sum by (provider) (rate(rungate_runs_total{status=~"failed|timed_out"}[15m])) ' +
          '/ sum by (provider) (rate(rungate_runs_total[15m])) > 0.2 ' +
          'and sum by (provider) (increase(rungate_runs_total[15m])) > 20',
        for: '10m',
        severity: 'warning',
        summary: 'More than a fifth of the runs at {{ $labels.provider }} fail.',
        action: 'Look at their codes on the dashboard, and at the vendor.',
      },
    ],
    panels: [
      {
        title: 'Runs ended',
        unit: 'ops',
        queries: [
          {
            expr: 'sum by (status) (rate(rungate_runs_total{provider=~"$provider"}[$__rate_interval]))',
            legend: '{{status}}',
          },
        ],
      },
      {
        title: 'Runs that failed, by code',
        unit: 'ops',
        queries: [
          {
            expr: 'sum by (provider, code) (rate(rungate_runs_total{provider=~"$provider", code!="none"}[$__rate_interval]))',
            legend: '{{provider}} {{code}}',
          },
        ],
      },
    ],
  },
  outcomesUnknown: {
    name: 'rungate_outcomes_unknown_total',
    type: 'counter',
    unit: 'count',
    help: 'Runs that ended as outcome_unknown: nobody can tell whether the vendor began them.',
    labels: ['provider'],
    alerts: [
      {
        name: 'RungateOutcomeUnknown',
        expr: 'increase(rungate_outcomes_unknown_total[15m]) > 0',
        for: '0m',
        severity: 'warning',
        summary: 'Nobody can tell whether some runs at {{ $labels.provider }} began.',
        action: 'Look at the vendor, and write down what you found with `rungate runs resolve`.',
      },
    ],
  },
  gatewaySeconds: {
    name: 'rungate_run_gateway_seconds',
    type: 'histogram',
    unit: 's',
    help: 'From a run’s creation until its last start was sent; all of its life where none was.',
    labels: ['provider', 'workflow'],
    buckets: GATEWAY_SECONDS,
    panels: [
      {
        title: 'Time in the gateway before the start',
        unit: 's',
        queries: [
          {
            expr: 'histogram_quantile(0.5, sum by (le) (rate(rungate_run_gateway_seconds_bucket{provider=~"$provider"}[$__rate_interval])))',
            legend: 'p50',
          },
          {
            expr: 'histogram_quantile(0.99, sum by (le) (rate(rungate_run_gateway_seconds_bucket{provider=~"$provider"}[$__rate_interval])))',
            legend: 'p99',
          },
        ],
      },
    ],
  },
  vendorSeconds: {
    name: 'rungate_run_vendor_seconds',
    type: 'histogram',
    unit: 's',
    help: 'From a run’s last start until its end: the vendor’s time, waiting for a resume included.',
    labels: ['provider', 'workflow'],
    buckets: VENDOR_SECONDS,
    panels: [
      {
        title: 'Time at the vendor, p95',
        unit: 's',
        queries: [
          {
            expr: 'histogram_quantile(0.95, sum by (le, provider) (rate(rungate_run_vendor_seconds_bucket{provider=~"$provider"}[$__rate_interval])))',
            legend: '{{provider}}',
          },
        ],
      },
    ],
  },
  refused: {
    name: 'rungate_runs_refused_total',
    type: 'counter',
    unit: 'count',
    help: 'Runs that were refused before they were written.',
    labels: ['code'],
    alerts: [
      {
        name: 'RungateOverloaded',
        expr: 'sum by (instance) (rate(rungate_runs_refused_total{code="overloaded"}[5m])) > 0',
        for: '5m',
        severity: 'warning',
        summary: 'Rungate has refused runs for five minutes because it has as much work as it can take.',
        action: 'Look at the queue, the event loop and the commits; raise limits where there is room.',
      },
      {
        name: 'RungateStoreUnavailable',
        expr: 'sum by (instance) (rate(rungate_runs_refused_total{code="store_unavailable"}[5m])) > 0',
        for: '1m',
        severity: 'critical',
        summary: 'Runs are refused because the store cannot be written to or read.',
        action: 'Look at the disk: full, broken, or very slow. Do not kill the process if you can make room instead.',
      },
      {
        name: 'RungateInternalErrors',
        expr: 'sum by (instance) (increase(rungate_runs_refused_total{code="internal"}[15m])) > 0',
        for: '0m',
        severity: 'warning',
        summary: 'Rungate made a mistake.',
        action: 'The log has the cause, under the `request_id` of the answer.',
      },
    ],
    panels: [
      {
        title: 'Runs refused',
        unit: 'ops',
        queries: [
          { expr: 'sum by (code) (rate(rungate_runs_refused_total[$__rate_interval])) > 0', legend: '{{code}}' },
        ],
      },
    ],
  },
  triedAgain: {
    name: 'rungate_run_retries_total',
    type: 'counter',
    unit: 'count',
    help: 'Starts that failed and were to be followed by another: that they began nothing is proven, or the vendor tells copies apart.',
    labels: ['provider', 'code', 'to'],
    panels: [
      {
        title: 'Starts tried again',
        unit: 'ops',
        queries: [
          {
            expr: 'sum by (provider, code, to) (rate(rungate_run_retries_total{provider=~"$provider"}[$__rate_interval]))',
            legend: '{{provider}} {{code}} → {{to}}',
          },
        ],
      },
    ],
  },
  dropped: {
    name: 'rungate_late_results_dropped_total',
    type: 'counter',
    unit: 'count',
    help: 'Results that came when the run had already ended otherwise.',
    labels: ['provider'],
  },
  startsInFlight: {
    name: 'rungate_starts_in_flight',
    type: 'gauge',
    unit: 'count',
    help: 'Starts and resumes whose answer is awaited.',
    labels: [],
    panels: [
      {
        title: 'In flight',
        unit: 'short',
        queries: [
          { expr: 'sum(rungate_starts_in_flight)', legend: 'starts' },
          { expr: 'sum(rungate_reads_in_flight)', legend: 'polls and other reads' },
          { expr: 'sum(rungate_deliveries_in_flight)', legend: 'webhook deliveries' },
          { expr: 'sum(rungate_callers_waiting)', legend: 'callers that wait' },
          { expr: 'sum(rungate_event_readers)', legend: 'readers of events' },
        ],
      },
    ],
  },
  readsInFlight: {
    name: 'rungate_reads_in_flight',
    type: 'gauge',
    unit: 'count',
    help: 'Polls and other reads whose answer is awaited.',
    labels: [],
  },
  queued: {
    name: 'rungate_runs_queued',
    type: 'gauge',
    unit: 'count',
    help: 'Runs that wait for an allowance or a place before they are sent.',
    labels: [],
    alerts: [
      {
        name: 'RungateQueueStays',
        expr: 'min_over_time(rungate_runs_queued[15m]) > 0',
        for: '5m',
        severity: 'warning',
        summary: 'Runs have waited in the queue of {{ $labels.instance }} for twenty minutes.',
        action: 'More runs come than the limits towards a vendor let through: raise them, or send less.',
      },
    ],
    panels: [
      {
        title: 'Runs queued and unfinished',
        unit: 'short',
        queries: [
          { expr: 'sum(rungate_runs_queued)', legend: 'queued' },
          { expr: 'sum(rungate_runs_unfinished)', legend: 'unfinished' },
        ],
      },
    ],
  },
  unfinished: {
    name: 'rungate_runs_unfinished',
    type: 'gauge',
    unit: 'count',
    help: 'Runs that have not ended.',
    labels: [],
  },
  waiting: {
    name: 'rungate_callers_waiting',
    type: 'gauge',
    unit: 'count',
    help: 'Requests that are held until a run ends.',
    labels: [],
  },
  followers: {
    name: 'rungate_event_readers',
    type: 'gauge',
    unit: 'count',
    help: 'Requests that read a run’s events as they come.',
    labels: [],
  },
  deliveries: {
    name: 'rungate_deliveries_in_flight',
    type: 'gauge',
    unit: 'count',
    help: 'Messages to callers’ webhooks whose answer is awaited.',
    labels: [],
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;
