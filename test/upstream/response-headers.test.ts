import { describe, expect, it } from 'vitest';
import { answerText, rawServer, testUpstream } from './support.ts';

async function headersOf(...headers: string[]) {
  const server = await rawServer(({ socket }) => socket.write(answerText('{}', { headers })));
  return (await testUpstream().call(server.origin)).headers;
}

describe('the headers that come in', () => {
  it('are those of the list, in lower case', async () => {
    expect(
      await headersOf(
        'Content-Type: application/json',
        'Retry-After: 12',
        'X-RateLimit-Limit: 100',
        'x-ratelimit-remaining: 99',
        'X-Request-Id: req_1',
        'Set-Cookie: a=b',
        'Server: nginx',
        'Location: http://elsewhere',
        'x-api-key: nobody',
        'access-control-allow-origin: *',
        '__proto__: x',
        'constructor: y',
      ),
    ).toEqual({
      'content-type': 'application/json',
      'retry-after': '12',
      'x-ratelimit-limit': '100',
      'x-ratelimit-remaining': '99',
      'x-request-id': 'req_1',
    });
  });

  it('join values that come twice', async () => {
    expect(await headersOf('x-ratelimit-limit: 1', 'x-ratelimit-limit: 2')).toEqual({ 'x-ratelimit-limit': '1, 2' });
  });

  it('leave out what is too long, and what is too many', async () => {
    expect(await headersOf(`x-request-id: ${'a'.repeat(1_025)}`)).toEqual({});
    const many = await headersOf(...Array.from({ length: 100 }, (_, i) => `x-ratelimit-${i}: 1`));
    expect(Object.keys(many)).toHaveLength(32);
  });
});
