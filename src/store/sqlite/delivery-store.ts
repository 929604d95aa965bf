import type { DeliveryResult, RunStore } from '../../runs/ports.ts';
import { deliveryFromRow } from './delivery-row.ts';
import type { SettledRow } from './operations.ts';
import type { RunStoreParts } from './run-store.ts';

type DeliveryMethods = Pick<
  RunStore,
  'deliveries' | 'claimDeliveries' | 'settleDelivery' | 'postponeDelivery' | 'redeliver'
>;

/** The part of a run store that keeps messages to callers' webhooks; moves write them. */
export function createDeliveryMethods({ writer, reader, clock }: RunStoreParts): DeliveryMethods {
  return {
    async deliveries(id) {
      return reader.read((statements) => statements.deliveries.all(id)).map(deliveryFromRow);
    },
    async claimDeliveries(owner, limit) {
      const now = clock.now();
      // Nearly always nothing is due; finding that out costs no write.
      if (reader.read((statements) => statements.anyDeliveryDue.get(now)) === null) return [];
      return (await writer.write('claimDeliveries', owner, now, limit)).map(deliveryFromRow);
    },
    async settleDelivery(id, owner, result) {
      const settled = await writer.write(
        'settleDelivery',
        id,
        owner,
        settledRow(result, clock.now()),
        result.afterTries ?? null,
      );
      return settled ? 'ok' : 'stale';
    },
    async postponeDelivery({ id, runId }, owner, inMs) {
      const row = [clock.now() + inMs, runId, id, owner];
      return (await writer.write('run', 'postponeDelivery', row)) > 0 ? 'ok' : 'stale';
    },
    async redeliver(id, deliveryId) {
      if ((await writer.write('run', 'redeliver', [clock.now(), id, deliveryId])) === 0) return null;
      const row = reader.read((statements) => statements.delivery.get(id, deliveryId));
      return row === null ? null : deliveryFromRow(row);
    },
  };
}

/** Whatever a result says: what is pending is due some time, and nothing else is. */
function settledRow({ status, at, responseStatus, error, nextInMs }: DeliveryResult, now: number): SettledRow {
  return [status, at, responseStatus, error, status === 'pending' ? now + (nextInMs ?? 0) : null];
}
