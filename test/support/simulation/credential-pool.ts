import { Secret, type SealedCredential } from '../../../src/core/secret.ts';
import type { CredentialSource, PooledCredential } from '../../../src/runs/ports.ts';
import type { CredentialState } from '../../../src/vault/credential-state.ts';
import { credentialIdOf } from './resilience-plan.ts';
import type { StartNoted } from './journal-starts.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedClock } from './simulated-clock.ts';

export interface CredentialPool {
  /** For one process; what it marks outlives it. */
  source(process: number): CredentialSource;
  /** The operator has mended everything. */
  mend(): void;
}

/** So long the operator needs to see that a credential was set aside, and to have it verified. */
const MENDED_MS_MAX = 12_000;
const USABLE: CredentialState = { is: 'usable' };

/** Two or three credentials of each provider, and what vendors have made of them. */
export function createCredentialPool({
  clock,
  random,
  notes,
  weights,
  credentials: harm = (source) => source,
}: {
  clock: SimulatedClock;
  random: SeededRandom;
  notes: StartNoted[];
  weights: ReadonlyMap<string, readonly number[]>;
  credentials?: (source: CredentialSource) => CredentialSource;
}): CredentialPool {
  const credentials = new Map<string, SealedCredential>();
  const states = new Map<string, CredentialState>();

  function credentialOf(id: string, baseUrl: string): SealedCredential {
    const known = credentials.get(id);
    if (known) return known;
    const credential = { id, origin: new URL(baseUrl).origin, open: async () => new Secret('s') };
    credentials.set(id, credential);
    return credential;
  }

  function stateOf(id: string): CredentialState {
    const state = states.get(id) ?? USABLE;
    return state.is === 'resting' && state.until <= clock.now() ? USABLE : state;
  }

  function set(credentialId: string, state: CredentialState, process: number): void {
    if (state.is === 'usable' && !states.has(credentialId)) return;
    if (state.is === 'usable') states.delete(credentialId);
    else states.set(credentialId, state);
    notes.push({ is: 'marked', at: clock.now(), process, credentialId, state });
  }

  return {
    source: (process) =>
      harm({
        async pool({ name, baseUrl }): Promise<PooledCredential[]> {
          return (weights.get(name) ?? []).map((weight, index) => {
            const id = credentialIdOf(name, index);
            return { credential: credentialOf(id, baseUrl), weight, state: stateOf(id) };
          });
        },
        reopen: async ({ id, baseUrl }) => credentialOf(id, baseUrl),
        mark(_, credentialId, state) {
          set(credentialId, state, process);
          if (state.is === 'set_aside')
            clock.after(random.below(MENDED_MS_MAX), () => set(credentialId, USABLE, process));
        },
      }),
    mend() {
      for (const id of states.keys()) set(id, USABLE, 0);
    },
  };
}
