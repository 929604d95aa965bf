import { isoTime } from '../core/iso-time.ts';
import type { RunId } from '../core/ids.ts';
import type { Json } from '../core/json.ts';
import type { EventType, RunEvent, RunWithPayloads } from './model.ts';
import { renderRun, WITH_PAYLOADS, type RenderedRun } from './render-run.ts';

/** An event as its readers see it, in a stream and on a page alike; field names are the contract's. */
export interface RenderedEvent {
  run_id: string;
  seq: number;
  type: EventType;
  at: string;
  data: Json | { run: RenderedRun };
}

const ENDS: ReadonlySet<EventType> = new Set<EventType>([
  'run.succeeded',
  'run.failed',
  'run.cancelled',
  'run.timed_out',
]);

/** Whether the event is a run's last one. */
export function isEnd({ type }: Pick<RunEvent, 'type'>): boolean {
  return ENDS.has(type);
}

/** Renders an event that is no end. */
export function renderEvent(id: RunId, { seq, type, at, data }: RunEvent): RenderedEvent {
  return { run_id: id, seq, type, at: isoTime(at), data };
}

/**
 * Renders a run's end from its row, which no longer changes; what an operator found out later, and whose key it was, are
 * left out, so that it is the same whenever it is told, and to whomever.
 */
export function renderEnd(run: RunWithPayloads, { seq, type, at }: RunEvent): RenderedEvent {
  const ended = renderRun({ ...run, resolution: null }, { include: WITH_PAYLOADS, showKey: false });
  return { run_id: run.id, seq, type, at: isoTime(at), data: { run: ended } };
}

/** The event as a frame of `text/event-stream`. */
export function frameOf(event: RenderedEvent): string {
  return `id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
