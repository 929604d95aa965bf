import { parseJson } from '../../core/json.ts';
import { FRAME_BYTES_MAX, type Decoder, type Emit } from './decoder.ts';
import { LineBuffer } from './line-buffer.ts';

const LF = 0x0a;
const WHITE = new Set([0x20, 0x09, 0x0d]);

/**
 * JSON, one value a line, ended by LF or CRLF; the last line needs no end. Empty lines are passed over. A line that is
 * no JSON, too deep or larger than `FRAME_BYTES_MAX` is `unreadable`, and the next one is read as if nothing had been.
 */
export function decodeNdjson(emit: Emit): Decoder {
  const rest = new LineBuffer(FRAME_BYTES_MAX);
  const hand = (line: Buffer | null) => {
    if (line !== null && line.every((byte) => WHITE.has(byte))) return;
    const parsed = line === null || line.length > FRAME_BYTES_MAX ? null : parseJson(line);
    emit(parsed?.ok === true ? { kind: 'line', value: parsed.value } : { kind: 'unreadable' });
  };
  return {
    push(chunk) {
      let from = 0;
      for (let to = chunk.indexOf(LF); to !== -1; to = chunk.indexOf(LF, from)) {
        const piece = chunk.subarray(from, to);
        if (rest.isEmpty) hand(piece);
        else {
          rest.add(piece);
          hand(rest.take());
        }
        from = to + 1;
      }
      if (from < chunk.length) rest.add(chunk.subarray(from));
    },
    end() {
      if (!rest.isEmpty) hand(rest.take());
    },
  };
}
