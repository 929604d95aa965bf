import { createParser } from 'eventsource-parser';
import { FRAME_BYTES_MAX, type Decoder, type Emit } from './decoder.ts';

/** The end of a line and an empty line behind it: the end of an event. */
const EVENT_END = /(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)/;
/** `EVENT_END` may be cut before its last character. */
const EVENT_END_LENGTH = 4;

/**
 * Server-sent events, as the HTML standard reads them: comments, ids and reconnection times are passed over. Otherwise
 * than there, an event that lacks its empty line at the orderly end of the stream is one: many servers forget that line
 * behind their last event, and what the vendor said must not be lost. An event that grows beyond `FRAME_BYTES_MAX`
 * characters is `unreadable`; reading goes on behind it.
 */
export function decodeSse(emit: Emit): Decoder {
  const text = new TextDecoder();
  const parser = createParser({
    maxBufferSize: FRAME_BYTES_MAX,
    onEvent: ({ event = 'message', data }) => {
      eventSeen = true;
      emit(data.length > FRAME_BYTES_MAX ? { kind: 'unreadable' } : { kind: 'event', event, data });
    },
    onError: ({ type }) => {
      overflowed ||= type === 'max-buffer-size-exceeded';
    },
  });
  /** At most so many characters are waiting in the parser for the end of their event. */
  let unfinished = 0;
  let eventSeen = false;
  let overflowed = false;
  /** The last characters of an event that was too large and goes on; null where none does. */
  let skipped: string | null = null;

  /** The parser forgets all it has when it overflows, so near its limit it gets one event at a time. */
  function feedCarefully(input: string): void {
    let left = input;
    while (left !== '') {
      const found = EVENT_END.exec(left);
      const part = found === null ? left : left.slice(0, found.index + found[0].length);
      left = left.slice(part.length);
      feed(part);
      if (!overflowed) continue;
      overflowed = false;
      parser.reset();
      emit({ kind: 'unreadable' });
      if (found === null) skipped = part.slice(-EVENT_END_LENGTH);
    }
  }

  function feed(input: string): void {
    eventSeen = false;
    parser.feed(input);
    if (overflowed) unfinished = 0;
    else unfinished = (eventSeen ? 0 : unfinished) + input.length;
  }

  /** Drops characters up to the end of the event that was too large; hands back what is behind it. */
  function skip(input: string, before: string): string {
    const seen = before + input;
    const found = EVENT_END.exec(seen);
    skipped = found === null ? seen.slice(-EVENT_END_LENGTH) : null;
    return found === null ? '' : seen.slice(found.index + found[0].length);
  }

  return {
    push(chunk) {
      let input = text.decode(chunk, { stream: true });
      if (skipped !== null) input = skip(input, skipped);
      if (unfinished + input.length <= FRAME_BYTES_MAX) feed(input);
      else feedCarefully(input);
    },
    end() {
      if (skipped === null && unfinished > 0) feed('\n\n');
    },
  };
}
