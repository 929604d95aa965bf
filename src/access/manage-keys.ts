import type { Actor } from '../core/audit.ts';
import type { Audited, Deed } from '../core/audited.ts';
import type { Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import { ISO_TIME_MAX, isoTimeOrNull } from '../core/iso-time.ts';
import type { JsonObject } from '../core/json.ts';
import type { Random } from '../core/random.ts';
import type { Secret } from '../core/secret.ts';
import { createKey, type NewKey } from './keys.ts';
import type { KeyStore, StoredKey } from './ports.ts';

/** Ten years. */
export const OVERLAP_S_MAX = 315_360_000;

/** A key that was just made; nobody can show it again. */
export interface MadeKey {
  stored: StoredKey;
  key: Secret;
  /** Signs the messages of its line's runs; null where the line has one already, or its role begins no runs. */
  webhookSecret: Secret | null;
}

/** What operators do with client keys, whichever door they come by. Every change is audited ahead. */
export interface KeyManager {
  /** Every key there is or was, newest first. */
  list(): Promise<StoredKey[]>;
  /** Throws `invalid_request` naming the field at fault. */
  create(wanted: Omit<NewKey, 'lineage'>, actor: Actor): Promise<MadeKey>;
  /**
   * A new key with the rights, the runs and the lifetime of an old one, which works for `overlapMs` more at most.
   * Throws `not_found` where there is no such key, or it is revoked, and `invalid_request` where it was replaced already by
   * one that is not revoked.
   */
  rotate(id: string, overlapMs: number, actor: Actor): Promise<MadeKey & { replaced: StoredKey }>;
  /** The key, useless from now on, for good. Revoking twice keeps the first time. Throws `not_found`. */
  revoke(id: string, actor: Actor): Promise<StoredKey>;
}

export interface KeyManagerParts {
  keys: Pick<KeyStore, 'list' | 'find' | 'insert' | 'replace' | 'revoke'>;
  webhookSecrets: { ensure: (lineage: string) => Promise<Secret | null> };
  audited: Audited;
  clock: Pick<Clock, 'now'>;
  random: Random;
}

export function createKeyManager({ keys, webhookSecrets, audited, clock, random }: KeyManagerParts): KeyManager {
  /** Made before the key is stored: nobody is to hold one that came without it. */
  const secretFor = ({ role, lineage }: StoredKey) => (role === 'runs' ? webhookSecrets.ensure(lineage) : null);

  /** Why the store did not replace it: another command was faster. */
  async function whyNotReplaced(id: string): Promise<GatewayError> {
    const key = await keys.find(id);
    if (key === null || key.revokedAt !== null) return cannotRotate(key);
    const inUse = (await keys.list()).filter(({ revokedAt }) => revokedAt === null);
    return alreadyReplaced(id, newestOf(inUse, key));
  }

  return {
    list: () => keys.list(),
    async create(wanted, actor) {
      const { stored, key } = createKey(wanted, { clock, random });
      return audited(deed(actor, 'key.create', stored, rightsOf(stored)), async () => {
        const webhookSecret = await secretFor(stored);
        await keys.insert(stored);
        return { stored, key, webhookSecret };
      });
    },
    async rotate(id, overlapMs, actor) {
      const old = await keys.find(id);
      if (old === null || old.revokedAt !== null) throw cannotRotate(old);
      const newest = newestOf(await keys.list(), old);
      if (newest.id !== id && newest.revokedAt === null) throw alreadyReplaced(id, newest);
      const now = clock.now();
      const { stored, key } = createKey({ ...old, expiresAt: sameLifetime(newest, now) }, { clock, random });
      const details = { ...rightsOf(stored), successor: stored.id, overlap_s: Math.floor(overlapMs / 1000) };
      return audited(deed(actor, 'key.rotate', old, details), async () => {
        // The line's secret goes on to sign; one made before there were any gets its first.
        const webhookSecret = await secretFor(stored);
        if (!(await keys.replace(id, stored, now + overlapMs))) throw await whyNotReplaced(id);
        return { stored, key, webhookSecret, replaced: (await keys.find(id)) ?? old };
      });
    },
    async revoke(id, actor) {
      const known = await keys.find(id);
      if (known === null) throw notFound();
      return audited(deed(actor, 'key.revoke', known, { name: known.name }), async () => {
        const revoked = await keys.revoke(id, clock.now());
        const key = revoked ? await keys.find(id) : null;
        if (key === null) throw notFound();
        return key;
      });
    },
  };
}

function deed(actor: Actor, action: Deed['action'], { id }: StoredKey, details: JsonObject): Deed {
  return { actor, action, target: { type: 'key', id }, details };
}

/** What the audit log tells of a key. */
function rightsOf({
  name,
  role,
  allowedWorkflows,
  allowedProviders,
  limits,
  origins,
  expiresAt,
}: StoredKey): JsonObject {
  return {
    name,
    role,
    allowed_workflows: [...allowedWorkflows],
    allowed_providers: [...allowedProviders],
    requests_per_minute: limits.requestsPerMinute,
    concurrent_runs: limits.concurrentRuns,
    runs_per_day: limits.runsPerDay,
    origins: [...origins],
    expires_at: isoTimeOrNull(expiresAt),
  };
}

/** Of the line; `all` has the newest first. Keys of one millisecond come in any order, but the first one has the line's name. */
function newestOf(all: readonly StoredKey[], old: StoredKey): StoredKey {
  const line = all.filter(({ lineage }) => lineage === old.lineage);
  const [newest = old, second] = line;
  const isFirst = newest.id === newest.lineage && second !== undefined;
  return isFirst && second.createdAt === newest.createdAt ? second : newest;
}

/** What was made for thirty days lasts thirty days again. The end of one that was replaced is its overlap's, not its own. */
function sameLifetime({ createdAt, expiresAt }: StoredKey, now: number): number | null {
  return expiresAt === null ? null : Math.min(now + (expiresAt - createdAt), ISO_TIME_MAX);
}

function cannotRotate(key: StoredKey | null): GatewayError {
  if (key === null) return notFound();
  const message = `${key.id} is revoked, and stays so. Make another with: rungate keys create --name <name>`;
  return new GatewayError('not_found', { message });
}

/** Its own end was forgotten when it was replaced, so nobody could say how long another successor is to last. */
function alreadyReplaced(id: string, { id: newest }: StoredKey): GatewayError {
  const message = `${id} is already replaced; rotate its successor: rungate keys rotate ${newest}`;
  return new GatewayError('invalid_request', { message, param: 'id' });
}

function notFound(): GatewayError {
  return new GatewayError('not_found', { message: 'There is no such key. List them with: rungate keys list' });
}
