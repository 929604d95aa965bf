import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createScrubber } from '../../src/upstream/scrubber.ts';
import { answerText, jsonOf, rawServer, sealed, SECRET, testUpstream } from './support.ts';

const unicode = Array.from(SECRET, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
const percent = Array.from(Buffer.from(SECRET), (byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');

const FORMS: [string, string][] = [
  ['as it is', SECRET],
  ['JSON-escaped', JSON.stringify(SECRET).slice(1, -1)],
  ['JSON-escaped with slashes', JSON.stringify(SECRET).slice(1, -1).replaceAll('/', '\\/')],
  ['JSON-escaped for HTML', JSON.stringify(SECRET).slice(1, -1).replaceAll('=', '\\u003d').replaceAll('+', '\\u002B')],
  ['every character as \\u', unicode],
  ['percent-encoded', encodeURIComponent(SECRET)],
  ['percent-encoded in lower case', encodeURIComponent(SECRET).replace(/%../g, (one) => one.toLowerCase())],
  ['as a form', new URLSearchParams({ a: SECRET }).toString().slice(2)],
  ['every byte percent-encoded', percent],
  ['base64', Buffer.from(SECRET).toString('base64')],
  ['base64url', Buffer.from(SECRET).toString('base64url')],
  ['base64 behind a user name', Buffer.from(`u:${SECRET}`).toString('base64')],
  ['base64 with something around', Buffer.from(`Bearer ${SECRET}, thanks`).toString('base64')],
];

describe('an answer that echoes our credential', () => {
  it.each(FORMS)('is scrubbed of it in the body: %s', async (_name, form) => {
    const server = await rawServer(({ socket }) => socket.write(answerText(`{"ok":1,"echo":"<${form}>"}`)));
    const answer = await testUpstream().call(server.origin);
    const text = JSON.stringify(answer);
    expect(text).toContain('[secret]');
    for (const trace of [SECRET, form, JSON.stringify(SECRET).slice(1, -1)]) expect(text).not.toContain(trace);
  });

  it.each(FORMS)('is scrubbed of it in the headers: %s', async (_name, form) => {
    const server = await rawServer(({ socket }) => {
      socket.write(answerText('{}', { headers: [`x-request-id: a ${form} b`] }));
    });
    const { headers } = await testUpstream().call(server.origin);
    expect(headers['x-request-id']).toMatch(/^a .*\[secret\].* b$/);
    expect(headers['x-request-id']).not.toContain(form);
  });

  it('is replaced where to search it would take too long, and a line says so', async () => {
    const server = await rawServer(({ socket }) => socket.write(answerText(`"%${'A'.repeat(100_000)}"`)));
    const upstream = testUpstream();
    const answer = await upstream.call(server.origin, {
      credential: sealed(server.origin, `${'A'.repeat(8_000)}b`),
      about: { provider: 'a-vendor', operation: 'start', runId: 'run_1' },
    });
    expect(answer.body).toMatchObject({ text: '[secret]' });
    expect(upstream.logged).toEqual([
      {
        fields: { provider: 'a-vendor', operation: 'start', run_id: 'run_1' },
        message: expect.stringContaining('taken too long') as string,
      },
    ]);
  });

  it('is told no header whose name holds it', async () => {
    const server = await rawServer(({ socket }) => {
      socket.write(answerText('{}', { headers: ['x-ratelimit-sk-live-0123456789: 1', 'x-ratelimit-limit: 2'] }));
    });
    const answer = await testUpstream().call(server.origin, {
      credential: sealed(server.origin, 'sk-live-0123456789'),
    });
    expect(answer.headers).toMatchObject({ 'x-ratelimit-limit': '2' });
    expect(JSON.stringify(answer.headers)).not.toContain('sk-live');
  });

  it('is JSON still', async () => {
    const server = await rawServer(({ socket }) => socket.write(answerText(JSON.stringify({ ok: 1, echo: SECRET }))));
    expect(jsonOf(await testUpstream().call(server.origin))).toEqual({ ok: 1, echo: '[secret]' });
  });

  it('is scrubbed of it across chunks, and in what is no JSON', async () => {
    const server = await rawServer(({ socket }) => {
      const [head, tail] = [SECRET.slice(0, 9), SECRET.slice(9)];
      socket.write('HTTP/1.1 500 Oops\r\ntransfer-encoding: chunked\r\n\r\n');
      socket.write(`${(head.length + 3).toString(16)}\r\n<p>${head}\r\n`);
      setTimeout(() => socket.write(`${tail.length.toString(16)}\r\n${tail}\r\n0\r\n\r\n`), 30);
    });
    const answer = await testUpstream().call(server.origin);
    expect(answer.body).toEqual({ kind: 'unreadable', fault: 'not_json', text: '<p>[secret]' });
  });

  it('keeps everything else byte for byte', async () => {
    const body = { text: 'Grüße \u{1f600} 50 % \\u0041 a/b', deep: [{ a: null }, 1.5] };
    const server = await rawServer(({ socket }) => socket.write(answerText(JSON.stringify({ ...body, echo: SECRET }))));
    expect(jsonOf(await testUpstream().call(server.origin))).toEqual({ ...body, echo: '[secret]' });
  });

  it('is left alone where the credential is too short to be one', async () => {
    const server = await rawServer(({ socket }) => socket.write(answerText('{"a":"an abcde"}')));
    const answer = await testUpstream().call(server.origin, { credential: sealed(server.origin, 'abcde') });
    expect(jsonOf(answer)).toEqual({ a: 'an abcde' });
  });
});

describe('the scrubber', () => {
  const secrets = fc.string({ minLength: 6, maxLength: 60, unit: 'grapheme-ascii' });

  it('finds any secret in any of its forms, whatever stands around', () => {
    fc.assert(
      fc.property(secrets, fc.string(), fc.string(), (secret, before, after) => {
        const scrubber = createScrubber([secret]);
        const forms = [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)];
        forms.push(Buffer.from(before + secret + after).toString('base64'));
        for (const form of forms) {
          expect(scrubber.bytes(Buffer.from(`"${form}"`)).toString()).toContain('[secret]');
          expect(scrubber.text(`"${form}"`)).toContain('[secret]');
        }
      }),
    );
  });

  it('hands back the same bytes where there is nothing to find', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const body = Buffer.from(bytes);
        const scrubbed = createScrubber(['sk-a-long-enough-secret']).bytes(body);
        expect(scrubbed).toBe(body);
      }),
    );
  });
});
