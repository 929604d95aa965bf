import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../src/core/errors.ts';
import { Secret } from '../../src/core/secret.ts';
import { echo, failureOf, httpServer, readAll, SECRET, sealed, signalled, testUpstream } from './support.ts';

const token = 'tok-ü&=/0123456789';
const secretQuery = { name: 'wa_tok en', value: new Secret(token) };

describe('a secret parameter', () => {
  it('goes out behind the others, encoded, beside the credential or instead of it', async () => {
    const seen: { url: string; authorization: string | undefined }[] = [];
    const server = await httpServer(
      echo(({ url = '', headers }) => {
        seen.push({ url, authorization: headers.authorization });
        return {};
      }),
    );
    const upstream = testUpstream();
    await upstream.call(server.origin, { secretQuery, query: { a: 'b' } });
    await readAll(await upstream.stream(server.origin, { secretQuery, auth: { type: 'none' }, format: 'ndjson' }));

    expect(seen.map(({ authorization }) => authorization)).toEqual([`Bearer ${SECRET}`, undefined]);
    expect(seen[0]?.url).toBe('/run?a=b&wa_tok%20en=tok-%C3%BC%26%3D%2F0123456789');
    expect(new URL(seen[1]?.url ?? '', 'http://x').searchParams.get('wa_tok en')).toBe(token);
  });

  it('is scrubbed like the credential, both of them, from answers and from streams', async () => {
    const server = await httpServer((_request, reply) => {
      reply.writeHead(200, { 'x-request-id': encodeURIComponent(token) });
      reply.end(`${JSON.stringify({ a: token, b: SECRET, c: encodeURIComponent(token) })}\n`);
    });
    const upstream = testUpstream();
    const clean = { a: '[secret]', b: '[secret]', c: '[secret]' };
    for (const auth of [{ type: 'none' }, { type: 'bearer' }] as const) {
      const answer = await upstream.call(server.origin, { secretQuery, auth });
      expect(answer).toMatchObject({ headers: { 'x-request-id': '[secret]' }, body: { value: clean } });
      const stream = await upstream.stream(server.origin, { secretQuery, auth, format: 'ndjson' });
      expect(stream.headers).toEqual({ 'x-request-id': '[secret]' });
      expect(await readAll(stream)).toEqual({ frames: [{ kind: 'line', value: clean }], error: null });
    }
  });

  it('is never empty', async () => {
    const server = await httpServer(echo(() => ({})));
    const call = testUpstream().call(server.origin, { secretQuery: { name: 'token', value: new Secret('') } });
    expect(await failureOf(call)).toMatchObject({ failure: 'invalid_request', sent: false });
    expect(server.connections()).toBe(0);
  });
});

describe('a credential that is not shown', () => {
  const auth = { type: 'none' } as const;

  it('leaves no trace in the request', async () => {
    const seen = signalled<string>();
    const server = await httpServer(
      echo(({ url, rawHeaders }) => {
        seen.resolve(JSON.stringify([url, rawHeaders]));
        return {};
      }),
    );
    await testUpstream().call(server.origin, { auth, credential: sealed(server.origin, 'sk-0123456789') });
    expect(await seen.promise).not.toContain('0123456789');
  });

  it('must belong to the origin all the same, and must open', async () => {
    const server = await httpServer(echo(() => ({})));
    const upstream = testUpstream();
    const foreign = upstream.call(server.origin, { auth, credential: sealed('https://elsewhere.test') });
    expect(await failureOf(foreign)).toMatchObject({ failure: 'invalid_request', sent: false });
    const thrown = new GatewayError('vault_unavailable');
    const credential = { id: 'c', origin: server.origin, open: () => Promise.reject(thrown) };
    await expect(upstream.open(server.origin, { auth, credential })).rejects.toBe(thrown);
    await expect(upstream.open(server.origin, { auth, credential, via: 'websocket' })).rejects.toBe(thrown);
    expect(server.connections()).toBe(0);
  });
});
