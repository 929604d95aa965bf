import { describe, expect, it } from 'vitest';
import { echo, failureOf, httpServer, jsonOf, requestTo, testUpstream } from './support.ts';

describe('the headers that go out', () => {
  it.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const)(
    'are exactly these on a %s without a body',
    async (method) => {
      const server = await httpServer(echo(({ rawHeaders }) => ({ rawHeaders })));
      const { body: _none, ...bodiless } = requestTo(server.origin, { method, allowPrivateNetwork: true });

      const answer = await testUpstream().send(bodiless, new AbortController().signal);

      const writes = method === 'GET' || method === 'DELETE' ? [] : ['content-length', '0'];
      expect((jsonOf(answer) as { rawHeaders: string[] }).rawHeaders).toEqual([
        'host',
        server.origin.replace('http://', ''),
        'connection',
        'keep-alive',
        'accept',
        'application/json',
        'content-type',
        'application/json',
        'user-agent',
        'rungate/9.9.9',
        'rungate-hop',
        '1',
        'authorization',
        'Bearer [secret]',
        ...writes,
      ]);
    },
  );

  it('carry what the kind asks for, and the body as JSON', async () => {
    const server = await httpServer(echo(({ headers }, body) => ({ version: headers['x-version'] ?? null, body })));
    const answer = await testUpstream().call(server.origin, {
      headers: { 'X-Version': '2026-04-01' },
      body: { text: 'Grüße, \u{1f600}' },
    });
    expect(jsonOf(answer)).toEqual({ version: '2026-04-01', body: '{"text":"Grüße, \u{1f600}"}' });
  });

  it.each([
    'Host',
    'content-length',
    'Transfer-Encoding',
    'connection',
    'cookie',
    'Authorization',
    'proxy-authorization',
    'x-forwarded-for',
    'forwarded',
    'accept-encoding',
    'rungate-hop',
    'traceparent',
    'expect',
    'upgrade',
    '',
    'a b',
    'a:b',
    'a\r\nb',
    'ä',
  ])('never include %j', async (name) => {
    const server = await httpServer(echo(() => ({})));
    const error = await failureOf(testUpstream().call(server.origin, { headers: { [name]: 'x' } }));
    expect(error).toMatchObject({ failure: 'invalid_request', sent: false });
    expect(server.connections()).toBe(0);
  });

  it.each(['a\rb', 'a\nb', 'a\0b', 'a\r\nx-evil: 1', 'ü', '\u{1f600}', '\x7f'])(
    'never have the value %j',
    async (value) => {
      const server = await httpServer(echo(() => ({})));
      const error = await failureOf(testUpstream().call(server.origin, { headers: { 'x-a': value } }));
      expect(error).toMatchObject({ failure: 'invalid_request', sent: false });
      expect(server.connections()).toBe(0);
    },
  );

  it('keep the credential’s own header for the credential', async () => {
    const server = await httpServer(echo(() => ({})));
    const error = await failureOf(
      testUpstream().call(server.origin, {
        auth: { type: 'header', name: 'X-Api-Key' },
        headers: { 'x-api-key': 'mine' },
      }),
    );
    expect(error).toMatchObject({ failure: 'invalid_request', sent: false });
  });
});
