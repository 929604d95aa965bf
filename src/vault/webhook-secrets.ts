import { createHmac } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import type { Random } from '../core/random.ts';
import { Secret } from '../core/secret.ts';
import type { MasterKeys } from './master-key.ts';
import { openSealed } from './open-sealed.ts';
import type { StoredWebhookSecret, WebhookSecretStore } from './ports.ts';
import { sealAndStore } from './seal-and-store.ts';
import { webhookSecretPlace } from './sealed-places.ts';

/*
 * A signing secret as Standard Webhooks writes it: `whsec_` and base64 of 32 bytes of chance. It belongs to a line of
 * rotated keys. The newest has no end; one that was replaced is valid for another day, and messages carry a signature of
 * each, so that a receiver can change over whenever it likes.
 */

const PREFIX = 'whsec_';
const SECRET_BYTES = 32;
const ID_BYTES = 10;
const OVERLAP_MS = 86_400_000;
/** Each valid one is a signature in every message's head. */
const VALID_MAX = 8;

/** A message as it is signed. */
export interface SignableMessage {
  id: string;
  /** Seconds since 1970. */
  timestampS: number;
  body: string;
}

/** The secrets that sign the messages to a key lineage's webhooks. */
export interface WebhookSecrets {
  /** Makes the lineage's first secret; null where it has one already, which nobody can show again. */
  ensure: (lineage: string) => Promise<Secret | null>;
  /** Throws `rate_limited` where too many are valid already for `rotate` to make one more. */
  checkRoom: (lineage: string) => Promise<void>;
  /**
   * Makes a new one. `previousExpiresAt`: until when (milliseconds since 1970) the one before is valid; null: there was none.
   * Throws `rate_limited` where too many are valid already.
   */
  rotate: (lineage: string) => Promise<{ secret: Secret; previousExpiresAt: number | null }>;
  /** One `v1,…` for each valid secret, the newest first; none where there is none. Throws `vault_unavailable`. */
  sign: (lineage: string, message: SignableMessage) => Promise<readonly string[]>;
}

export interface WebhookSecretsParts {
  store: WebhookSecretStore;
  masterKeys: MasterKeys;
  clock: Pick<Clock, 'now'>;
  random: Random;
}

export function createWebhookSecrets({ store, masterKeys, clock, random }: WebhookSecretsParts): WebhookSecrets {
  async function validOf(lineage: string): Promise<StoredWebhookSecret[]> {
    const now = clock.now();
    return (await store.list(lineage)).filter(({ expiresAt }) => expiresAt === null || now < expiresAt);
  }

  /** Null where too many are valid already. */
  async function make(lineage: string, oldExpiresAt: number): Promise<Secret | null> {
    const id = `whs_${Buffer.from(random.bytes(ID_BYTES)).toString('hex')}`;
    const secret = new Secret(PREFIX + Buffer.from(random.bytes(SECRET_BYTES)).toString('base64'));
    const row = { id, lineage, createdAt: clock.now(), expiresAt: null };
    const replace = (sealed: Uint8Array) => store.replace({ ...row, sealed }, { oldExpiresAt, validMax: VALID_MAX });
    const made = await sealAndStore(secret, webhookSecretPlace(row), { masterKeys, random, store: replace });
    return made ? secret : null;
  }

  return {
    async ensure(lineage) {
      if ((await validOf(lineage)).length > 0) return null;
      return make(lineage, clock.now());
    },
    async checkRoom(lineage) {
      const valid = await validOf(lineage);
      if (valid.length >= VALID_MAX) throw tooMany(valid, clock.now());
    },
    async rotate(lineage) {
      const now = clock.now();
      const valid = await validOf(lineage);
      const secret = await make(lineage, now + OVERLAP_MS);
      if (secret === null) throw tooMany(await validOf(lineage), now);
      return { secret, previousExpiresAt: valid.length === 0 ? null : now + OVERLAP_MS };
    },
    async sign(lineage, message) {
      const signatures: string[] = [];
      for (const row of await validOf(lineage)) {
        const what = `webhook secret ${row.id}`;
        signatures.push(
          signatureOf(await openSealed(row.sealed, webhookSecretPlace(row), { masterKeys, what }), message),
        );
      }
      return signatures;
    },
  };
}

/** Standard Webhooks, version 1: HMAC-SHA256 of id, time and text. */
function signatureOf(secret: Secret, { id, timestampS, body }: SignableMessage): string {
  const key = Buffer.from(secret.open().slice(PREFIX.length), 'base64');
  return `v1,${createHmac('sha256', key).update(`${id}.${timestampS}.${body}`).digest('base64')}`;
}

function tooMany(valid: readonly StoredWebhookSecret[], now: number): GatewayError {
  const ends = valid.map(({ expiresAt }) => expiresAt ?? Infinity);
  const message = `This key has ${VALID_MAX} webhook secrets that are valid; wait until the oldest has expired.`;
  return new GatewayError('rate_limited', { message, retryAfterS: Math.ceil((Math.min(...ends) - now) / 1000) });
}
