import type { Clock } from '../core/clock.ts';
import type { CredentialStates } from './credential-states.ts';

const READ_AGAIN_MS = 1_000;

/**
 * Takes over what commands beside this process make of credentials: when `watch` says that another process wrote something
 * (null), and every second, as such hints may be lost. Until `signal`.
 */
export function followStates({
  states,
  watch,
  clock,
  signal,
}: {
  states: Pick<CredentialStates, 'refresh'>;
  watch: (hint: (changed: string | null) => void, signal: AbortSignal) => void;
  clock: Pick<Clock, 'after'>;
  signal: AbortSignal;
}): void {
  async function readAgain(): Promise<void> {
    if (signal.aborted) return;
    await states.refresh();
    plan();
  }
  function plan(): void {
    if (signal.aborted) return;
    const cancel = clock.after(READ_AGAIN_MS, () => {
      signal.removeEventListener('abort', cancel);
      void readAgain();
    });
    signal.addEventListener('abort', cancel, { once: true });
  }
  watch((changed) => {
    if (changed === null) void states.refresh();
  }, signal);
  plan();
}
