import { describe, expect, it } from 'vitest';
import { answerText, jsonOf, rawServer, signalled, testUpstream } from './support.ts';

const limits = { answerBytesMax: 1_000 };

describe('the size cap', () => {
  it('lets an answer of exactly that size pass', async () => {
    const body = JSON.stringify('a'.repeat(998));
    const server = await rawServer(({ socket }) => socket.write(answerText(body)));
    expect(jsonOf(await testUpstream({ limits }).call(server.origin))).toHaveLength(998);
  });

  it('refuses a longer one by its announced length, unread, and closes the connection', async () => {
    const closed = signalled();
    const server = await rawServer(({ socket }) => {
      socket.once('close', () => closed.resolve());
      socket.write('HTTP/1.1 200 OK\r\nx-request-id: r1\r\ncontent-length: 1001\r\n\r\n');
    });
    const answer = await testUpstream({ limits }).call(server.origin);
    expect(answer).toMatchObject({ status: 200, headers: { 'x-request-id': 'r1' }, body: { kind: 'too_large' } });
    await closed.promise;
  });

  it('stops reading an endless one', async () => {
    const closed = signalled();
    let written = 0;
    const server = await rawServer(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
      const pump = () => {
        while (!socket.destroyed && socket.write(`400\r\n${'a'.repeat(1_024)}\r\n`)) written += 1_024;
      };
      socket.on('drain', pump).once('close', () => closed.resolve());
      pump();
    });
    const answer = await testUpstream({ limits: { answerBytesMax: 100_000 } }).call(server.origin);
    expect(answer.body).toEqual({ kind: 'too_large' });
    await closed.promise;
    expect(written).toBeLessThan(50_000_000);
  });
});
