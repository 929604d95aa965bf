import { describe, expect, it } from 'vitest';
import { answerText, failureOf, jsonOf, rawServer, testUpstream } from './support.ts';

describe('an interim answer', () => {
  it('is not the answer', async () => {
    const server = await rawServer(({ socket }) => {
      socket.write('HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nx-request-id: early\r\n\r\n');
      setTimeout(() => socket.write(answerText('{"final":true}', { headers: ['x-request-id: late'] })), 30);
    });
    const answer = await testUpstream().call(server.origin);
    expect(answer).toMatchObject({ status: 200, headers: { 'x-request-id': 'late' } });
    expect(jsonOf(answer)).toEqual({ final: true });
  });

  it('does not stop the time for the head', async () => {
    const server = await rawServer(({ socket }) => {
      const hints = setInterval(() => socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'), 20);
      socket.once('close', () => clearInterval(hints));
    });
    const error = await failureOf(testUpstream().call(server.origin, { headersTimeoutMs: 150 }));
    expect(error).toMatchObject({ failure: 'headers_timeout', sent: true });
  });
});
