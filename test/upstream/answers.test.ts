import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { JSON_DEPTH_MAX } from '../../src/core/json.ts';
import { answerText, rawServer, testUpstream } from './support.ts';

async function answerTo(bytes: string | Buffer, after: 'stay' | 'end' | 'reset' = 'stay') {
  const server = await rawServer(({ socket }) => {
    socket.write(bytes, () => {
      if (after === 'end') socket.end();
      // A turn later, so that the bytes are read before the reset.
      if (after === 'reset') setTimeout(() => socket.resetAndDestroy(), 50);
    });
  });
  return testUpstream().call(server.origin);
}

describe('an answer', () => {
  it('with the status 250 is an answer like any other', async () => {
    const answer = await answerTo(answerText('{"message":"on the way"}', { status: '250 Running' }));
    expect(answer).toMatchObject({ status: 250, body: { kind: 'json', value: { message: 'on the way' } } });
  });

  it.each([200, 201, 202, 400, 401, 404, 409, 429, 500, 503, 529, 599])('with the status %i is one', async (status) => {
    expect(await answerTo(answerText('{}', { status: `${status} X` }))).toMatchObject({
      status,
      body: { kind: 'json' },
    });
  });

  it('without a body is empty', async () => {
    expect((await answerTo(answerText(''))).body).toEqual({ kind: 'empty' });
    expect((await answerTo('HTTP/1.1 204 No Content\r\n\r\n')).body).toEqual({ kind: 'empty' });
    expect((await answerTo('HTTP/1.1 200 OK\r\n\r\n', 'end')).body).toEqual({ kind: 'empty' });
  });

  it('may end with the connection', async () => {
    expect((await answerTo('HTTP/1.1 200 OK\r\n\r\n{"a":1}', 'end')).body).toEqual({ kind: 'json', value: { a: 1 } });
  });

  it.each(['null', '[]', '"text"', '0', ' {"a": 1}\n'])('may be any JSON: %j', async (text) => {
    expect((await answerTo(answerText(text))).body).toEqual({ kind: 'json', value: JSON.parse(text) });
  });

  it('that is no JSON is unreadable, with its first 500 characters', async () => {
    const answer = await answerTo(answerText(`<html>${'é'.repeat(600)}`));
    expect(answer.body).toEqual({ kind: 'unreadable', fault: 'not_json', text: `<html>${'é'.repeat(494)}` });
  });

  it('that is broken UTF-8, or too deep, is unreadable', async () => {
    const broken = Buffer.concat([
      Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"'),
      Buffer.from([0xc3, 0x28, 0xff]),
    ]);
    expect((await answerTo(Buffer.concat([broken, Buffer.from('"')]))).body).toMatchObject({ fault: 'not_utf8' });
    const deep = '['.repeat(JSON_DEPTH_MAX + 1) + ']'.repeat(JSON_DEPTH_MAX + 1);
    expect((await answerTo(answerText(deep))).body).toMatchObject({ kind: 'unreadable', fault: 'too_deep' });
  });

  it('that comes compressed is not unpacked', async () => {
    const body = gzipSync('{"a":1}');
    const head = `HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${body.length}\r\n\r\n`;
    const answer = await answerTo(Buffer.concat([Buffer.from(head), body]));
    expect(answer.body).toEqual({ kind: 'unreadable', fault: 'compressed', text: '[compressed body]' });
    expect(answer.headers).toEqual({});
  });

  it.each([
    ['is cut', 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"a"', 'end'],
    ['is reset', 'HTTP/1.1 429 Slow\r\nretry-after: 7\r\ncontent-length: 100\r\n\r\n{"a"', 'reset'],
    ['ends inside its chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"a"', 'end'],
    ['has a broken chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n', 'stay'],
  ] as const)('whose body %s keeps its head', async (_name, bytes, after) => {
    const answer = await answerTo(bytes, after);
    expect(answer.body.kind).toBe('broken');
    expect(answer.status).toBe(Number(bytes.slice(9, 12)));
    expect(answer.headers).toEqual(answer.status === 429 ? { 'retry-after': '7' } : {});
  });

  it('that breaks shows no byte of itself in the cause', async () => {
    const answer = await answerTo('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nsecret-like-bytes\r\n');
    if (answer.body.kind !== 'broken') throw new Error('expected a broken body');
    const { cause } = answer.body;
    expect(JSON.stringify(cause) + String(cause) + Object.values(cause as object).join()).not.toContain('secret-like');
  });
});
