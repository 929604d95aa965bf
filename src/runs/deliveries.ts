import type { JsonObject } from '../core/json.ts';
import { WEBHOOK_EVENTS, type Run, type WebhookEvent } from './model.ts';
import type { Change, NewDelivery } from './ports.ts';
import { renderRun, type RenderedRun } from './render-run.ts';

const WANTABLE: ReadonlySet<string> = new Set<string>(WEBHOOK_EVENTS);

/** What of a run can be different later on; the rest is read from the row when the message is sent. */
const MOVING = [
  'status',
  'error',
  'waiting',
  'partial',
  'upstream',
  'attempts',
  'resolution',
  'started_at',
  'finished_at',
  'deadline_at',
] as const satisfies readonly (keyof RenderedRun)[];

/**
 * The messages that a change owes to the run's webhook; `run` is as it was before. The ids are the same however often the
 * change is tried. Their numbers rise with the run's moves: each move knows the last event's number at the move before.
 */
export function deliveriesOf(run: Run, change: Change): NewDelivery[] {
  const { webhook } = run;
  if (webhook === null) return [];
  const deliveries: NewDelivery[] = [];
  change.events.forEach(({ type, at }, i) => {
    if (!WANTABLE.has(type)) return;
    const event = type as WebhookEvent;
    if (!webhook.events.includes(event)) return;
    const id = `dlv_${run.id.slice('run_'.length)}_${run.seq + 1 + i}`;
    deliveries.push({ id, event, snapshot: event === 'run.waiting' ? snapshotOf(run, change) : null, createdAt: at });
  });
  return deliveries;
}

/** The change with its messages. */
export function withDeliveries(run: Run, change: Change): Change {
  return run.webhook === null ? change : { ...change, deliveries: deliveriesOf(run, change) };
}

/** What the run looks like right after the change; a run that goes on has no output to show. */
function snapshotOf(run: Run, { status, patch, output }: Change): JsonObject {
  const rendered = renderRun(
    { ...run, ...patch, status },
    { include: { inputs: false, output: false }, showKey: false },
  );
  const fields = MOVING.map((name) => [name, rendered[name]]);
  return { ...Object.fromEntries(fields), output: output ?? null } as JsonObject;
}
