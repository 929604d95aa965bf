import { reviveJson, type Json } from '../../core/json.ts';
import { hasEnded, type EventType, type NewEvent, type RunEvent, type RunStatus } from '../../runs/model.ts';
import type { FarEvents, Row, Value } from './operations.ts';

/**
 * A run's event log lies in two places, which together hold each `seq` once. What its moves say is short and few:
 * it stands in the run's own row, in the column `log`, so that a run that begins and ends costs no row besides.
 * Everything else (a vendor's output, hints, the moves of a run that waits again and again) is in the table `events`.
 */
const NEAR_DATA_CHARACTERS_MAX = 512;
const NEAR_SEQ_MAX = 100;

/** Events as they are written: a text to append to the row's `log`, and rows of `events`, or null for none. */
export interface PlacedEvents {
  near: string;
  far: FarEvents | null;
}

/** Places a move's events, the first of which is number `firstSeq`. */
export function placeEvents(events: readonly NewEvent[], firstSeq: number): PlacedEvents {
  let near = '';
  let far: Value[] | null = null;
  let seq = firstSeq;
  for (const event of events) {
    const data = dataText(event);
    if (seq <= NEAR_SEQ_MAX && data.length <= NEAR_DATA_CHARACTERS_MAX) {
      near += `[${seq},"${event.type}",${event.at},${data}]\n`;
    } else (far ??= []).push(seq, event.type, event.at, data);
    seq++;
  }
  return { near, far };
}

/** A vendor's output as it is written, three values an event: type, time, data. The writer numbers it. */
export function outputRows(events: readonly NewEvent[]): Value[] {
  return events.flatMap((event) => [event.type, event.at, dataText(event)]);
}

/** The events of both places with a number beyond `after`, in order, at most `limit`; `rows` are those of the table. */
export function mergeEvents(log: string, rows: readonly Row[], { after, limit }: { after: number; limit: number }) {
  const events = rows.map(eventFromRow);
  for (const line of log.split('\n')) {
    if (line === '') continue;
    const event = eventFromLine(line);
    if (event.seq > after) events.push(event);
  }
  return events.sort((a, b) => a.seq - b.seq).slice(0, limit);
}

/** The ends of runs are rendered from the row, so they keep no data. */
function dataText({ type, data }: NewEvent): string {
  return data === null || hasEnded({ status: type.slice('run.'.length) as RunStatus }) ? 'null' : JSON.stringify(data);
}

function eventFromLine(line: string): RunEvent {
  const [seq, type, at, data] = reviveJson<[number, EventType, number, Json]>(line);
  return { seq, type, at, data };
}

function eventFromRow(row: Row): RunEvent {
  const [seq, type, at, data] = row as [number, EventType, number, string];
  return { seq, type, at, data: reviveJson<Json>(data) };
}
