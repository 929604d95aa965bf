import { isJsonObject, parseJson, type Json, type JsonObject } from '../../core/json.ts';
import type { StreamReader } from '../define-provider.ts';
import { progress, shortText } from '../reading.ts';

/** Sent so that a connection stays open. */
const KEEP_ALIVE = /^(ping|pong|heartbeat|keep-?alive|connected|open)$/i;
/** Words for a state that a run may have come to. */
const STATE = /(wait|succe|complete|finish|fail|error|cancel|abort|partial|done|ended|time[d_ -]*out)/i;
/** What befalls one step of many changes the run only where it stops it. */
const STOPPING = /(wait|fail|error|cancel|abort)/i;
const ONE_STEP = /^(node|execution|step)s?\b/i;

/**
 * Reads a run's stream of server-sent events whose names and data the vendor does not document: each is a step to show,
 * and what looks like a change of the run's state is a reason to ask for the run. Nothing in it is taken for an end.
 */
export function createStepReader(): StreamReader {
  let lastChange: string | null = null;
  return {
    read(frame) {
      if (frame.kind === 'unreadable') return [{ is: 'ask' }];
      if (frame.kind !== 'event') throw new TypeError('expected an event');
      const { name, data } = readEvent(frame.event, frame.data);
      if (KEEP_ALIVE.test(name)) return [];
      const change = changeIn(name, isJsonObject(data) ? data : {});
      // The same state told again is no news.
      const news = change !== null && change !== lastChange;
      if (news) lastChange = change;
      return news ? [progress(name, data), { is: 'ask' }] : [progress(name, data)];
    },
    end: () => null,
  };
}

function readEvent(event: string, text: string): { name: string; data: Json } {
  const parsed = parseJson(text);
  const data = parsed.ok ? parsed.value : shortText(text);
  const told = isJsonObject(data) ? firstText(data, ['type', 'event', 'name']) : null;
  return { name: event === 'message' ? (told ?? event) : event, data };
}

/** What the run may have come to by this event, in a form to compare; null: nothing. */
function changeIn(name: string, fields: JsonObject): string | null {
  const inner = isJsonObject(fields.data) ? fields.data : {};
  const state = firstText(fields, ['status', 'state']) ?? firstText(inner, ['status', 'state']) ?? '';
  const node = firstText(fields, ['nodeId', 'node_id']) ?? firstText(inner, ['nodeId', 'node_id']) ?? '';
  const wanted = ONE_STEP.test(name) || node !== '' ? STOPPING : STATE;
  return wanted.test(name) || wanted.test(state) ? `${name} ${state} ${node}` : null;
}

function firstText(fields: JsonObject, names: readonly string[]): string | null {
  return names.map((name) => shortText(fields[name], 100)).find((text) => text !== null) ?? null;
}
