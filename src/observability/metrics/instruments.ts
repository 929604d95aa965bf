import { setImmediate as nextTurn } from 'node:timers/promises';
import { Counter, Gauge, Registry, type Metric } from '@prometheus-io/client';
import { CHILDREN_MAX, type MetricDefinition } from './definition.ts';
import { createFamily, type Family } from './families.ts';
import { createHistogram } from './histogram.ts';

type Defined<Type extends MetricDefinition['type']> = MetricDefinition & { readonly type: Type };

/** One series of a gauge: the values of its labels, and its own. */
export type GaugeSample = readonly [labels: readonly string[], value: number];

/** Where metrics are counted, and how they are written down. The library is known here alone. */
export interface Instruments {
  counter(definition: Defined<'counter'>): Family<{ inc(by?: number): void }>;
  /** A counter that something else counts: each time it is set anew. */
  total(definition: Defined<'counter'>): (value: number) => void;
  histogram(definition: Defined<'histogram'>): Family<{ observe(value: number): void }>;
  /** All series of the gauge are set at once; those that are not named are gone. */
  gauge(definition: Defined<'gauge'>): (samples: readonly GaugeSample[]) => void;
  /** Prometheus' text form. Other work gets its turn after each metric. */
  render(): Promise<string>;
  contentType: string;
}

/** Makes a registry of its own: nothing that a library counts by itself is in it. */
export function createInstruments(): Instruments {
  const registry = new Registry();
  const names: string[] = [];
  // Counts are added up here, and given to the library at a scrape: it checks every label at every call.
  const flushes: (() => void)[] = [];
  const config = ({ name, help, labels }: MetricDefinition) => {
    names.push(name);
    return { name, help, labelNames: labels, registers: [registry] };
  };
  return {
    counter(definition) {
      const counter = new Counter(config(definition));
      return createFamily(definition.labels, CHILDREN_MAX.counter, (values) => {
        const child = counter.labels(...values);
        let uncounted = 0;
        flushes.push(() => {
          child.inc(uncounted);
          uncounted = 0;
        });
        return { inc: (by = 1) => void (uncounted += by) };
      });
    },
    total(definition) {
      const counter = new Counter(config(definition));
      return (value) => {
        counter.reset();
        counter.inc(value);
      };
    },
    histogram(definition) {
      const { name, help, labels, buckets = [] } = definition;
      names.push(name);
      const histogram = createHistogram({ name, help, labels, buckets });
      registry.registerMetric(histogram as unknown as Metric);
      return createFamily(labels, CHILDREN_MAX.histogram, (values) => histogram.child(values));
    },
    gauge(definition) {
      const gauge = new Gauge(config(definition));
      return (samples) => {
        gauge.reset();
        for (const [labels, value] of samples.slice(0, CHILDREN_MAX.gauge)) gauge.labels(...labels).set(value);
      };
    },
    async render() {
      for (const flush of flushes) flush();
      const texts: string[] = [];
      for (const name of names) {
        texts.push(await registry.getSingleMetricAsString(name));
        await nextTurn();
      }
      return `${texts.join('\n\n')}\n`;
    },
    contentType: registry.contentType,
  };
}
