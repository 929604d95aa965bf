import type { MetricDefinition } from './definition.ts';

const CALL_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

/** What vendors answer, and what they still let us do. */
export const VENDOR_METRICS = {
  calls: {
    name: 'rungate_vendor_calls_total',
    type: 'counter',
    unit: 'count',
    help: 'Calls to vendors that are over.',
    labels: ['provider', 'operation', 'status_class'],
    alerts: [
      {
        name: 'RungateVendorFails',
        expr:
          'sum by (provider) (rate(rungate_vendor_calls_total{status_class=~"5xx|none"}[5m])) ' +
          '/ sum by (provider) (rate(rungate_vendor_calls_total[5m])) > 0.5 ' +
          'and sum by (provider) (increase(rungate_vendor_calls_total[5m])) > 10',
        for: '5m',
        severity: 'warning',
        summary: 'More than half of the calls to {{ $labels.provider }} fail or are not answered.',
        action: 'Look at the vendor’s status page, and at the way there: DNS, proxy, firewall.',
      },
    ],
    panels: [
      {
        title: 'Calls to vendors',
        unit: 'ops',
        queries: [
          {
            expr: 'sum by (provider, status_class) (rate(rungate_vendor_calls_total{provider=~"$provider"}[$__rate_interval]))',
            legend: '{{provider}} {{status_class}}',
          },
        ],
      },
    ],
  },
  callSeconds: {
    name: 'rungate_vendor_call_seconds',
    type: 'histogram',
    unit: 's',
    help: 'How long one call to a vendor took.',
    labels: ['provider', 'operation'],
    buckets: CALL_SECONDS,
    panels: [
      {
        title: 'Time of a call to a vendor, p95',
        unit: 's',
        queries: [
          {
            expr: 'histogram_quantile(0.95, sum by (le, provider, operation) (rate(rungate_vendor_call_seconds_bucket{provider=~"$provider"}[$__rate_interval])))',
            legend: '{{provider}} {{operation}}',
          },
        ],
      },
    ],
  },
  breakerState: {
    name: 'rungate_breaker_state',
    type: 'gauge',
    unit: 'state',
    help: 'A circuit breaker: 0 closed, 1 half open, 2 open.',
    labels: ['provider', 'credential'],
    alerts: [
      {
        name: 'RungateBreakerOpen',
        expr: 'max by (provider, credential) (max_over_time(rungate_breaker_state[2m])) == 2',
        for: '5m',
        severity: 'warning',
        summary: 'Starts at {{ $labels.provider }} with {{ $labels.credential }} are held back: too many failed.',
        action: 'Look at the vendor. It closes by itself once a start goes well.',
      },
    ],
    panels: [
      {
        title: 'Breakers (0 closed, 1 half open, 2 open)',
        unit: 'short',
        queries: [
          {
            expr: 'max by (provider, credential) (rungate_breaker_state{provider=~"$provider"})',
            legend: '{{provider}} {{credential}}',
          },
        ],
      },
    ],
  },
  credentialState: {
    name: 'rungate_credential_state',
    type: 'gauge',
    unit: 'state',
    help: '1 for the state that the credential is in, 0 for the others.',
    labels: ['provider', 'credential', 'state'],
    alerts: [
      {
        name: 'RungateCredentialSetAside',
        expr: 'max by (provider, credential) (rungate_credential_state{state="set_aside"}) == 1',
        for: '1m',
        severity: 'warning',
        summary: 'The vendor of {{ $labels.provider }} refuses the credential {{ $labels.credential }}.',
        action: 'Replace it or top up the account, then `rungate credentials verify`.',
      },
      {
        name: 'RungateNoUsableCredential',
        expr: 'sum by (provider) (rungate_credential_state{state="usable"}) == 0',
        for: '2m',
        severity: 'critical',
        summary: 'No credential of {{ $labels.provider }} can be used: its new runs wait or fail.',
        action: '`rungate credentials list` tells which are set aside, and why.',
      },
    ],
    panels: [
      {
        title: 'Credentials by state',
        unit: 'short',
        queries: [
          {
            expr: 'sum by (provider, state) (rungate_credential_state{provider=~"$provider"})',
            legend: '{{provider}} {{state}}',
          },
        ],
      },
    ],
  },
  allowance: {
    name: 'rungate_vendor_allowance_remaining',
    type: 'gauge',
    unit: 'count',
    help: 'What the vendor last said is left of its limit.',
    labels: ['provider', 'credential'],
    panels: [
      {
        title: 'Left of the vendors’ limits',
        unit: 'short',
        queries: [
          {
            expr: 'min by (provider, credential) (rungate_vendor_allowance_remaining{provider=~"$provider"})',
            legend: '{{provider}} {{credential}}',
          },
        ],
      },
    ],
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;
