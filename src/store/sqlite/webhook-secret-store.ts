import type { Clock } from '../../core/clock.ts';
import { RetiredMasterKeyError, type StoredWebhookSecret, type WebhookSecretStore } from '../../vault/ports.ts';
import type { Row } from './operations.ts';
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

/** The sealed secrets that sign key lineages' webhooks, in SQLite. */
export function createWebhookSecretStore({
  writer,
  reader,
  clock,
}: {
  writer: Writer;
  reader: Reader;
  clock: Clock;
}): WebhookSecretStore {
  return {
    async list(lineage) {
      return reader.read((statements) => statements.webhookSecrets.all(lineage)).map(secretFromRow);
    },
    async replace({ id, lineage, sealed, createdAt, expiresAt }, { oldExpiresAt, validMax }) {
      const row = [lineage, id, sealed, createdAt, expiresAt];
      const result = await writer.write('replaceWebhookSecret', row, oldExpiresAt, validMax, clock.now());
      if (result === 'retired') throw new RetiredMasterKeyError();
      return result === null;
    },
  };
}

function secretFromRow(row: Row): StoredWebhookSecret {
  return {
    lineage: row[0] as string,
    id: row[1] as string,
    sealed: row[2] as Uint8Array,
    createdAt: row[3] as number,
    expiresAt: row[4] as number | null,
  };
}
