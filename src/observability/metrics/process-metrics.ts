import type { MetricDefinition } from './definition.ts';

const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const COMMIT_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const COMMIT_OPERATIONS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/** The API, the store, and the process itself. */
export const PROCESS_METRICS = {
  requests: {
    name: 'rungate_http_requests_total',
    type: 'counter',
    unit: 'count',
    help: 'Requests on both listeners. Status class none: the client left before it was answered.',
    labels: ['route', 'method', 'status_class'],
    panels: [
      {
        title: 'Requests',
        unit: 'ops',
        queries: [
          {
            expr: 'sum by (route, method, status_class) (rate(rungate_http_requests_total[$__rate_interval]))',
            legend: '{{method}} {{route}} {{status_class}}',
          },
        ],
      },
    ],
  },
  requestSeconds: {
    name: 'rungate_http_request_seconds',
    type: 'histogram',
    unit: 's',
    help: 'From a request’s headers until its answer was through; held requests and event streams wait for their runs.',
    labels: ['route', 'method'],
    buckets: REQUEST_SECONDS,
    panels: [
      {
        title: 'Time of a request, p95',
        unit: 's',
        queries: [
          {
            expr: 'histogram_quantile(0.95, sum by (le, route, method) (rate(rungate_http_request_seconds_bucket[$__rate_interval])))',
            legend: '{{method}} {{route}}',
          },
        ],
      },
    ],
  },
  commitOperations: {
    name: 'rungate_store_commit_operations',
    type: 'histogram',
    unit: 'count',
    help: 'Operations that shared one commit.',
    labels: [],
    buckets: COMMIT_OPERATIONS,
    panels: [
      {
        title: 'Operations in a commit',
        unit: 'short',
        queries: [
          {
            expr: 'sum(rate(rungate_store_commit_operations_sum[$__rate_interval])) / sum(rate(rungate_store_commit_operations_count[$__rate_interval]))',
            legend: 'mean',
          },
        ],
      },
    ],
  },
  commitSeconds: {
    name: 'rungate_store_commit_seconds',
    type: 'histogram',
    unit: 's',
    help: 'From a batch’s hand-over to the writer until it was on disk.',
    labels: [],
    buckets: COMMIT_SECONDS,
    alerts: [
      {
        name: 'RungateCommitsSlow',
        expr: 'histogram_quantile(0.99, sum by (le, instance) (rate(rungate_store_commit_seconds_bucket[5m]))) > 0.5',
        for: '10m',
        severity: 'warning',
        summary: 'One commit in a hundred takes more than half a second on {{ $labels.instance }}.',
        action: 'Look at the disk: what else writes there, and whether it is a local one.',
      },
    ],
    panels: [
      {
        title: 'Time of a commit',
        unit: 's',
        queries: [
          {
            expr: 'histogram_quantile(0.5, sum by (le) (rate(rungate_store_commit_seconds_bucket[$__rate_interval])))',
            legend: 'p50',
          },
          {
            expr: 'histogram_quantile(0.99, sum by (le) (rate(rungate_store_commit_seconds_bucket[$__rate_interval])))',
            legend: 'p99',
          },
        ],
      },
    ],
  },
  storeQueue: {
    name: 'rungate_store_queue_operations',
    type: 'gauge',
    unit: 'count',
    help: 'Writes that wait for the disk.',
    labels: [],
    alerts: [
      {
        name: 'RungateStoreQueueStays',
        expr: 'min_over_time(rungate_store_queue_operations[5m]) > 500',
        for: '5m',
        severity: 'warning',
        summary: 'More than 500 writes have waited for the disk of {{ $labels.instance }} for ten minutes.',
        action: 'The disk does not keep up. New runs are refused when the queue is full.',
      },
    ],
    panels: [
      {
        title: 'Writes that wait for the disk',
        unit: 'short',
        queries: [{ expr: 'sum(rungate_store_queue_operations)', legend: 'writes' }],
      },
    ],
  },
  eventLoopLag: {
    name: 'rungate_event_loop_lag_seconds',
    type: 'gauge',
    unit: 's',
    help: 'How late the event loop was since the last scrape.',
    labels: ['stat'],
    alerts: [
      {
        name: 'RungateEventLoopLags',
        expr: 'min_over_time(rungate_event_loop_lag_seconds{stat="p99"}[5m]) > 0.2',
        for: '5m',
        severity: 'warning',
        summary: 'The event loop of {{ $labels.instance }} is late by more than 0.2 s.',
        action: 'The process has more to do than one core can: send less, or give it a faster core.',
      },
    ],
    panels: [
      {
        title: 'Event loop lag',
        unit: 's',
        queries: [{ expr: 'max by (stat) (rungate_event_loop_lag_seconds)', legend: '{{stat}}' }],
      },
    ],
  },
  eventLoopUse: {
    name: 'rungate_event_loop_utilization_ratio',
    type: 'gauge',
    unit: 'ratio',
    help: 'The share of the time since the last scrape in which the event loop was busy.',
    labels: [],
    panels: [
      {
        title: 'CPU and event loop',
        unit: 'percentunit',
        queries: [
          { expr: 'max(rungate_event_loop_utilization_ratio)', legend: 'event loop' },
          { expr: 'sum(rate(process_cpu_seconds_total{job=~"rungate.*"}[$__rate_interval]))', legend: 'CPU' },
        ],
      },
    ],
  },
  cpu: {
    name: 'process_cpu_seconds_total',
    type: 'counter',
    unit: 's',
    help: 'CPU time of the process, all threads.',
    labels: [],
  },
  memory: {
    name: 'process_resident_memory_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Resident memory.',
    labels: [],
    panels: [
      {
        title: 'Memory',
        unit: 'bytes',
        queries: [
          { expr: 'process_resident_memory_bytes{job=~"rungate.*"}', legend: '{{instance}} resident' },
          { expr: 'nodejs_heap_size_used_bytes{job=~"rungate.*"}', legend: '{{instance}} heap' },
        ],
      },
    ],
  },
  startTime: {
    name: 'process_start_time_seconds',
    type: 'gauge',
    unit: 's',
    help: 'When the process began, in seconds since 1970.',
    labels: [],
    alerts: [
      {
        name: 'RungateRestarts',
        expr: 'changes(process_start_time_seconds{job=~"rungate.*"}[30m]) > 2',
        for: '0m',
        severity: 'warning',
        summary: '{{ $labels.instance }} has begun anew more than twice in half an hour.',
        action: 'The end of the log before each start says why.',
      },
    ],
  },
  openFiles: {
    name: 'process_open_fds',
    type: 'gauge',
    unit: 'count',
    help: 'Open file descriptors, where the system tells them (Linux).',
    labels: [],
  },
  heapUsed: {
    name: 'nodejs_heap_size_used_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Heap that is in use.',
    labels: [],
  },
  heapLimit: {
    name: 'nodejs_heap_size_limit_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'How large the heap may become before the process ends.',
    labels: [],
    alerts: [
      {
        name: 'RungateHeapNearlyFull',
        expr:
          'min_over_time(nodejs_heap_size_used_bytes{job=~"rungate.*"}[10m]) ' +
          '/ nodejs_heap_size_limit_bytes{job=~"rungate.*"} > 0.8',
        for: '0m',
        severity: 'critical',
        summary: 'The heap of {{ $labels.instance }} has been nearly full for ten minutes.',
        action: 'Report it with the dashboard’s picture; a restart loses no run.',
      },
    ],
  },
  buildInfo: {
    name: 'rungate_build_info',
    type: 'gauge',
    unit: 'state',
    help: 'Always 1; the labels say what runs.',
    labels: ['version', 'node'],
    alerts: [
      {
        name: 'RungateAbsent',
        expr: 'absent(rungate_build_info)',
        for: '5m',
        severity: 'critical',
        summary: 'No Rungate is scraped.',
        action: 'Look whether the process runs, and whether the key of the scrape still works.',
      },
    ],
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;
