import type { SandboxProcess } from '../../../test/support/processes/sandbox-process.ts';

/** What clients ask for: a provider and a special workflow id of its simulated vendor, or a registered name. */
export interface SoakTarget {
  provider?: string;
  kind?: string;
  workflow: string;
  weight: number;
}

const KINDS = ['ai-tutor', 'b3os', 'draft-and-goal', 'interactly'] as const;
/** Shorter than shipped: a silent vendor holds up a client for so long. */
const TIMEOUTS = { headers_s: 4, idle_s: 4 };
/** Nobody listens there. */
const NOBODY = 'http://127.0.0.1:9';

const GOOD: readonly (readonly [workflow: string, weight: number])[] = [
  ['runs-0', 50],
  ['fine', 25],
  ['slow-200', 3],
  ['runs-1500', 1],
  ['interim-103', 2],
  ['duplicate-keys', 2],
];

/** Fewer than half of the starts fail in ways that open a breaker. */
const FAULTS: readonly (readonly [workflow: string, weight: number])[] = [
  ['fails', 3],
  ['status-400', 2],
  ['status-403', 1],
  ['status-404', 1],
  ['status-409', 1],
  ['status-500', 2],
  ['status-503', 2],
  ['status-250', 1],
  ['status-302', 1],
  ['cut-before-headers', 1.5],
  ['cut-in-headers', 1],
  ['cut-in-body', 1],
  ['cut-in-error-body', 1],
  ['reset-before-headers', 1],
  ['reset-in-body', 1],
  ['stall-in-body', 0.3],
  ['never-answers', 0.3],
  ['interim-100', 0.5],
  ['answer-html', 1],
  ['answer-empty', 1],
  ['answer-half', 1],
  ['answer-wrong-length', 1],
  ['answer-broken-chunks', 1],
  ['answer-wrong-shape', 1],
  ['answer-nan', 1],
  ['answer-deep', 0.5],
  ['answer-bad-utf8', 1],
  ['answer-many-headers', 0.5],
  ['answer-echo-key', 1],
  ['answer-success-false', 1],
  ['answer-huge', 0.05],
];

const OF_KINDS: Readonly<Record<string, readonly (readonly [workflow: string, weight: number])[]>> = {
  'ai-tutor': [
    ['deltas-50', 6],
    ['as-sse.breaks-2', 1],
    ['as-data-stream.errs-2', 1],
    ['as-ndjson.rubbish-frames', 1],
    ['stalls-2', 0.3],
  ],
  b3os: [
    ['waits-800', 3],
    ['cut-late-1000', 1],
    ['partial', 1],
    ['poll-status-503-x2', 2],
    ['stream-cut-in-body', 1],
    ['cut-unbegun', 0.1],
  ],
  'draft-and-goal': [
    ['poll-status-503-x2', 2],
    ['poll-html', 2],
    ['poll-cut-in-body', 2],
    ['aborted', 1],
  ],
  interactly: [
    ['waits-800', 2],
    ['loops', 1],
    ['deltas-50', 4],
    ['breaks-2', 1],
    ['closes-1011', 1],
    ['poll-reset-before-headers', 1],
  ],
};

const REGISTERED: readonly SoakTarget[] = ['spread', 'rests', 'refused', 'away', 'down'].map((workflow) => ({
  workflow,
  weight: 25,
}));

/** AI Tutor answers at once where the others are polled after a second, which would be no load. */
const SHARES: Readonly<Record<string, number>> = { 'ai-tutor': 20 };

/** What clients ask for, by weight. */
export function soakTargets(): SoakTarget[] {
  const direct = KINDS.flatMap((kind) => {
    const share = SHARES[kind] ?? 1;
    const all = [...GOOD, ...FAULTS, ...(OF_KINDS[kind] ?? [])];
    return all.map(([workflow, weight]) => ({ provider: kind, kind, workflow, weight: weight * share }));
  });
  const paced = GOOD.map(([workflow, weight]) => ({
    provider: 'paced',
    kind: 'ai-tutor',
    workflow,
    weight: weight / 4,
  }));
  return [...direct, ...paced, ...REGISTERED];
}

/** `rungate.yaml`, as JSON, and the environment that it names. */
export function soakConfig({ vendors }: SandboxProcess): { config: string; environment: Record<string, string> } {
  const provider = (kind: string, more: object = {}) => ({
    kind,
    base_url: vendors[kind]?.base_url,
    allow_private_network: true,
    credentials: [`env:${variableOf(kind)}_1`, { ref: `env:${variableOf(kind)}_2`, weight: 2 }],
    timeouts: TIMEOUTS,
    ...more,
  });
  const providers = {
    ...Object.fromEntries(KINDS.map((kind) => [kind, provider(kind, { limits: { concurrency: 500 } })])),
    paced: provider('ai-tutor', { limits: { requests_per_minute: 600, per_credential: { concurrency: 4 } } }),
    resting: provider('ai-tutor'),
    // One credential is set aside, the other works.
    refusing: provider('draft-and-goal', { credentials: ['env:WRONG_KEY', `env:${variableOf('draft-and-goal')}_1`] }),
    away: provider('ai-tutor', { base_url: NOBODY }),
    down: provider('ai-tutor'),
  };
  const fallbacks = [{ provider: 'ai-tutor', workflow: 'fell-back' }];
  const workflows = {
    spread: {
      targets: [
        { provider: 'ai-tutor', workflow: 'fine', weight: 3 },
        { provider: 'b3os', workflow: 'fine', weight: 1 },
      ],
      sticky_by: 'user',
    },
    rests: { provider: 'resting', workflow: 'status-429-retry-1', fallbacks },
    refused: { provider: 'refusing', workflow: 'fine' },
    away: { provider: 'away', workflow: 'fine', fallbacks },
    down: { provider: 'down', workflow: 'status-503', fallbacks },
  };
  const keys = KINDS.flatMap((kind) => [1, 2].map((n) => [`${variableOf(kind)}_${n}`, vendors[kind]?.key ?? '']));
  return {
    config: JSON.stringify({ providers, workflows }),
    environment: { ...Object.fromEntries(keys), WRONG_KEY: 'a-wrong-key' },
  };
}

function variableOf(kind: string): string {
  return `KEY_${kind.toUpperCase().replaceAll('-', '_')}`;
}
