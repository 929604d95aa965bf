import { ERROR_CATALOGUE } from '../../core/error-catalogue.ts';

/** What may stand in a label, so that nobody from outside decides how many series there are. */
export interface LabelDefinition {
  /** Every value there is; null: names that are bounded by what is configured. */
  readonly values: readonly string[] | null;
  readonly docs: string;
}

export interface AlertRule {
  readonly name: string;
  readonly expr: string;
  /** How long it must hold, in Prometheus' form. */
  readonly for: string;
  readonly severity: 'critical' | 'warning';
  /** May use the template language of Prometheus. */
  readonly summary: string;
  /** What the reader does about it. */
  readonly action: string;
}

export interface Query {
  readonly expr: string;
  readonly legend: string;
}

export interface Panel {
  readonly title: string;
  /** As Grafana names units. */
  readonly unit: 'ops' | 's' | 'short' | 'bytes' | 'percentunit';
  readonly queries: readonly Query[];
}

/** One metric: what counts it, what it means, and who is woken by it. */
export interface MetricDefinition {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly unit: 'count' | 's' | 'bytes' | 'ratio' | 'state';
  readonly help: string;
  readonly labels: readonly LabelName[];
  /** Upper bounds; of histograms alone. */
  readonly buckets?: readonly number[];
  readonly alerts?: readonly AlertRule[];
  readonly panels?: readonly Panel[];
}

/** What stands for all names that are not configured, and for those beyond the bound. */
export const OTHER = 'other';
export const NONE = 'none';

/** Series of one metric at most; a histogram's are some twenty lines each. */
export const CHILDREN_MAX = { counter: 2000, gauge: 2000, histogram: 300 } as const;

const STATUS_CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx', NONE] as const;

export const LABELS = {
  provider: { values: null, docs: 'a configured provider, else `other`' },
  workflow: { values: null, docs: 'a registered workflow’s name; `other` for all that are named by a vendor’s id' },
  credential: { values: null, docs: 'the id of a credential that is configured or stored; never its value' },
  route: { values: null, docs: 'a path of the API with its parameters’ names, or `none` where no route fits' },
  version: { values: null, docs: 'of Rungate' },
  node: { values: null, docs: 'the version of Node.js' },
  code: { values: [...Object.keys(ERROR_CATALOGUE), NONE], docs: 'an [error code](errors.md), or `none`' },
  status: { values: ['succeeded', 'failed', 'cancelled', 'timed_out'], docs: 'how the run ended' },
  status_class: { values: STATUS_CLASSES, docs: 'the hundred of the HTTP status; `none`: there was no answer' },
  operation: {
    values: ['start', 'token', 'resume', 'poll', 'lookup', 'cancel', 'pause', 'follow'],
    docs: 'what the vendor was asked to do',
  },
  to: { values: ['same', 'credential', 'fallback'], docs: 'the same target again, the next credential, or a fallback' },
  state: { values: ['usable', 'resting', 'set_aside'], docs: 'whether new runs may use the credential' },
  method: { values: ['GET', 'HEAD', 'POST', 'DELETE', OTHER], docs: 'the HTTP method' },
  stat: { values: ['p50', 'p99', 'max'], docs: 'half, or 99 of 100, are no larger; the largest' },
} as const satisfies Readonly<Record<string, LabelDefinition>>;

export type LabelName = keyof typeof LABELS;
