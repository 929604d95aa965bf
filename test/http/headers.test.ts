import { describe, expect, it } from 'vitest';
import type { IncomingMessage } from 'node:http';
import { accepts, preferredType } from '../../src/http/headers/accept.ts';
import { readIdempotencyKey } from '../../src/http/headers/idempotency-key.ts';
import { isUtf8 } from '../../src/http/headers/media-type.ts';
import { holdOfRead, holdOfStart } from '../../src/http/headers/prefer.ts';
import { requestIdOf } from '../../src/http/headers/request-id.ts';
import { readTraceContext } from '../../src/http/headers/trace-context.ts';

function messageWith(name: string, ...values: string[]): IncomingMessage {
  return { headers: { [name]: values.join(', ') }, headersDistinct: { [name]: values } } as unknown as IncomingMessage;
}

describe('Prefer', () => {
  it.each([
    [undefined, 60_000, null],
    ['respond-async', 0, 'respond-async'],
    ['Respond-Async', 0, 'respond-async'],
    ['respond-async=""', 0, 'respond-async'],
    ['wait=0', 0, 'wait=0'],
    ['wait=5', 5000, 'wait=5'],
    ['wait="5"', 5000, 'wait=5'],
    ['wait = 5', 5000, 'wait=5'],
    ['wait=5; foo="a,b"', 5000, 'wait=5'],
    ['wait=301', 300_000, 'wait=300'],
    ['wait=99999999999999999999999', 300_000, 'wait=300'],
    ['respond-async, wait=5', 5000, 'wait=5'],
    ['wait=5, respond-async', 5000, 'wait=5'],
    ['respond-async, wait=0', 0, 'respond-async'],
    ['wait=5, wait=9', 5000, 'wait=5'],
    ['foo="a, wait=9", wait=5', 5000, 'wait=5'],
    ['wait=-1', 60_000, null],
    ['wait=1.5', 60_000, null],
    ['wait=1e3', 60_000, null],
    ['wait=', 60_000, null],
    ['wait', 60_000, null],
    ['wait="5', 60_000, null],
    ['respond-async=yes', 60_000, null],
    ['return=minimal', 60_000, null],
    [',,;;="', 60_000, null],
    ['', 60_000, null],
  ])('%j holds a start for %d ms', (prefer, ms, applied) => {
    expect(holdOfStart(prefer)).toEqual({ ms, applied });
  });

  it('holds a read only where a wait is asked for', () => {
    expect(holdOfRead(undefined)).toEqual({ ms: 0, applied: null });
    expect(holdOfRead('respond-async')).toEqual({ ms: 0, applied: null });
    expect(holdOfRead('wait=400')).toEqual({ ms: 300_000, applied: 'wait=300' });
  });
});

describe('Accept', () => {
  it.each([
    [undefined, true],
    ['', true],
    ['*/*', true],
    ['application/json', true],
    ['APPLICATION/JSON', true],
    ['application/*;q=0.1', true],
    ['text/html, application/json;q=0.5', true],
    ['text/event-stream, application/json', true],
    ['text/html, */*;q=0.1', true],
    ['application/json;charset=utf-8', true],
    ['text/event-stream', false],
    ['text/html', false],
    ['application/json;q=0', false],
    ['application/json; q=0.0, */*', false],
    ['application/*;q=0, */*', false],
    ['*/*;q=0', false],
    ['application/xml', false],
    ['json', false],
    ['constructor', false],
  ])('%j: JSON is acceptable: %s', (accept, expected) => {
    expect(accepts('json', accept)).toBe(expected);
  });

  it.each([
    ['text/plain', true],
    ['text/plain; version=0.0.4', true],
    ['application/vnd.google.protobuf;q=0.7,text/plain;version=0.0.4;q=0.3', true],
    ['text/*', true],
    ['*/*;q=0.1', true],
    ['application/json', false],
    ['text/html', false],
  ])('%j: plain text is acceptable: %s', (accept, expected) => {
    expect(accepts('text', accept)).toBe(expected);
  });

  it.each([
    [undefined, 'json'],
    ['text/event-stream', 'event-stream'],
    ['text/event-stream;q=0.2, */*;q=0.1', 'event-stream'],
    ['text/event-stream;q=0.1, */*;q=0.2', 'json'],
    ['text/*, application/json', 'json'],
    ['text/event-stream, application/*', 'event-stream'],
    ['text/event-stream;q=0, text/*', null],
    ['text/event-stream;q=0, */*', 'json'],
    [',', 'json'],
    ['__proto__', null],
  ])('%j would rather have %s', (accept, expected) => {
    expect(preferredType(accept)).toBe(expected);
  });
});

describe('Idempotency-Key', () => {
  it.each([
    ['"abc"', 'abc'],
    ['abc', 'abc'],
    [String.raw`"a\"b\\c"`, String.raw`a"b\c`],
    ['order 17, second try', 'order 17, second try'],
    ['a'.repeat(255), 'a'.repeat(255)],
    [`"${'a'.repeat(255)}"`, 'a'.repeat(255)],
  ])('%j is the key %j', (value, key) => {
    expect(readIdempotencyKey(messageWith('idempotency-key', value))).toBe(key);
  });

  it('is not there', () => {
    expect(readIdempotencyKey({ headers: {} } as IncomingMessage)).toBeNull();
  });

  it.each([[''], ['""'], ['"a'], ['a"'], ['"a"; b=1'], [String.raw`"a\b"`], ['ключ'], ['a\tb'], ['a'.repeat(256)]])(
    '%j is refused',
    (value) => {
      expect(() => readIdempotencyKey(messageWith('idempotency-key', value))).toThrow(/Idempotency-Key/);
    },
  );

  it('is refused when it is sent twice', () => {
    expect(() => readIdempotencyKey(messageWith('idempotency-key', 'a', 'b'))).toThrow(/Idempotency-Key/);
  });
});

describe('traceparent', () => {
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const parentId = 'b7ad6b7169203331';
  const good = `00-${traceId}-${parentId}-01`;

  it('is read with its state', () => {
    expect(readTraceContext({ traceparent: good, tracestate: 'a=1,b@c=2' })).toEqual({
      traceparent: good,
      tracestate: 'a=1,b@c=2',
    });
  });

  it('of a later version is read as far as it is known', () => {
    expect(readTraceContext({ traceparent: `01-${traceId}-${parentId}-01-more` })?.traceparent).toBe(good);
  });

  it.each([
    ['', `${good}-more`, good.toUpperCase(), `ff-${traceId}-${parentId}-01`],
    [`00-${'0'.repeat(32)}-${parentId}-01`, `00-${traceId}-${'0'.repeat(16)}-01`, `${good}, ${good}`],
  ])('is ignored where it is malformed', (...values) => {
    for (const traceparent of values) expect(readTraceContext({ traceparent })).toBeNull();
  });

  it.each(['=', 'A=1', 'a=1,b', 'a=\u0007', `a=${'x'.repeat(600)}`, ','])(
    'loses a malformed tracestate %j',
    (tracestate) => {
      expect(readTraceContext({ traceparent: good, tracestate })).toEqual({ traceparent: good, tracestate: null });
    },
  );
});

describe('x-request-id', () => {
  const ids = { request: () => 'req_made' };

  it.each(['a', 'x'.repeat(128), '~!"#'])('%j is taken', (given) => {
    expect(requestIdOf(messageWith('x-request-id', given), ids)).toBe(given);
  });

  it.each(['', 'x'.repeat(129), 'a b', 'ä', 'a, b'])('%j is replaced', (given) => {
    expect(requestIdOf(messageWith('x-request-id', given), ids)).toBe('req_made');
  });
});

describe('Content-Type', () => {
  it.each([
    ['application/json', true],
    ['application/json; charset=utf-8', true],
    ['application/json;charset="UTF-8"', true],
    ['application/json; profile=x', true],
    ['application/json; charset=latin1', false],
    ['application/json; charset=utf-8; charset=utf-16', false],
    ['application/json; charset=', false],
  ])('%j is UTF-8: %s', (contentType, expected) => {
    expect(isUtf8(contentType)).toBe(expected);
  });
});
