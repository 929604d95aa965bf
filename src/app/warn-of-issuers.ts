import type { KeyStore } from '../access/ports.ts';
import type { Log } from '../core/log.ts';
import type { Registry } from '../providers/registry.ts';

const NO_KEY = 'users of an issuer will be refused: its key is not there, is revoked or over, or is not of role runs';

/**
 * Makes what looks at the issuers of a configuration that comes into use, and warns of each whose key its users cannot have.
 * It is no fault of the configuration: the key may be made later. Never rejects, and keeps nobody waiting.
 */
export function createIssuerWarnings({
  keys,
  clock,
  log,
}: {
  keys: Pick<KeyStore, 'find'>;
  clock: { now: () => number };
  log: Pick<Log, 'warn'>;
}): (registry: Pick<Registry, 'access'>) => Promise<void> {
  async function look(issuer: string, keyId: string): Promise<void> {
    const key = await keys.find(keyId);
    const isOver = key !== null && key.expiresAt !== null && key.expiresAt <= clock.now();
    if (key !== null && key.role === 'runs' && key.revokedAt === null && !isOver) return;
    log.warn({ issuer, key: keyId }, NO_KEY);
  }

  return async ({ access }) => {
    try {
      for (const { issuer, keyId } of access.issuers) await look(issuer, keyId);
    } catch {
      // The store says so itself, and users are told as they come.
    }
  };
}
