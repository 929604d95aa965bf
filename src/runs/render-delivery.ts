import { isoTime, isoTimeOrNull } from '../core/iso-time.ts';
import type { Delivery, RunWithPayloads, WebhookEvent } from './model.ts';
import { renderRun, WITH_PAYLOADS } from './render-run.ts';

/** A message to a caller's webhook as its callers see it; field names are the contract's. */
export interface RenderedDelivery {
  id: string;
  object: 'delivery';
  run_id: string;
  event: WebhookEvent;
  status: Delivery['status'];
  tries: number;
  created_at: string;
  last_at: string | null;
  last_status: number | null;
  last_error: string | null;
  next_at: string | null;
}

/** Renders what became of a message; its text is not shown. */
export function renderDelivery(delivery: Delivery): RenderedDelivery {
  return {
    id: delivery.id,
    object: 'delivery',
    run_id: delivery.runId,
    event: delivery.event,
    status: delivery.status,
    tries: delivery.tries,
    created_at: isoTime(delivery.createdAt),
    last_at: isoTimeOrNull(delivery.lastAt),
    last_status: delivery.lastStatus,
    last_error: delivery.lastError,
    next_at: isoTimeOrNull(delivery.dueAt),
  };
}

/**
 * The text of a message: the run as it was at the event, whenever it is sent. An end no longer changes, but for what an
 * operator found out later, which is left out; for the rest the snapshot lies over the row.
 */
export function renderMessage({ event, snapshot, createdAt }: Delivery, run: RunWithPayloads): string {
  const rendered = renderRun({ ...run, resolution: null }, { include: WITH_PAYLOADS, showKey: false });
  return JSON.stringify({ type: event, timestamp: isoTime(createdAt), data: { ...rendered, ...snapshot } });
}
