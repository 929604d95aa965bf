import { FALLBACK_CODES_DEFAULT } from '../../../src/config/fallback-codes.ts';
import type { Caller } from '../../../src/core/caller.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import {
  createRegistry,
  type FallbackTarget,
  type ProviderLimits,
  type Registry,
} from '../../../src/providers/registry.ts';
import { workflowIdOf } from '../workflow-ids.ts';
import { FREE_CALLERS, LIMITED_CALLERS } from './caller.ts';
import { seededRandom, type SeededRandom } from './seeded-random.ts';

/** A time in which a vendor, or what it has for one credential, does not work. Milliseconds of the schedule. */
export interface Outage {
  provider: string;
  /** Null: all of them. */
  credentialId: string | null;
  from: number;
  to: number;
  how: 'unreachable' | 'unavailable' | 'limited' | 'limited_for_long' | 'unauthorized' | 'unpaid' | 'forbidden';
}

/** Many requests at once, which do not fit into what the provider allows. */
export interface Burst {
  at: number;
  /** They come within so long. */
  spanMs: number;
  target: AskedTarget;
  callers: readonly Caller[];
}

/** What a request names: a vendor's own workflow, or a registered one. */
export interface AskedTarget {
  provider: string | null;
  workflow: string;
}

/** What a schedule has of several credentials, limits, fallbacks and vendors in trouble. */
export interface ResiliencePlan {
  registry: Registry;
  /** Weights of each provider's credentials. */
  credentials: ReadonlyMap<string, readonly number[]>;
  outages: readonly Outage[];
  burst: Burst | null;
}

/** The provider whose starts are limited. */
export const NARROW = 'narrow';
export const REGISTERED = 'spread';
/** A start there may fall back to another provider. */
export const TARGETS_OF_REGISTERED: readonly string[] = [NARROW, 'b3os', 'ai-tutor', 'draft-and-goal'];

const NARROW_KINDS = ['draft-and-goal', 'b3os', 'ai-tutor'] as const;
/** Every credential can be opened here. */
const ANSWERED_CODES = FALLBACK_CODES_DEFAULT.filter((code) => code !== 'vault_unavailable');
const OUTAGES = [
  'unreachable',
  'unavailable',
  'limited',
  'limited_for_long',
  'unauthorized',
  'unpaid',
  'forbidden',
] as const satisfies readonly Outage['how'][];

/** Drawn from chances of its own, so that it leaves those of the schedule as they are. */
export function planResilience(seed: number, faultsMs: number): ResiliencePlan {
  const random = seededRandom(seed ^ 0x5eed_1e55);
  const narrowKind = random.pick(NARROW_KINDS);
  const limits = planLimits(random);
  const kindOf = (provider: string) => (provider === NARROW ? narrowKind : provider);
  const target = (provider: string) => ({ provider, workflow: workflowIdOf(kindOf(provider), 'wf') });
  const [first = NARROW, second = 'b3os', ...others] = shuffled(TARGETS_OF_REGISTERED, random);
  const fallbacks = others.map((provider): FallbackTarget => {
    return { ...target(provider), when: ANSWERED_CODES.filter(() => random.chance(0.8)) };
  });
  const registry = createRegistry({
    kinds: PROVIDER_KINDS,
    providers: { [NARROW]: { kind: narrowKind, limits } },
    workflows: [
      {
        name: REGISTERED,
        targets: [
          { ...target(first), weight: 1 + random.below(3) },
          { ...target(second), weight: random.below(3) },
        ],
        stickyBy: null,
        fallbacks,
        description: null,
        inputs: null,
        validateInputs: () => null,
        defaults: {},
        timeoutS: null,
      },
    ],
  });
  const providers = registry.providers().map(({ name }) => name);
  const credentials = new Map(
    providers.map((name) => [name, Array.from({ length: 1 + random.below(3) }, () => 1 + random.below(3))]),
  );
  const narrow: AskedTarget = target(NARROW);
  const burst = random.chance(0.3)
    ? {
        at: random.below(faultsMs),
        spanMs: random.chance(0.5) ? 0 : random.below(10_000),
        target: random.chance(0.6) ? narrow : { provider: null, workflow: REGISTERED },
        callers: planBurst(random),
      }
    : null;
  return { registry, credentials, outages: planOutages(providers, { faultsMs, burst }, random), burst };
}

function planLimits(random: SeededRandom): ProviderLimits {
  const maybe = (most: number) => (random.chance(0.6) ? 1 + random.below(most) : null);
  return {
    concurrency: maybe(3),
    requestsPerMinute: maybe(5),
    perCredential: { concurrency: maybe(2), requestsPerMinute: maybe(3) },
  };
}

function planBurst(random: SeededRandom): Caller[] {
  const callers = [...FREE_CALLERS, random.pick(LIMITED_CALLERS)];
  // Mostly one key that asks for much, and others that ask for little.
  const greedy = random.pick(callers);
  return Array.from({ length: 3 + random.below(7) }, () => (random.chance(0.6) ? greedy : random.pick(callers)));
}

function planOutages(
  providers: readonly string[],
  { faultsMs, burst }: { faultsMs: number; burst: Burst | null },
  random: SeededRandom,
): Outage[] {
  return Array.from({ length: random.below(4) }, () => {
    const from = burst && random.chance(0.7) ? Math.max(0, burst.at - random.below(2_000)) : random.below(faultsMs);
    const provider = random.chance(0.5) ? NARROW : random.pick(providers);
    const credentialId = random.chance(0.5) ? null : credentialIdOf(provider, random.below(3));
    return { provider, credentialId, from, to: from + random.below(15_000), how: random.pick(OUTAGES) };
  });
}

export function credentialIdOf(provider: string, index: number): string {
  return `${provider}-credential-${index + 1}`;
}

function shuffled<T>(items: readonly T[], random: SeededRandom): T[] {
  const left = [...items];
  return Array.from(items, () => left.splice(random.below(left.length), 1)[0] as T);
}
