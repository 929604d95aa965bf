import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StreamFrame } from '../../src/core/outbound.ts';
import { decodeNdjson } from '../../src/upstream/decoders/decode-ndjson.ts';
import { decodeSse } from '../../src/upstream/decoders/decode-sse.ts';
import { decodeText } from '../../src/upstream/decoders/decode-text.ts';
import { FRAME_BYTES_MAX, type Decoder, type Emit } from '../../src/upstream/decoders/decoder.ts';

const MIB = FRAME_BYTES_MAX;
const unreadable = { kind: 'unreadable' };
const event = (data: string, name = 'message') => ({ kind: 'event', event: name, data });
const line = (value: unknown) => ({ kind: 'line', value });

function read(create: (emit: Emit) => Decoder, chunks: readonly (string | Uint8Array)[]): StreamFrame[] {
  const frames: StreamFrame[] = [];
  const decoder = create((frame) => frames.push(frame));
  for (const chunk of chunks) decoder.push(Buffer.from(chunk as string));
  decoder.end();
  return frames;
}

function cutAt(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const sorted = [0, ...places.map((place) => place % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  return sorted.slice(1).map((to, i) => bytes.subarray(sorted[i], to));
}

const places = fc.array(fc.nat(), { maxLength: 12 });

describe('server-sent events', () => {
  it('are read by the rules of the standard', () => {
    const text =
      '\uFEFF: hello\ndata: a\n\nevent: step\nid: 7\nretry: 5\ndata: b\ndata:c\nother: x\n\n:only a comment\n\ndata\n\n';
    expect(read(decodeSse, [text])).toEqual([event('a'), event('b\nc', 'step'), event('')]);
  });

  it.each(['\n', '\r\n', '\r'])('may end their lines with %j, wherever the bytes are cut', (end) => {
    const text = Buffer.from(`data: Grüße${end}${end}event: \u{1f600}${end}data: b${end}data: c${end}${end}`);
    const whole = [event('Grüße'), event('b\nc', '\u{1f600}')];
    for (let at = 0; at <= text.length; at++) {
      expect(read(decodeSse, [text.subarray(0, at), text.subarray(at)])).toEqual(whole);
    }
    expect(read(decodeSse, cutAt(text, [...text.keys()]))).toEqual(whole);
  });

  it.each(['data: b\n', 'data: b', 'data: b\r', 'data: b\r\n'])('may end with the stream: %j', (last) => {
    expect(read(decodeSse, [`data: a\n\n${last}`])).toEqual([event('a'), event('b')]);
  });

  it('are none where the stream ends in a comment, or behind an event', () => {
    expect(read(decodeSse, ['data: a\n\n: still here'])).toEqual([event('a')]);
    expect(read(decodeSse, ['data: a\n\n'])).toEqual([event('a')]);
    expect(read(decodeSse, ['data: a\n\n\n'])).toEqual([event('a')]);
  });

  it.each([1, 1_000, 65_536, 3 * MIB])(
    'that are too large are unreadable, and the next is read (chunks of %i)',
    (size) => {
      const huge = `data: ${'x'.repeat(size === 1 ? MIB + 10 : 2 * MIB)}`;
      for (const text of [`data: a\n\n${huge}\n\ndata: b\n\n`, `data: a\r\n\r\n${huge}\r\n\r\ndata: b\r\n\r\n`]) {
        const bytes = Buffer.from(text);
        const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
          bytes.subarray(i * size, (i + 1) * size),
        );
        expect(read(decodeSse, chunks)).toEqual([event('a'), unreadable, event('b')]);
      }
    },
  );

  it('of many lines are too large together', () => {
    const text = `${'data: 0123456789\n'.repeat(MIB / 10)}\ndata: b\n\n`;
    expect(read(decodeSse, cutAt(Buffer.from(text), [10_000, 500_000, 1_100_000]))).toEqual([unreadable, event('b')]);
  });

  it('may be told apart by comments for ever', () => {
    const frames = read(
      decodeSse,
      Array.from({ length: 40 }, () => `${': ping\n\n'.repeat(8_000)}data: a\n\n`),
    );
    expect(frames).toEqual(Array.from({ length: 40 }, () => event('a')));
  });
});

describe('NDJSON', () => {
  it('is read line by line, wherever the bytes are cut; the last line needs no end', () => {
    const text = Buffer.from('{"a":"Grüße"}\r\n\n  \n[1,"\u{1f600}"]\nnull\nnope\n"last"');
    const whole = [line({ a: 'Grüße' }), line([1, '\u{1f600}']), line(null), unreadable, line('last')];
    fc.assert(
      fc.property(places, (cuts) => {
        expect(read(decodeNdjson, cutAt(text, cuts))).toEqual(whole);
      }),
    );
    expect(read(decodeNdjson, cutAt(text, [...text.keys()]))).toEqual(whole);
  });

  it('is unreadable where a line is too deep, no UTF-8 or too large, and goes on', () => {
    const deep = '['.repeat(200) + ']'.repeat(200);
    const large = JSON.stringify('x'.repeat(MIB));
    const bytes = Buffer.concat([
      Buffer.from(`${deep}\n"`),
      Buffer.from([0xff]),
      Buffer.from(`"\n${large}\n${large}\n1\n${large}`),
    ]);
    const whole = [unreadable, unreadable, unreadable, unreadable, line(1), unreadable];
    expect(read(decodeNdjson, [bytes])).toEqual(whole);
    expect(read(decodeNdjson, cutAt(bytes, [100, 500, 70_000, 900_000, 1_200_000, 2_000_000]))).toEqual(whole);
  });

  it('brings a line just within the limit', () => {
    const text = JSON.stringify('x'.repeat(MIB - 2));
    expect(read(decodeNdjson, [text.slice(0, 9), `${text.slice(9)}\n`])).toEqual([line('x'.repeat(MIB - 2))]);
  });
});

describe('text', () => {
  const joined = (frames: StreamFrame[]) => frames.map((frame) => (frame.kind === 'text' ? frame.text : '?')).join('');

  it('never brings half a character, wherever it is cut', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), places, (text, cuts) => {
        const frames = read(decodeText, cutAt(Buffer.from(text), cuts));
        for (const frame of frames)
          expect(frame.kind === 'text' && frame.text.isWellFormed() && frame.text !== '').toBe(true);
        expect(joined(frames)).toBe(text.replace(/^\uFEFF/, ''));
      }),
    );
  });

  it('has U+FFFD for bytes that are no UTF-8, however they are cut', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), places, (bytes, cuts) => {
        expect(joined(read(decodeText, cutAt(bytes, cuts)))).toBe(new TextDecoder().decode(bytes));
      }),
    );
    expect(joined(read(decodeText, [Buffer.from('a€').subarray(0, 3)]))).toBe('a\uFFFD');
  });
});
