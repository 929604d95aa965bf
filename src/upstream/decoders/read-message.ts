import { parseJson } from '../../core/json.ts';
import type { StreamFrame } from '../../core/outbound.ts';
import type { Scrubber } from '../scrubber.ts';

/** One message of a WebSocket: its text is JSON, or it is `unreadable`, as every binary message is. */
export function readMessage(data: unknown, scrubber: Scrubber): StreamFrame {
  const parsed = typeof data === 'string' ? parseJson(scrubber.unicode(data)) : null;
  return parsed?.ok === true ? { kind: 'message', value: parsed.value } : { kind: 'unreadable' };
}
