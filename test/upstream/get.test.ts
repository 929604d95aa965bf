import { onTestFinished, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import type { PlainGet } from '../../src/core/outbound.ts';
import { createSystemRandom } from '../../src/core/random.ts';
import { createUpstream } from '../../src/upstream/create-upstream.ts';
import { answerText, echo, failureOf, httpServer, rawServer, signalled, UPSTREAM_LIMITS } from './support.ts';

const never = new AbortController().signal;
const quiet = () => undefined;

/** Vendors' addresses on loopback are exempted, as in the sandbox. */
function testDocuments(allowedLoopback: ReadonlySet<string> = new Set()) {
  const documents = createUpstream({
    clock: systemClock,
    random: createSystemRandom(),
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    limits: UPSTREAM_LIMITS,
    guard: { allowedLoopback },
    version: '9.9.9',
  });
  onTestFinished(() => documents.close());
  return documents;
}

function getOf(url: string, changes: Partial<PlainGet> = {}): PlainGet {
  return { url, allowPrivateNetwork: true, timeoutMs: 2_000, bytesMax: 1_000, ...changes };
}

describe('a document that anybody may read', () => {
  it('is fetched with our name, and nothing that is secret', async () => {
    const seen = signalled<{ head: object; url: string; method: string }>();
    const server = await httpServer(
      echo(({ headers, url = '', method = '' }) => {
        seen.resolve({ head: headers, url, method });
        return { keys: [] };
      }),
    );
    const answer = await testDocuments().get(getOf(`${server.origin}/a/../keys?p=b%20c#part`), never);
    expect(answer).toMatchObject({ status: 200, body: { kind: 'json', value: { keys: [] } } });
    expect(await seen.promise).toEqual({
      method: 'GET',
      url: '/keys?p=b%20c',
      head: {
        host: server.origin.slice(7),
        connection: 'keep-alive',
        accept: 'application/json',
        'user-agent': 'rungate/9.9.9',
        'rungate-hop': '1',
      },
    });
  });

  it('is not looked for where a redirect leads', async () => {
    const elsewhere = await httpServer(echo(() => ({})));
    const server = await rawServer(({ socket }) => {
      socket.write(answerText('', { status: '302 Found', headers: [`location: ${elsewhere.origin}/`] }));
    });
    expect(await testDocuments().get(getOf(server.origin), never)).toMatchObject({ status: 302 });
    expect(elsewhere.connections()).toBe(0);
  });

  it.each([
    ['said', (body: string) => answerText(body)],
    ['unsaid', (body: string) => `HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${body}`],
  ])('is cut where it is too large, its length %s', async (_, answerOf) => {
    const server = await rawServer(({ socket }) => socket.end(answerOf('x'.repeat(1_001))));
    expect(await testDocuments().get(getOf(server.origin), never)).toMatchObject({ body: { kind: 'too_large' } });
    const { body } = await testDocuments().get(getOf(server.origin, { bytesMax: 1_001 }), never);
    expect(body.kind).toBe('unreadable');
  });

  it('ends in time where it comes by drops', async () => {
    const server = await rawServer(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n');
      const drip = setInterval(() => socket.write('x'), 20);
      socket.once('close', () => clearInterval(drip));
    });
    const before = performance.now();
    const got = testDocuments().get(getOf(server.origin, { timeoutMs: 200 }), never);
    await expect(
      got.then(
        ({ body }) => body.kind,
        () => 'failed',
      ),
    ).resolves.toMatch(/^(broken|failed)$/);
    expect(performance.now() - before).toBeLessThan(1_500);
  });

  it.each([
    '127.0.0.1',
    'localhost',
    '0x7f.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '169.254.169.254',
    '10.0.0.1',
    '[fd00::1]',
  ])('is never fetched from %s by default, not even where it is exempted for vendors', async (host) => {
    const server = await httpServer(echo(() => ({})));
    const documents = testDocuments(new Set([`127.0.0.1:${server.port}`]));
    const get = getOf(`https://${host}:${server.port}/`, { allowPrivateNetwork: false });
    expect(await failureOf(documents.get(get, never))).toMatchObject({ failure: 'forbidden_address', sent: false });
    expect(server.connections()).toBe(0);
  });

  it.each([
    'http://example.com/',
    'ftp://example.com/',
    'file:///etc/passwd',
    'https://user:pass-word@example.com/',
    'not a url',
    '',
    `https://example.com/${'x'.repeat(5_000)}`,
  ])('is not fetched from %s, which is not repeated', async (url) => {
    const error = await failureOf(testDocuments().get(getOf(url, { allowPrivateNetwork: false }), never));
    expect(error).toMatchObject({ failure: 'invalid_request', sent: false });
    expect(String(error.cause)).not.toContain('pass-word');
  });

  it('is given up with the signal', async () => {
    const arrived = signalled();
    const server = await rawServer(() => arrived.resolve());
    const leaving = new AbortController();
    const got = failureOf(testDocuments().get(getOf(server.origin), leaving.signal));
    await arrived.promise;
    leaving.abort();
    expect(await got).toMatchObject({ failure: 'aborted' });
  });
});
