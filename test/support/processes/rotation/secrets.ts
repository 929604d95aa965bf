import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { systemClock as clock } from '../../../../src/core/clock.ts';
import { createIds } from '../../../../src/core/ids.ts';
import { createSystemRandom } from '../../../../src/core/random.ts';
import type { Store } from '../../../../src/store/open-store.ts';
import { readMasterKeyFile } from '../../../../src/vault/master-key-file.ts';
import { fixedMasterKeys, type MasterKey } from '../../../../src/vault/master-key.ts';
import { openSealed } from '../../../../src/vault/open-sealed.ts';
import { seal } from '../../../../src/vault/sealed-box.ts';
import { credentialPlace } from '../../../../src/vault/sealed-places.ts';
import { sealVersion1 } from '../../seal-version-1.ts';

/** As many as a provider may have. */
export const SECRETS_PER_PROVIDER = 100;
/** Written in one go: they share a few commits. */
const INSERTED_AT_ONCE = 1_000;
/** One of so many is as the first releases sealed it. */
const VERSION_1_EVERY = 4;
const COLUMNS = ['credentials', 'webhook_secrets', 'signing_keys'] as const;

const random = createSystemRandom();
const ids = createIds({ clock, random });

/** Every credential's secret that was ever given to the gateway, with the provider that it is for. */
export type KnownSecrets = Map<string, string>;

/** A secret that no other provider has. */
export function makeSecret(known: KnownSecrets, provider: string): string {
  const secret = `sk_${provider}_${Buffer.from(random.bytes(12)).toString('hex')}`;
  known.set(secret, provider);
  return secret;
}

/** Fills the store with `count` credentials of these providers, in turn. */
export async function insertSecrets(
  store: Pick<Store, 'credentials'>,
  {
    known,
    providers,
    count,
    key,
  }: { known: KnownSecrets; providers: readonly string[]; count: number; key: MasterKey },
): Promise<void> {
  for (let from = 0; from < count; from += INSERTED_AT_ONCE) {
    const rows = Array.from({ length: Math.min(INSERTED_AT_ONCE, count - from) }, (_, i) => {
      const provider = providers[(from + i) % providers.length] ?? '';
      const row = { id: ids.credential(), provider, label: null, purpose: 'api' as const, createdAt: clock.now() };
      const sealAs = i % VERSION_1_EVERY === 0 ? sealVersion1 : seal;
      const sealed = sealAs(makeSecret(known, provider), credentialPlace(row), { key, random });
      return store.credentials.insert({ ...row, sealed, weight: 1 });
    });
    await Promise.all(rows);
  }
}

export interface Opened {
  opened: number;
  faults: string[];
}

/** Opens every row of every encrypted column with the keys that the file holds now. */
export async function openEverySecret(
  store: Pick<Store, 'sealed'>,
  { keyFile, known }: { keyFile: string; known: KnownSecrets },
): Promise<Opened> {
  const keys = await readMasterKeyFile(keyFile);
  if (keys === null) throw new Error(`there is no ${keyFile}`);
  const masterKeys = fixedMasterKeys(keys);
  const faults: string[] = [];
  let opened = 0;
  // Under no key at all there is nothing, so the others are all.
  for (const { sealed, place, column } of await store.sealed.others('', Number.MAX_SAFE_INTEGER)) {
    try {
      const secret = (await openSealed(sealed, place, { masterKeys, what: `${column} ${place.id}` })).open();
      if (column === 'credentials.sealed' && known.get(secret) !== place.provider)
        faults.push(`${place.id}: another secret`);
      if (column === 'webhook_secrets.sealed' && !secret.startsWith('whsec_'))
        faults.push(`${place.id}: no webhook secret`);
      opened += 1;
    } catch (error) {
      faults.push((error as Error).message);
    }
  }
  return { opened, faults };
}

/** How many boxes begin with each version and master key, read from the file past everything of the product's own. */
export function scanBoxes(dataDir: string): { column: string; version: number; fingerprint: string; rows: number }[] {
  const db = new DatabaseSync(join(dataDir, 'rungate.db'), { readOnly: true });
  try {
    return COLUMNS.flatMap((table) => {
      const counts = new Map<string, number>();
      for (const { sealed } of db.prepare(`SELECT sealed FROM ${table}`).all()) {
        const head = Buffer.from((sealed as Uint8Array).subarray(0, 9)).toString('hex');
        counts.set(head, (counts.get(head) ?? 0) + 1);
      }
      return Array.from(counts, ([head, rows]) => {
        return {
          column: `${table}.sealed`,
          version: Number.parseInt(head.slice(0, 2), 16),
          fingerprint: head.slice(2),
          rows,
        };
      });
    });
  } finally {
    db.close();
  }
}
