import type { Clock } from '../../../src/core/clock.ts';
import type { RunId } from '../../../src/core/ids.ts';
import { WEBHOOK_EVENTS, type Delivery, type Run, type WebhookEvent } from '../../../src/runs/model.ts';
import type { Change, RunStore } from '../../../src/runs/ports.ts';
import type { Journal } from './journal.ts';

/** What happened to messages to webhooks, in one order: what was committed, what was sent, and what came back. */
export type DeliveryNoted = { at: number; id: string } & (
  | { is: 'claimed'; process: number; runId: RunId }
  | { is: 'settled'; process: number; runId: RunId; status: Delivery['status'] }
  | { is: 'redelivered'; runId: RunId }
  | { is: 'posted'; process: number; number: number; body: string }
  /** `status` null: no answer came back. */
  | { is: 'answered'; number: number; status: number | null }
);

type Methods = Pick<RunStore, 'claimDeliveries' | 'settleDelivery' | 'redeliver'>;

/** The part of a journalled store that keeps messages. */
export function journalledDeliveries(
  inner: RunStore,
  { deliveries }: Journal,
  { process, clock }: { process: number; clock: Clock },
): Methods {
  const runOf = new Map<string, RunId>();
  return {
    async claimDeliveries(owner, limit) {
      const claimed = await inner.claimDeliveries(owner, limit);
      for (const { id, runId } of claimed) {
        runOf.set(id, runId);
        deliveries.push({ is: 'claimed', at: clock.now(), process, id, runId });
      }
      return claimed;
    },
    async settleDelivery(id, owner, result) {
      const settled = await inner.settleDelivery(id, owner, result);
      const runId = runOf.get(id);
      if (settled === 'ok' && runId !== undefined)
        deliveries.push({ is: 'settled', at: clock.now(), process, id, runId, status: result.status });
      return settled;
    },
    async redeliver(runId, id) {
      const delivery = await inner.redeliver(runId, id);
      if (delivery) deliveries.push({ is: 'redelivered', at: clock.now(), id, runId });
      return delivery;
    },
  };
}

/** The kinds of events that the run's webhook wants, of these. */
export function wantedOf({ webhook }: Pick<Run, 'webhook'>, events: readonly { type: string }[]): WebhookEvent[] {
  const wanted = WEBHOOK_EVENTS.filter((event) => webhook?.events.includes(event));
  return events.map(({ type }) => type).filter((type): type is WebhookEvent => (wanted as string[]).includes(type));
}

/** Right after a commit, its messages must be there. */
export async function checkMessages(
  inner: RunStore,
  { complaints }: Pick<Journal, 'complaints'>,
  { run, change }: { run: Run; change: Change },
): Promise<void> {
  const wanted = wantedOf(run, change.events);
  if (wanted.length === 0) return;
  const written = (await inner.deliveries(run.id)).map(({ event }) => event);
  if (written.slice(-wanted.length).join() !== wanted.join())
    complaints.push(`${run.id}: ${wanted.join()} was committed without its messages (${written.join()})`);
}
