import type { RunId } from '../../core/ids.ts';
import { reviveJson, type JsonObject } from '../../core/json.ts';
import type { Delivery } from '../../runs/model.ts';
import type { NewDelivery } from '../../runs/ports.ts';
import type { DeliveryRows, Row } from './operations.ts';

/** The columns of a message, in the order that `deliveryFromRow` reads. */
export const DELIVERY_COLUMNS =
  'id, run_id, event, snapshot, created_at, status, tries, last_at, last_status, last_error, due_at';

/** Messages as they are written; null where there are none, as for nearly every run. */
export function deliveryRows(deliveries: readonly NewDelivery[] | undefined, dueAt: number): DeliveryRows | null {
  if (deliveries === undefined || deliveries.length === 0) return null;
  return deliveries.flatMap(({ id, event, snapshot, createdAt }) => [
    id,
    event,
    snapshot === null ? null : JSON.stringify(snapshot),
    createdAt,
    dueAt,
  ]);
}

/** Reads a row of `DELIVERY_COLUMNS`. */
export function deliveryFromRow(row: Row): Delivery {
  const snapshot = row[3] as string | null;
  return {
    id: row[0] as string,
    runId: row[1] as RunId,
    event: row[2] as Delivery['event'],
    snapshot: snapshot === null ? null : reviveJson<JsonObject>(snapshot),
    createdAt: row[4] as number,
    status: row[5] as Delivery['status'],
    tries: row[6] as number,
    lastAt: row[7] as number | null,
    lastStatus: row[8] as number | null,
    lastError: row[9] as string | null,
    dueAt: row[10] as number | null,
  };
}
