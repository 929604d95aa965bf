import { RetiredMasterKeyError, type SealedCount, type SealedRow, type SealedStore } from '../../vault/ports.ts';
import { ENCRYPTED_COLUMNS, encryptedColumn } from './encrypted-columns.ts';
import type { ResealRow } from './operations.ts';
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

/** Everything that is sealed, in SQLite. */
export function createSealedStore({ writer, reader }: { writer: Writer; reader: Reader }): SealedStore {
  return {
    async others(fingerprint, limit) {
      const found: SealedRow[] = [];
      for (const { name: column, placeOf } of ENCRYPTED_COLUMNS) {
        const left = limit - found.length;
        if (left <= 0) break;
        const rows = reader.read(({ sealed }) => sealed[column].others.all(fingerprint, left));
        found.push(...rows.map((row) => ({ column, place: placeOf(row), sealed: row.at(-1) as Uint8Array })));
      }
      return found;
    },
    async reseal(rows) {
      const changed = await writer.write('reseal', rows.map(resealRow));
      if (changed === 'retired') throw new RetiredMasterKeyError();
      return changed;
    },
    async countByMasterKey() {
      return ENCRYPTED_COLUMNS.flatMap(({ name: column }) =>
        reader
          .read(({ sealed }) => sealed[column].count.all())
          .map((row): SealedCount => {
            const [head, rows] = row as [string, number];
            return { column, fingerprint: head.slice(2), version: Number.parseInt(head.slice(0, 2), 16), rows };
          }),
      );
    },
    retireMasterKey: (fingerprint, at) => writer.write('retireMasterKey', fingerprint, at),
  };
}

function resealRow({ row, sealed }: { row: SealedRow; sealed: Uint8Array }): ResealRow {
  return [row.column, encryptedColumn(row.column).keyOf(row.place), row.sealed, sealed];
}
