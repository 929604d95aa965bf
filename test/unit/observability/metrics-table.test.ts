import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { reviveJson } from '../../../src/core/json.ts';
import { METRICS } from '../../../src/observability/metrics-table.ts';
import {
  LABELS,
  type AlertRule,
  type LabelDefinition,
  type MetricDefinition,
} from '../../../src/observability/metrics/definition.ts';
import { ROOT } from '../../support/documents.ts';
import { readExposition } from '../../support/exposition.ts';
import { startMetrics } from '../../support/metrics.ts';

const TABLE = Object.values<MetricDefinition>(METRICS);
const ALERTS = TABLE.flatMap((metric) => metric.alerts ?? []);
const FUNCTIONS = new Set(
  'absent changes histogram_quantile increase max max_over_time min min_over_time rate sum'.split(' '),
);
/** What Prometheus itself adds to every series. */
const SCRAPE_LABELS = ['job', 'instance'];

/** The labels of each series that the table makes. */
const SERIES = new Map<string, readonly string[]>(
  TABLE.flatMap(({ name, type, labels }) => {
    const all = [...labels, ...SCRAPE_LABELS];
    if (type !== 'histogram') return [[name, all]];
    return [
      [`${name}_bucket`, [...all, 'le']],
      [`${name}_sum`, all],
      [`${name}_count`, all],
    ];
  }),
);

/** Everything in an expression that the table does not know, as sentences. */
function faultsOf(expression: string): string[] {
  const faults: string[] = [];
  const grouped: string[] = [];
  const plain = expression
    .replaceAll(/\bby \(([^)]*)\)/g, (_clause, labels: string) => {
      grouped.push(...labels.split(/, ?/));
      return '';
    })
    .replaceAll(/\[[^\]]*\]/g, '');
  const used: string[] = [];
  for (const [, word = '', matchers, called] of plain.matchAll(/(?<![\w.$])([a-zA-Z_]\w*)(?:\{([^}]*)\})?(\s*\()?/g)) {
    if (word === 'and') continue;
    if (called !== undefined) {
      if (!FUNCTIONS.has(word)) faults.push(`no function ${word}`);
      continue;
    }
    const labels = SERIES.get(word);
    if (labels === undefined) faults.push(`no series ${word}`);
    used.push(...(labels ?? []));
    for (const [, label = '', values = ''] of (matchers ?? '').matchAll(/(\w+)(?:=|!=|=~|!~)"([^"]*)"/g)) {
      if (!labels?.includes(label)) faults.push(`${word} has no label ${label}`);
      faults.push(...values.split('|').flatMap((value) => unknownValue(label, value)));
    }
  }
  return [...faults, ...grouped.filter((label) => !used.includes(label)).map((label) => `nothing has ${label}`)];
}

function unknownValue(label: string, value: string): string[] {
  const { values = null } = (LABELS as Readonly<Record<string, LabelDefinition>>)[label] ?? {};
  return values === null || values.includes(value) ? [] : [`${label} is never ${value}`];
}

describe('the table', () => {
  it('has names as Prometheus wants them, each once', () => {
    const names = TABLE.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThan(30);
    for (const { name, type, unit } of TABLE) {
      expect(name).toMatch(/^(rungate|process|nodejs)_[a-z_]+$/);
      expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter']);
      if (unit === 's') expect(name).toMatch(/_seconds(_total)?$/);
      if (unit === 'bytes') expect(name).toMatch(/_bytes$/);
    }
  });

  it('is what a scrape shows, with types, meanings and labels', async () => {
    using metrics = startMetrics({
      credentialStates: async () => [{ provider: 'b3os', credentialId: 'cred_1', state: 'usable' }],
    });
    metrics.observer.called({ provider: 'b3os', operation: 'start', status: 200, durationMs: 1 });
    const seen = readExposition(await metrics.render());
    const shown = [...seen.values()].map(({ name, type, help }) => ({ name, type, help }));
    const table = TABLE.map(({ name, type, help }) => ({ name, type, help }));
    expect(shown.toSorted(byName)).toEqual(table.toSorted(byName));
    for (const { samples } of seen.values()) {
      for (const { name, labels } of samples)
        expect(SERIES.get(name)).toEqual(expect.arrayContaining(Object.keys(labels)));
    }
  });

  it('bounds every label that is not the operator’s own', () => {
    const open = Object.entries<LabelDefinition>(LABELS).filter(([, { values }]) => values === null);
    expect(open.map(([name]) => name)).toEqual(['provider', 'workflow', 'credential', 'route', 'version', 'node']);
  });

  it('has buckets that rise, on histograms alone', () => {
    for (const { type, buckets } of TABLE) {
      expect(buckets !== undefined).toBe(type === 'histogram');
      expect(buckets?.toSorted((a, b) => a - b)).toEqual(buckets);
    }
  });
});

describe('the alert rules', () => {
  it.each(ALERTS)('$name names what there is', ({ expr, summary }) => {
    expect(faultsOf(expr)).toEqual([]);
    const labels = Array.from(summary.matchAll(/\{\{ \$labels\.(\w+) \}\}/g), ([, label = '']) => label);
    const grouped = / by \(([^)]*)\)/.exec(expr)?.[1]?.split(', ');
    expect(labels.filter((label) => grouped?.includes(label) === false)).toEqual([]);
  });

  it('are in the generated file as they are in the table', () => {
    const { groups } = parse(readFileSync(join(ROOT, 'ops/rungate-alerts.yaml'), 'utf8')) as {
      groups: { name: string; rules: Record<string, unknown>[] }[];
    };
    expect(groups.flatMap(({ rules }) => rules)).toEqual(ALERTS.map(asRule));
    expect(new Set(ALERTS.map(({ name }) => name)).size).toBe(ALERTS.length);
    expect(ALERTS.length).toBeGreaterThan(10);
  });

  it.each([
    ['rate(rungate_nothing_total[5m]) > 0', 'no series rungate_nothing_total'],
    ['sum by (workflow) (rungate_runs_queued)', 'nothing has workflow'],
    ['rungate_runs_total{status="lost"}', 'status is never lost'],
    ['rungate_runs_refused_total{code="overlaoded"}', 'code is never overlaoded'],
    ['rungate_runs_queued{provider="b3os"}', 'rungate_runs_queued has no label provider'],
    ['sum(rungate_store_commit_seconds)', 'no series rungate_store_commit_seconds'],
  ])('would be found wrong: %s', (expression, fault) => {
    expect(faultsOf(expression)).toEqual([fault]);
  });
});

describe('the dashboard', () => {
  const { panels, templating } = reviveJson<Dashboard>(readFileSync(join(ROOT, 'ops/rungate-dashboard.json'), 'utf8'));
  const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

  it('shows every panel of the table, with metrics that there are', () => {
    const wanted = TABLE.flatMap((metric) => metric.panels ?? []).flatMap(({ queries }) =>
      queries.map(({ expr }) => expr),
    );
    expect(expressions).toEqual(wanted);
    expect(expressions.flatMap((expr) => faultsOf(expr.replaceAll('$__rate_interval', '5m')))).toEqual([]);
    expect(expressions.length).toBeGreaterThan(20);
  });

  it('has the variables that its expressions name', () => {
    const variables = new Set(
      expressions.flatMap((expr) => Array.from(expr.matchAll(/"\$(\w+)"/g), ([, name]) => name)),
    );
    const names = templating.list.map(({ name }) => name);
    expect([...variables].filter((name) => !names.includes(name ?? ''))).toEqual([]);
    expect(names).toContain('datasource');
  });

  it('lets no panel lie over another', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(panels.every(({ gridPos: { x, w } }) => x + w <= 24)).toBe(true);
  });
});

interface Dashboard {
  panels: {
    id: number;
    gridPos: { x: number; y: number; w: number; h: number };
    targets?: { expr: string }[];
  }[];
  templating: { list: { name: string }[] };
}

function asRule({ name, expr, for: period, severity, summary, action }: AlertRule): object {
  return { alert: name, expr, for: period, labels: { severity }, annotations: { summary, description: action } };
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : 1;
}
