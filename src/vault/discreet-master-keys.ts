import type { Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { unusable, type MasterKeys } from './master-key.ts';

const MESSAGE = 'The master key cannot be had now; the operator looks at the log.';
const WARN_AGAIN_MS = 60_000;

/**
 * The same master keys for a server, whose callers read the messages of errors: what is wrong with a file or a command, and
 * what it wrote, is in the log (a line a minute) and in the `cause` alone.
 */
export function discreetMasterKeys(
  keys: MasterKeys,
  { clock, log }: { clock: Pick<Clock, 'monotonic'>; log: Pick<Log, 'warn'> },
): MasterKeys {
  let warnedAt = -Infinity;

  function discreet(cause: unknown): unknown {
    if (!(cause instanceof GatewayError) || cause.code !== 'vault_unavailable') return cause;
    const now = clock.monotonic();
    if (now - warnedAt >= WARN_AGAIN_MS) {
      warnedAt = now;
      // Not every error of a run reaches the log with its cause.
      log.warn({ err: cause }, 'the master key cannot be had');
    }
    return unusable(MESSAGE, cause);
  }

  return {
    newest: (retired) => keys.newest(retired).catch((cause: unknown) => Promise.reject(discreet(cause))),
    find: (fingerprint) => keys.find(fingerprint).catch((cause: unknown) => Promise.reject(discreet(cause))),
  };
}
