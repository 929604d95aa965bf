/** One metric of a scrape. */
export interface ScrapedMetric {
  name: string;
  help: string;
  type: string;
  samples: ScrapedSample[];
}

export interface ScrapedSample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/y;
const NUMBER = /^(?:[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?|[+-]Inf|NaN)$/;
const SUFFIXES: Readonly<Record<string, readonly string[]>> = { histogram: ['_bucket', '_sum', '_count'] };

/** Reads Prometheus' text form (0.0.4), and throws at what a scraper would refuse. */
export function readExposition(text: string): ReadonlyMap<string, ScrapedMetric> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const metrics = new Map<string, ScrapedMetric>();
  const seen = new Set<string>();
  let current: ScrapedMetric | null = null;
  for (const line of text.split('\n')) {
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (line === '') continue;
    if (kind === 'HELP') {
      if (metrics.has(name)) throw new Error(`${name} comes twice`);
      current = { name, help: rest, type: '', samples: [] };
      metrics.set(name, current);
    } else if (kind === 'TYPE') {
      if (current?.name !== name || current.samples.length > 0) throw new Error(`TYPE out of place: ${line}`);
      current.type = rest;
    } else {
      const sample = readSample(line);
      const allowed = (SUFFIXES[current?.type ?? ''] ?? ['']).map((suffix) => `${current?.name}${suffix}`);
      if (!allowed.includes(sample.name)) throw new Error(`out of place: ${line}`);
      const key = [sample.name, ...Object.entries(sample.labels).map(String).toSorted(compareTexts)].join();
      if (seen.has(key)) throw new Error(`comes twice: ${line}`);
      seen.add(key);
      current?.samples.push(sample);
    }
  }
  return metrics;
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : 1;
}

function readSample(line: string): ScrapedSample {
  const [, name = '', inside = '', value = ''] = SAMPLE.exec(line) ?? [];
  if (name === '' || !NUMBER.test(value)) throw new Error(`no sample: ${line}`);
  const labels: Record<string, string> = {};
  for (LABEL.lastIndex = 0; LABEL.lastIndex < inside.length;) {
    const [, label = '', text = ''] = LABEL.exec(inside) ?? [];
    if (label === '' || label in labels) throw new Error(`wrong labels: ${line}`);
    labels[label] = text;
  }
  return { name, labels, value: Number(value.replace('Inf', 'Infinity')) };
}

/** The value of the one sample that has these labels, among others; null where there is none. */
export function valueOf(
  metrics: ReadonlyMap<string, ScrapedMetric>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | null {
  const [base = name] = /^(.*?)(?=_(?:bucket|sum|count)$)/.exec(name) ?? [];
  const { samples = [] } = metrics.get(name) ?? metrics.get(base) ?? {};
  const found = samples.filter(
    (sample) =>
      sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  );
  if (found.length > 1) throw new Error(`${found.length} samples of ${name} have these labels`);
  return found[0]?.value ?? null;
}
