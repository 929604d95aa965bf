import { createHash, createSecretKey, type KeyObject } from 'node:crypto';
import { GatewayError } from '../core/errors.ts';
import type { Secret } from '../core/secret.ts';

const KEY_BYTES = 32;
/** 32 bytes of chance hold about 30 different ones; fewer than this is a pattern, not a key. */
const DIFFERENT_BYTES_MIN = 8;
const KEYS_MAX = 16;
const BASE64_32_BYTES = /^[A-Za-z0-9+/_-]{43}=?$/;
const FINGERPRINT_DOMAIN = 'rungate master key fingerprint\0';

/** What the data keys of secrets are wrapped with. The key itself cannot be printed. */
export interface MasterKey {
  readonly secret: KeyObject;
  /** 16 hexadecimal digits that name the key and say nothing about it. */
  readonly fingerprint: string;
}

/** The master keys at hand. */
export interface MasterKeys {
  /** What is sealed now is sealed with this one. Not with `retired`: looks again where the keys come from if that was it. */
  newest(retired?: string): Promise<MasterKey>;
  /** Null where it is not at hand. Looks again where the keys came from before it says so. */
  find(fingerprint: string): Promise<MasterKey | null>;
}

/**
 * Reads master keys, newest first: base64 of 32 bytes each, one a line, blank lines ignored.
 * `source` names where they come from. Throws `vault_unavailable` and never shows what it read.
 */
export function parseMasterKeys(text: Secret, source: string): [MasterKey, ...MasterKey[]] {
  const lines = text
    .open()
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const [first, ...others] = lines.slice(0, KEYS_MAX + 1).map((line) => parseMasterKey(line, source));
  if (first === undefined) throw unusable(`${source} holds no master key.`);
  if (lines.length > KEYS_MAX)
    throw unusable(`${source} holds more than ${KEYS_MAX} master keys. Take out those that no backup needs.`);
  return [first, ...others];
}

function parseMasterKey(line: string, source: string): MasterKey {
  const bytes = BASE64_32_BYTES.test(line) ? Buffer.from(line, 'base64') : null;
  if (bytes?.length !== KEY_BYTES) {
    throw unusable(
      `${source} is not a master key: expected 32 bytes in base64. Make one with: openssl rand -base64 32`,
    );
  }
  if (new Set(bytes).size < DIFFERENT_BYTES_MIN) {
    throw unusable(`${source} is too weak to be a master key. Make one with: openssl rand -base64 32`);
  }
  return masterKeyOf(bytes);
}

/** Wraps 32 bytes as a master key. */
export function masterKeyOf(bytes: Uint8Array): MasterKey {
  const fingerprint = createHash('sha256').update(FINGERPRINT_DOMAIN).update(bytes).digest('hex').slice(0, 16);
  return { secret: createSecretKey(bytes), fingerprint };
}

/** Keys that do not change while the process lives. */
export function fixedMasterKeys(keys: readonly [MasterKey, ...MasterKey[]]): MasterKeys {
  return {
    newest: async () => keys[0],
    find: async (fingerprint) => keys.find((key) => key.fingerprint === fingerprint) ?? null,
  };
}

/** A fault of the master keys that only the operator can mend. */
export function unusable(message: string, cause?: unknown): GatewayError {
  return new GatewayError('vault_unavailable', { message, ...(cause === undefined ? {} : { cause }) });
}
