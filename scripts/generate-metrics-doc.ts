/** Writes `docs/metrics.md`, every metric and alert, from the table in `src/observability/metrics-table.ts`. */
import { TEXT_SETTINGS } from '../src/config/text-settings.ts';
import { METRIC_GROUPS } from '../src/observability/metrics-table.ts';
import {
  CHILDREN_MAX,
  LABELS,
  type LabelDefinition,
  type MetricDefinition,
} from '../src/observability/metrics/definition.ts';
import { writeOrCheck } from './support/generated-file.ts';
import { code, table } from './support/markdown.ts';

const INTRODUCTION = `# Metrics

\`GET /metrics\` on the admin listener (${code(TEXT_SETTINGS.adminHost.variable)}, ${code(TEXT_SETTINGS.adminPort.variable)}) answers in Prometheus' text form, to
keys of role \`viewer\` or \`admin\`. Numbers are of this process since its start; nothing is kept between starts.

## Set it up

Make a key for the scrape, and put it into a file that Prometheus alone can read:

\`\`\`sh
rungate keys create --name prometheus --role viewer
\`\`\`

The key is shown once (with \`--json\` as \`key\`). In a checkout, \`rungate\` is \`npm run -s rungate --\`; beside
\`serve --sandbox\` the command takes \`--sandbox\` too. To look for yourself, with that key as \`RUNGATE_KEY\`:

\`\`\`sh
curl -H "Authorization: Bearer $RUNGATE_KEY" http://127.0.0.1:8081/metrics
\`\`\`

\`\`\`yaml
# prometheus.yml
rule_files: [rungate-alerts.yaml]
scrape_configs:
  - job_name: rungate
    scrape_interval: 15s
    authorization: { type: Bearer, credentials_file: /etc/prometheus/rungate.key }
    static_configs:
      - targets: ['${TEXT_SETTINGS.adminHost.default}:${TEXT_SETTINGS.adminPort.default}']
\`\`\`

The target is the admin listener's address. Keep a job name that begins with \`rungate\`: a few rules and panels
choose by it. Two files are made from the same table as this page:

- [\`ops/rungate-alerts.yaml\`](../ops/rungate-alerts.yaml): the [alert rules](#alerts) below. Check them with
  \`promtool check rules\`, and change the bounds to your traffic.
- [\`ops/rungate-dashboard.json\`](../ops/rungate-dashboard.json): a dashboard that Grafana imports.

What is said to be "since the last scrape" is measured anew by each scrape: with two scrapers, each sees its part.`;

const LABELS_INTRODUCTION = `## Labels

No caller can make a series: names that are not configured count as \`other\`. So do names beyond
${CHILDREN_MAX.counter} series of a counter or ${CHILDREN_MAX.histogram} of a histogram; of a gauge, ${CHILDREN_MAX.gauge} are shown.`;

function metricRow({ name, type, unit, labels, help }: MetricDefinition): string[] {
  return [
    code(name),
    unit === 'count' || unit === 'state' ? type : `${type}, ${unit}`,
    labels.map(code).join(', '),
    help,
  ];
}

function labelRow([name, { values, docs }]: [string, LabelDefinition]): string[] {
  const listed = values === null || name === 'code' ? '' : ` (${values.map(code).join(', ')})`;
  return [code(name), `${docs}${listed}`];
}

/** In the template language a value looks like \`{{ $labels.provider }}\`; in the page, like \`<provider>\`. */
function plainSummary(summary: string): string {
  return summary.replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, (_match, name: string) => code(`<${name}>`));
}

function render(): string {
  const metrics = METRIC_GROUPS.map(({ metrics: group }) => Object.values<MetricDefinition>(group));
  const alerts = metrics.flat().flatMap((metric) => metric.alerts ?? []);
  const groups = METRIC_GROUPS.flatMap(({ title }, i) => [
    `## ${title}`,
    table(['metric', 'type', 'labels', 'what it tells'], (metrics[i] ?? []).map(metricRow)),
  ]);
  return [
    INTRODUCTION,
    ...groups,
    LABELS_INTRODUCTION,
    table(['label', 'what stands there'], Object.entries<LabelDefinition>(LABELS).map(labelRow)),
    '## Alerts',
    table(
      ['alert', 'severity', 'what it says', 'what you do'],
      alerts.map(({ name, severity, summary, action }) => [code(name), severity, plainSummary(summary), action]),
    ),
  ].join('\n\n');
}

await writeOrCheck({ path: 'docs/metrics.md', render }, import.meta.filename);
