import type { Clock } from '../core/clock.ts';
import { ERROR_CATALOGUE } from '../core/error-catalogue.ts';
import type { Run } from '../runs/model.ts';
import type { RunObserver } from '../runs/observer.ts';
import { LABELS, NONE, OTHER } from './metrics/definition.ts';
import { createGaugeReader, type GaugeSources } from './metrics/gauge-reader.ts';
import { createInstruments, type Instruments } from './metrics/instruments.ts';
import { METRICS } from './metrics-table.ts';

/** The names that are configured now; a registry is one. */
export interface ConfiguredNames {
  provider(name: string): object | null;
  providers(): readonly { name: string }[];
  workflow(name: string): object | null;
}

export interface MetricsParts extends Omit<GaugeSources, 'startedAt'> {
  clock: Pick<Clock, 'now'>;
  registry: () => ConfiguredNames;
}

export interface RequestSample {
  /** With its parameters' names; null: no route fitted. */
  route: string | null;
  method: string;
  /** Null: the client left. */
  status: number | null;
  ms: number;
}

/** A batch of writes that is on disk. */
export interface CommitSample {
  operations: number;
  /** From its hand-over to the writer. */
  ms: number;
}

export interface Metrics {
  observer: RunObserver;
  storeObserver: { committed(sample: CommitSample): void };
  request(sample: RequestSample): void;
  /** Prometheus' text form. Calls while one is under way share its text. */
  render(): Promise<string>;
  contentType: string;
  stop(): void;
}

/** Counts in memory, by labels whose values are bounded; begins to watch the event loop, until `stop`. */
export function createMetrics(parts: MetricsParts): Metrics {
  const instruments = createInstruments();
  const sources = { ...parts, startedAt: parts.clock.now() - process.uptime() * 1000 };
  const observer = observeRuns(instruments, parts.registry);
  const storeObserver = observeStore(instruments);
  const request = observeRequests(instruments);
  const gauges = createGaugeReader(instruments, sources);
  let rendering: Promise<string> | null = null;
  async function render(): Promise<string> {
    observer.seed();
    await gauges.read();
    return instruments.render();
  }
  return {
    observer,
    storeObserver,
    request,
    render: () => (rendering ??= render().finally(() => (rendering = null))),
    contentType: instruments.contentType,
    stop: () => gauges.stop(),
  };
}

function observeRuns(
  instruments: Instruments,
  registry: () => ConfiguredNames,
): RunObserver & {
  /** A rate needs a zero to begin from: without one, the first of a series is not seen. */
  seed(): void;
} {
  const runs = instruments.counter(METRICS.runs);
  const unknown = instruments.counter(METRICS.outcomesUnknown);
  const gatewaySeconds = instruments.histogram(METRICS.gatewaySeconds);
  const vendorSeconds = instruments.histogram(METRICS.vendorSeconds);
  const refused = instruments.counter(METRICS.refused);
  const triedAgain = instruments.counter(METRICS.triedAgain);
  const dropped = instruments.counter(METRICS.dropped);
  const calls = instruments.counter(METRICS.calls);
  const callSeconds = instruments.histogram(METRICS.callSeconds);
  const providerOf = (name: string) => (registry().provider(name) === null ? OTHER : name);
  for (const code of Object.keys(ERROR_CATALOGUE)) refused(code).inc(0);
  return {
    ended(run) {
      const configured = registry();
      const provider = configured.provider(run.provider) === null ? OTHER : run.provider;
      const workflow = configured.workflow(run.workflow) === null ? OTHER : run.workflow;
      const code = run.error?.code ?? NONE;
      runs(provider, workflow, run.status, code).inc();
      if (code === 'outcome_unknown') unknown(provider).inc();
      const { gatewayMs, vendorMs } = timesOf(run);
      gatewaySeconds(provider, workflow).observe(seconds(gatewayMs));
      if (vendorMs !== null) vendorSeconds(provider, workflow).observe(seconds(vendorMs));
    },
    called({ provider: name, operation, status, durationMs }) {
      const provider = providerOf(name);
      calls(provider, operation, statusClass(status)).inc();
      callSeconds(provider, operation).observe(seconds(durationMs));
    },
    triedAgain: (run, code, to) => triedAgain(providerOf(run.provider), code, to).inc(),
    refused: (code) => refused(code).inc(),
    dropped: (run) => dropped(providerOf(run.provider)).inc(),
    seed() {
      for (const { name } of registry().providers()) unknown(name).inc(0);
    },
  };
}

/** The start that counts is the last one sent: what came before it, tries that began nothing included, is our time. */
function timesOf({ attempts, createdAt, finishedAt }: Run): { gatewayMs: number; vendorMs: number | null } {
  const endedAt = finishedAt ?? createdAt;
  for (let i = attempts.length - 1; i >= 0; i--) {
    const attempt = attempts[i];
    if (attempt?.step === 'start') return { gatewayMs: attempt.at - createdAt, vendorMs: endedAt - attempt.at };
  }
  return { gatewayMs: endedAt - createdAt, vendorMs: null };
}

function observeStore(instruments: Instruments): Metrics['storeObserver'] {
  const operations = instruments.histogram(METRICS.commitOperations)();
  const duration = instruments.histogram(METRICS.commitSeconds)();
  return {
    committed(sample) {
      operations.observe(sample.operations);
      duration.observe(seconds(sample.ms));
    },
  };
}

const METHODS: ReadonlySet<string> = new Set(LABELS.method.values);

function observeRequests(instruments: Instruments): Metrics['request'] {
  const requests = instruments.counter(METRICS.requests);
  const duration = instruments.histogram(METRICS.requestSeconds);
  return (sample) => {
    const route = sample.route ?? NONE;
    const method = METHODS.has(sample.method) ? sample.method : OTHER;
    requests(route, method, statusClass(sample.status)).inc();
    duration(route, method).observe(seconds(sample.ms));
  };
}

function statusClass(status: number | null): string {
  return LABELS.status_class.values[Math.floor((status ?? 0) / 100) - 1] ?? NONE;
}

/** The wall clock may go back, and no observer may throw. */
function seconds(ms: number): number {
  return ms > 0 ? ms / 1000 : 0;
}
