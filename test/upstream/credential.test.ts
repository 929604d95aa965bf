import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../src/core/errors.ts';
import { Secret } from '../../src/core/secret.ts';
import {
  echo,
  failureOf,
  httpServer,
  jsonOf,
  rawServer,
  answerText,
  sealed,
  SECRET,
  signalled,
  testUpstream,
} from './support.ts';

const plain = 'k-0123456789abcdef';

describe('the credential', () => {
  it.each([
    [{ type: 'bearer' } as const, 'authorization', `Bearer ${plain}`],
    [{ type: 'header', name: 'x-api-key' } as const, 'x-api-key', plain],
  ])('goes out as %o', async (auth, name, value) => {
    const seen = signalled<unknown>();
    const server = await httpServer(
      echo((request) => {
        seen.resolve(request.headers[name]);
        return {};
      }),
    );
    await testUpstream().call(server.origin, { auth, credential: sealed(server.origin, plain) });
    expect(await seen.promise).toBe(value);
  });

  it('goes out as a query parameter, encoded, behind those that are there', async () => {
    const seen = signalled<string>();
    const server = await httpServer(
      echo((request) => {
        seen.resolve(request.url ?? '');
        return {};
      }),
    );
    await testUpstream().call(server.origin, { auth: { type: 'query', name: 'to&ken' }, query: { a: 'b c' } });
    const url = await seen.promise;
    expect(url.startsWith('/run?a=b%20c&to%26ken=')).toBe(true);
    expect(new URL(url, 'http://x').searchParams.get('to&ken')).toBe(SECRET);
  });

  it('is refused for any other origin, unopened, and nothing is sent', async () => {
    const server = await httpServer(echo(() => ({})));
    const upstream = testUpstream();
    for (const origin of ['http://127.0.0.1:1', `https://127.0.0.1:${server.port}`, 'http://127.0.0.1', '', 'null']) {
      let opened = false;
      const credential = { id: 'cred_7', origin, open: async () => ((opened = true), new Secret(plain)) };
      const error = await failureOf(upstream.call(server.origin, { credential }));
      expect(error).toMatchObject({ failure: 'invalid_request', sent: false });
      expect(opened).toBe(false);
    }
    expect(server.connections()).toBe(0);
    expect(upstream.logged[0]?.fields).toEqual({ credential: 'cred_7', origin: server.origin });
  });

  it('does not follow a redirect', async () => {
    const elsewhere = await httpServer(echo(() => ({})));
    for (const status of [301, 302, 303, 307, 308]) {
      const server = await rawServer(({ socket }) => {
        socket.write(answerText('', { status: `${status} Moved`, headers: [`location: ${elsewhere.origin}/`] }));
      });
      const answer = await testUpstream().call(server.origin);
      expect(answer).toMatchObject({ status, headers: {}, body: { kind: 'empty' } });
    }
    expect(elsewhere.connections()).toBe(0);
  });

  it.each(['with\r\nx-evil: 1', 'with\nnewline', 'nul\0', ' padded', 'padded\n', 'umläut', ''])(
    'that cannot be a header (%j) is refused, and the error does not show it',
    async (value) => {
      const server = await httpServer(echo(() => ({})));
      const error = await failureOf(testUpstream().call(server.origin, { credential: sealed(server.origin, value) }));
      expect(error).toMatchObject({ failure: 'invalid_request', sent: false });
      expect(String(error.cause)).toBe('Error: the credential cannot be written as a header');
      expect(server.connections()).toBe(0);
    },
  );

  it.each([
    ['a GatewayError', new GatewayError('vault_unavailable')],
    ['anything else', new TypeError('a bug')],
  ])('that does not open hands on %s as it is', async (_name, thrown) => {
    const server = await httpServer(echo(() => ({})));
    const credential = { id: 'c', origin: server.origin, open: () => Promise.reject(thrown) };
    await expect(testUpstream().call(server.origin, { credential })).rejects.toBe(thrown);
    expect(server.connections()).toBe(0);
  });

  it('is opened once for each call, and not before it', async () => {
    const server = await httpServer(echo(() => ({})));
    let opened = 0;
    const credential = { id: 'c', origin: server.origin, open: async () => (opened++, new Secret(plain)) };
    const upstream = testUpstream();
    await upstream.call(server.origin, { credential });
    await upstream.call(server.origin, { credential });
    expect(opened).toBe(2);
  });
});

describe('a base URL', () => {
  it.each([
    'ftp://127.0.0.1/',
    'file:///etc/passwd',
    'http://user:pass-word@127.0.0.1:1',
    'http://user@127.0.0.1:1',
    'http://127.0.0.1:1/?a=b',
    'http://127.0.0.1:1/#x',
    'not a url',
    '',
  ])('%j is refused', async (baseUrl) => {
    const error = await failureOf(testUpstream().call('http://127.0.0.1:1', { baseUrl }));
    expect(error).toMatchObject({ failure: 'invalid_request', sent: false });
    expect(String(error.cause)).not.toContain('pass-word');
  });

  it('keeps its path, with or without a slash at the end', async () => {
    const server = await httpServer(echo((request) => ({ url: request.url ?? '' })));
    const upstream = testUpstream();
    for (const tail of ['/api/v1', '/api/v1/']) {
      const answer = await upstream.call(server.origin, { baseUrl: server.origin + tail, path: '/x%2Fy' });
      expect(jsonOf(answer)).toEqual({ url: '/api/v1/x%2Fy' });
    }
  });

  it.each(['', 'run', '/a b', '/a\r\nx', '/a?b', '/a#b', '/../x', '/a/..', '/a/./b', '/%2e%2e/x', '/ä', '/a\0'])(
    'is never left by the path %j',
    async (path) => {
      const server = await httpServer(echo(() => ({})));
      const error = await failureOf(testUpstream().call(server.origin, { path }));
      expect(error).toMatchObject({ failure: 'invalid_request', sent: false });
      expect(server.connections()).toBe(0);
    },
  );
});
