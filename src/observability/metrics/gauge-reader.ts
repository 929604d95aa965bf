import type { EngineGauges } from '../../runs/observer.ts';
import { METRICS } from '../metrics-table.ts';
import { LABELS } from './definition.ts';
import type { GaugeSample, Instruments } from './instruments.ts';
import { countOpenFiles, monitorEventLoop, readProcessStats } from './process-stats.ts';

interface OfCredential {
  provider: string;
  credentialId: string;
}

export interface CredentialStateSeen extends OfCredential {
  state: 'usable' | 'resting' | 'set_aside';
}

/** Asked at each scrape. */
export interface GaugeSources {
  gauges: () => EngineGauges;
  /** Of every credential that is configured or stored. */
  credentialStates: () => Promise<readonly CredentialStateSeen[]>;
  storeStats: () => { queuedOperations: number };
  version: string;
  /** When the process began; milliseconds since 1970. */
  startedAt: number;
}

const BREAKER_VALUES = { closed: 0, half_open: 1, open: 2 } as const;

/** Reads what is true at the moment of a scrape; nothing of it costs anything between two. */
export function createGaugeReader(
  instruments: Instruments,
  sources: GaugeSources,
): { read(): Promise<void>; stop(): void } {
  const eventLoop = monitorEventLoop();
  const readEngine = createEngineReader(instruments, sources);
  const readProcess = createProcessReader(instruments, sources);
  const lag = instruments.gauge(METRICS.eventLoopLag);
  const use = instruments.gauge(METRICS.eventLoopUse);
  const openFiles = instruments.gauge(METRICS.openFiles);
  return {
    async read() {
      const files = await countOpenFiles();
      openFiles(files === null ? [] : single(files));
      await readEngine();
      readProcess();
      const { p50Seconds, p99Seconds, maxSeconds, utilization } = eventLoop.take();
      lag([
        [['p50'], p50Seconds],
        [['p99'], p99Seconds],
        [['max'], maxSeconds],
      ]);
      use(single(utilization));
    },
    stop: () => eventLoop.stop(),
  };
}

function createEngineReader(instruments: Instruments, sources: GaugeSources): () => Promise<void> {
  const numbers = [
    ['startsInFlight', instruments.gauge(METRICS.startsInFlight)],
    ['readsInFlight', instruments.gauge(METRICS.readsInFlight)],
    ['queued', instruments.gauge(METRICS.queued)],
    ['unfinished', instruments.gauge(METRICS.unfinished)],
    ['waiting', instruments.gauge(METRICS.waiting)],
    ['followers', instruments.gauge(METRICS.followers)],
    ['deliveriesInFlight', instruments.gauge(METRICS.deliveries)],
  ] as const;
  const breakers = instruments.gauge(METRICS.breakerState);
  const allowances = instruments.gauge(METRICS.allowance);
  const credentials = instruments.gauge(METRICS.credentialState);
  const storeQueue = instruments.gauge(METRICS.storeQueue);
  return async () => {
    const states = await sources.credentialStates();
    const engine = sources.gauges();
    for (const [name, set] of numbers) set(single(engine[name]));
    const configured = new Set(states.map(keyOf));
    const isConfigured = (one: OfCredential) => configured.has(keyOf(one));
    breakers(engine.breakers.filter(isConfigured).map((one) => sample(one, BREAKER_VALUES[one.state])));
    allowances(engine.allowances.filter(isConfigured).map((one) => sample(one, one.remaining)));
    credentials(
      states.flatMap(({ provider, credentialId, state }) =>
        LABELS.state.values.map((value): GaugeSample => [[provider, credentialId, value], value === state ? 1 : 0]),
      ),
    );
    storeQueue(single(sources.storeStats().queuedOperations));
  };
}

function createProcessReader(instruments: Instruments, { startedAt, version }: GaugeSources): () => void {
  const cpu = instruments.total(METRICS.cpu);
  const memory = instruments.gauge(METRICS.memory);
  const heapUsed = instruments.gauge(METRICS.heapUsed);
  const heapLimit = instruments.gauge(METRICS.heapLimit);
  instruments.gauge(METRICS.startTime)(single(startedAt / 1000));
  instruments.gauge(METRICS.buildInfo)([[[version, process.version], 1]]);
  return () => {
    const stats = readProcessStats();
    cpu(stats.cpuSeconds);
    memory(single(stats.rss));
    heapUsed(single(stats.heapUsed));
    heapLimit(single(stats.heapLimit));
  };
}

function single(value: number): GaugeSample[] {
  return [[[], value]];
}

function sample({ provider, credentialId }: OfCredential, value: number): GaugeSample {
  return [[provider, credentialId], value];
}

function keyOf({ provider, credentialId }: OfCredential): string {
  return `${provider} ${credentialId}`;
}
