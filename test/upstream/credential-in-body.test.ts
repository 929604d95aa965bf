import { describe, expect, it } from 'vitest';
import { reviveJson } from '../../src/core/json.ts';
import { echo, failureOf, httpServer, jsonOf, sealed, SECRET, testUpstream } from './support.ts';

const auth = { type: 'body', name: 'secret_id' } as const;

describe('a credential in the body', () => {
  it('goes out as one more member of it, and nowhere else', async () => {
    const seen: { body: unknown; url: string | undefined; headers: string }[] = [];
    const server = await httpServer(
      echo(({ url, rawHeaders }, body) => {
        seen.push({ body: reviveJson(body), url, headers: rawHeaders.join(' ') });
        return {};
      }),
    );
    await testUpstream().call(server.origin, { auth, body: { role_id: 'r', secret_id: 'not this' } });
    expect(seen).toMatchObject([{ body: { role_id: 'r', secret_id: SECRET }, url: '/run' }]);
    expect(seen[0]?.headers).not.toContain(SECRET);
  });

  it('is found again in no answer', async () => {
    const server = await httpServer(echo((_, body) => ({ echoed: body })));
    const credential = sealed(server.origin, 'k-0123456789abcdef');
    const answer = await testUpstream().call(server.origin, { auth, body: {}, credential });
    expect(jsonOf(answer)).toEqual({ echoed: '{"secret_id":"[secret]"}' });
  });

  it.each([undefined, null, 'text', ['list']])('is refused where the body is no object but %j', async (body) => {
    const server = await httpServer(echo(() => ({})));
    const overrides = { auth, credential: sealed(server.origin), ...(body === undefined ? {} : { body }) };
    const request = { body: undefined, ...overrides } as object;
    const error = await failureOf(testUpstream().call(server.origin, request));
    expect(error).toMatchObject({ failure: 'invalid_request', sent: false });
    expect(server.connections()).toBe(0);
  });
});
