import { Secret, type SealedCredential } from '../../../src/core/secret.ts';
import aiTutor from '../../../src/providers/catalog/ai-tutor.ts';
import {
  createRegistry,
  type FallbackTarget,
  type ProviderLimits,
  type RegisteredWorkflow,
  type Registry,
} from '../../../src/providers/registry.ts';
import { createBreakers } from '../../../src/runs/breakers.ts';
import { createCensus, type Census } from '../../../src/runs/census.ts';
import { createPacing } from '../../../src/runs/pacing.ts';
import { createTargets, type TargetProvider, type Targets } from '../../../src/runs/targets.ts';
import { seededRandom, type SeededRandom } from '../../support/simulation/seeded-random.ts';
import { simulatedClock, type SimulatedClock } from '../../support/simulation/simulated-clock.ts';

const NONE = { concurrency: null, requestsPerMinute: null };
const OPEN_MS = 60_000;

/** Two places to fall back to, one after the other, where the first provider is not to be used, or knows no such workflow. */
export const FALLBACKS: readonly FallbackTarget[] = ['narrow', 'wide'].map((provider) => ({
  provider,
  workflow: 'wf_fallback',
  when: ['upstream_unavailable', 'upstream_workflow_not_found'],
}));

export interface FallbackWorld {
  clock: SimulatedClock;
  random: SeededRandom;
  census: Census;
  targets: Targets;
  registry: Registry;
  /** Opens the breaker of the provider's one credential. */
  fail(provider: string): void;
  /** Lets a breaker that is open now be probed. */
  waitForProbe(): void;
}

/** The providers `first`, `narrow` and `wide`, of which only `narrow` has limits, and the workflow `either` over all three. */
export function fallbackWorld({
  limits = {},
  fallbacks = FALLBACKS,
  kind = aiTutor,
  onOpen = () => {},
}: {
  limits?: Partial<ProviderLimits>;
  fallbacks?: readonly FallbackTarget[];
  kind?: TargetProvider['kind'];
  /** A provider's credentials are being read. */
  onOpen?: (provider: string) => void;
} = {}): FallbackWorld {
  const clock = simulatedClock();
  const random = seededRandom(1);
  const census = createCensus();
  const breakers = createBreakers({
    clock,
    limits: { callsMin: 1, failureShare: 0.5, windowMs: 10_000, openMs: OPEN_MS },
    onChange: () => {},
  });
  const pool = async ({ name, baseUrl }: { name: string; baseUrl: string }) => {
    onOpen(name);
    const credential: SealedCredential = { id: keyOf(name), origin: baseUrl, open: async () => new Secret('s') };
    return [{ credential, weight: 1, state: { is: 'usable' as const } }];
  };
  const credentials = { pool, reopen: () => Promise.reject(new Error('none is pinned')), mark: () => {} };
  const targets = createTargets({
    credentials,
    breakers,
    pacing: createPacing({ clock, counts: census }),
    clock,
    random,
  });
  const narrow = { kind: kind.kind, limits: { ...NONE, perCredential: NONE, ...limits } };
  const either: RegisteredWorkflow = {
    name: 'either',
    targets: [{ provider: 'first', workflow: 'wf_first', weight: 1 }],
    stickyBy: null,
    fallbacks,
    description: null,
    inputs: null,
    validateInputs: () => null,
    defaults: {},
    timeoutS: null,
  };
  const providers = { first: { kind: kind.kind }, narrow, wide: { kind: kind.kind } };
  return {
    clock,
    random,
    census,
    targets,
    registry: createRegistry({ kinds: [kind], providers, workflows: [either] }),
    fail: (provider) => breakers.enter(provider, keyOf(provider)).failed(),
    waitForProbe: () => clock.skip(OPEN_MS),
  };
}

/** The provider's one credential. */
export function keyOf(provider: string): string {
  return `key-of-${provider}`;
}
