import type { SealedCredential } from '../../src/core/secret.ts';
import type { Run } from '../../src/runs/model.ts';
import type { RunObserver } from '../../src/runs/observer.ts';
import type { CredentialSource } from '../../src/runs/ports.ts';

/** For engines that nobody watches. */
export const UNOBSERVED: { observer: RunObserver; traceOf: (run: Run) => Run['trace'] } = {
  observer: { ended() {}, called() {}, triedAgain() {}, refused() {}, dropped() {} },
  traceOf: ({ trace }) => trace,
};

/** One credential for every provider, which nothing sets aside. */
export function oneCredential(credential: SealedCredential): CredentialSource {
  return {
    pool: async () => [{ credential, weight: 1, state: { is: 'usable' } }],
    reopen: async () => credential,
    mark() {},
  };
}
