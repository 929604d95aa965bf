import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { once } from 'node:events';
import { connect } from 'node:net';
import { PIPELINED_MAX } from '../../src/http/plugins/pipelined.ts';
import { HTTP_LIMITS, sendRaw, startRunsApp, type Envelope, type RunningApp } from '../support/runs-app.ts';

let app: RunningApp;
beforeAll(async () => {
  app = await startRunsApp();
});
afterAll(() => app[Symbol.asyncDispose]());

const LINES = 'Host: x\r\nAuthorization: Bearer runs\r\n';

async function expectEnvelope(bytes: string, status: number, code: string) {
  const answer = await sendRaw(app.port, bytes);
  expect(answer.status, `${answer.head}${answer.body}`).toBe(status);
  const { error } = JSON.parse(answer.body) as Envelope;
  expect(error).toMatchObject({ code, status });
  expect(answer.head).toMatch(/content-type: application\/json/i);
  expect(answer.head.toLowerCase()).toContain(`x-request-id: ${error.request_id}`);
  return answer;
}

describe('what is no HTTP', () => {
  it.each<[string, string, number, string]>([
    ['rubbish', 'hello\r\n\r\n', 400, 'invalid_request'],
    ['an unknown method', `FOO /runs HTTP/1.1\r\n${LINES}\r\n`, 400, 'invalid_request'],
    ['an unknown version', `GET /runs HTTP/9.9\r\n${LINES}\r\n`, 400, 'invalid_request'],
    ['a space in the target', `GET /ru ns HTTP/1.1\r\n${LINES}\r\n`, 400, 'invalid_request'],
    ['a header without a colon', `GET /runs HTTP/1.1\r\n${LINES}rubbish\r\n\r\n`, 400, 'invalid_request'],
    ['a folded header', `GET /runs HTTP/1.1\r\n${LINES}A: b\r\n c\r\n\r\n`, 400, 'invalid_request'],
    ['NUL in a header', `GET /runs HTTP/1.1\r\n${LINES}A: b\0c\r\n\r\n`, 400, 'invalid_request'],
    ['a wrong length', `POST /runs HTTP/1.1\r\n${LINES}Content-Length: x\r\n\r\n`, 400, 'invalid_request'],
    ['a negative length', `POST /runs HTTP/1.1\r\n${LINES}Content-Length: -1\r\n\r\n`, 400, 'invalid_request'],
    [
      'two lengths',
      `POST /runs HTTP/1.1\r\n${LINES}Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}`,
      400,
      'invalid_request',
    ],
    [
      'a length beside chunks',
      `POST /runs HTTP/1.1\r\n${LINES}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}`,
      400,
      'invalid_request',
    ],
    [
      'a broken chunk',
      `POST /runs HTTP/1.1\r\n${LINES}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
      400,
      'invalid_request',
    ],
    [
      'headers beyond the limit',
      `GET /runs HTTP/1.1\r\n${LINES}A: ${'x'.repeat(20_000)}\r\n\r\n`,
      431,
      'invalid_request',
    ],
    ['a target beyond the limit', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n${LINES}\r\n`, 431, 'invalid_request'],
    [
      'an expectation',
      `POST /runs HTTP/1.1\r\n${LINES}Expect: miracles\r\nContent-Length: 0\r\n\r\n`,
      417,
      'invalid_request',
    ],
    ['CONNECT', `CONNECT evil.example:443 HTTP/1.1\r\n${LINES}\r\n`, 405, 'method_not_allowed'],
    ['no Host', 'GET /runs HTTP/1.1\r\nAuthorization: Bearer runs\r\n\r\n', 400, 'invalid_request'],
    ['two Hosts', 'GET /healthz HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n', 400, 'invalid_request'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400, 'invalid_request'],
  ])('%s is answered with the envelope', async (_what, bytes, status, code) => {
    await expectEnvelope(bytes, status, code);
  });

  it('repeats the id and the trace of a request that was refused early', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const said = `${LINES}x-request-id: mine\r\ntraceparent: ${traceparent}\r\n`;
    const expecting = `POST /runs HTTP/1.1\r\n${said}Expect: miracles\r\nContent-Length: 0\r\n\r\n`;
    for (const bytes of [expecting, `CONNECT evil.example:443 HTTP/1.1\r\n${said}\r\n`]) {
      const { head } = await sendRaw(app.port, bytes);
      expect(head.toLowerCase()).toContain('x-request-id: mine');
      expect(head.toLowerCase()).toContain(`traceparent: ${traceparent}`);
    }
  });

  it.each<[string, string, number, string]>([
    ['OPTIONS *', `OPTIONS * HTTP/1.1\r\n${LINES}\r\n`, 404, 'not_found'],
    ['an absolute target', `GET http://evil.example/runz HTTP/1.1\r\n${LINES}\r\n`, 404, 'not_found'],
    ['a semicolon in the path', `GET /healthz;a=b HTTP/1.1\r\n${LINES}\r\n`, 404, 'not_found'],
    ['dot segments', `GET /healthz/../runs HTTP/1.1\r\n${LINES}\r\n`, 404, 'not_found'],
    [
      'a wish to upgrade',
      `GET /nowhere HTTP/1.1\r\n${LINES}Connection: upgrade\r\nUpgrade: h2c\r\n\r\n`,
      404,
      'not_found',
    ],
    ['TRACE', `TRACE /runs HTTP/1.1\r\n${LINES}\r\n`, 405, 'method_not_allowed'],
    [
      'two keys',
      `GET /runs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong\r\nAuthorization: Bearer runs\r\n\r\n`,
      400,
      'invalid_request',
    ],
    [
      'two idempotency keys',
      `POST /runs HTTP/1.1\r\n${LINES}Content-Type: application/json\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\nContent-Length: 16\r\n\r\n{"workflow":"w"}`,
      400,
      'invalid_request',
    ],
  ])('%s is answered with the envelope', async (_what, bytes, status, code) => {
    await expectEnvelope(bytes, status, code);
  });

  it.each(['Host: evil.example', 'Host: /runs', 'Host: ../admin', 'Host:', 'Host: a@b:99999'])(
    '%s decides nothing',
    async (host) => {
      const open = await sendRaw(app.port, `GET /healthz HTTP/1.1\r\n${host}\r\n\r\n`);
      expect(open.status).toBe(200);
      const closed = await sendRaw(app.port, `GET /runs HTTP/1.1\r\n${host}\r\n\r\n`);
      expect(closed.status).toBe(401);
    },
  );

  it('is not answered in the place of a request that is still held', async () => {
    const socket = connect({ host: '127.0.0.1', port: app.port });
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.on('error', () => undefined);
    const body = '{"workflow":"w"}';
    socket.write(
      `POST /runs HTTP/1.1\r\n${LINES}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    socket.write('rubbish\r\n\r\n');
    await once(socket, 'close');
    expect(text).toBe('');
  });

  it('keeps a connection after a refused body that was read', async () => {
    const socket = connect({ host: '127.0.0.1', port: app.port });
    let text = '';
    const answered = new Promise<void>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (text.includes('"status":"ok"')) resolve();
      });
      socket.on('close', () => resolve());
    });
    socket.write(`POST /runs HTTP/1.1\r\n${LINES}Content-Type: application/json\r\nContent-Length: 1\r\n\r\n{`);
    socket.write(`GET /healthz HTTP/1.1\r\n${LINES}\r\n`);
    await answered;
    socket.destroy();
    expect(text).toMatch(/^HTTP\/1.1 400 [^]*HTTP\/1.1 200 /);
  });

  it('meets the one expectation there is', async () => {
    const body = '{"workflow":5}';
    const { status } = await sendRaw(
      app.port,
      `POST /runs HTTP/1.1\r\n${LINES}Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    expect(status).toBe(100);
  });
});

describe('a request that does not arrive', () => {
  it('is given up in time', async () => {
    await using slow = await startRunsApp({ limits: { ...HTTP_LIMITS, requestTimeoutMs: 100 } });
    const { status, body } = await sendRaw(slow.port, `POST /runs HTTP/1.1\r\n${LINES}Content-Length: 10\r\n`);
    expect(status).toBe(408);
    expect((JSON.parse(body) as Envelope).error).toMatchObject({ code: 'invalid_request', status: 408 });
  });
});

describe('requests sent ahead of the answers', () => {
  const last = `GET /healthz HTTP/1.1\r\n${LINES}Connection: close\r\n\r\n`;

  /** How many answers there are to so many requests behind a first one, all sent at once. */
  async function answersTo(behind: number): Promise<number> {
    const one = `GET /healthz HTTP/1.1\r\n${LINES}\r\n`;
    const socket = connect(app.port, '127.0.0.1');
    let text = '';
    socket.on('data', (bytes: Buffer) => (text += bytes.toString())).on('error', () => undefined);
    socket.write(one.repeat(behind) + last);
    await once(socket, 'close');
    return text.split('HTTP/1.1 200 ').length - 1;
  }

  it('are answered, as many as a client may send', async () => {
    expect(await answersTo(PIPELINED_MAX)).toBe(PIPELINED_MAX + 1);
    expect(await answersTo(PIPELINED_MAX)).toBe(PIPELINED_MAX + 1);
  });

  it('cost the connection beyond that, and a line says so', async () => {
    expect(await answersTo(PIPELINED_MAX + 1)).toBeLessThan(PIPELINED_MAX);
    expect(app.log.filter(({ message }) => message.includes('far ahead'))).toHaveLength(1);
    expect(await answersTo(0)).toBe(1);
  });

  it.each([
    ['an expectation that nobody meets', `GET /healthz HTTP/1.1\r\n${LINES}Expect: miracles\r\n\r\n`],
    ['CONNECT', `CONNECT evil.example:443 HTTP/1.1\r\n${LINES}\r\n`],
  ])('are not refused before an earlier one has its answer: %s', async (_what, refused) => {
    const run = JSON.stringify({ provider: 'draft-and-goal', workflow: 'wf_1', inputs: {} });
    const held = `POST /runs HTTP/1.1\r\n${LINES}Content-Type: application/json\r\nPrefer: wait=60\r\nContent-Length: ${run.length}\r\n\r\n${run}`;
    const socket = connect(app.port, '127.0.0.1').on('error', () => undefined);
    let answered = 0;
    socket.on('data', ({ length }: Buffer) => (answered += length));
    socket.write(held + refused.repeat(2));
    await once(socket, 'close');
    expect(answered).toBe(0);
  });

  it('count no more once they are answered', async () => {
    const socket = connect(app.port, '127.0.0.1').setEncoding('utf8');
    const rounds = 3 * PIPELINED_MAX;
    let answers = 0;
    for (let round = 0; round < rounds; round++) {
      socket.write(`GET /healthz HTTP/1.1\r\n${LINES}\r\n`.repeat(2));
      let text = '';
      while (text.split('HTTP/1.1 200 ').length < 3) text += ((await once(socket, 'data')) as [string])[0];
      answers += text.split('HTTP/1.1 200 ').length - 1;
    }
    expect(answers).toBe(2 * rounds);
    socket.destroy();
  });
});

describe('connections beyond the limit', () => {
  it('are closed, and the others are served', async () => {
    await using small = await startRunsApp({ limits: { ...HTTP_LIMITS, connectionsMax: 1 } });
    const first = connect(small.port, '127.0.0.1');
    await once(first, 'connect');
    const second = connect(small.port, '127.0.0.1').on('error', () => undefined);
    await once(second, 'close');
    first.write(`GET /healthz HTTP/1.1\r\n${LINES}Connection: close\r\n\r\n`);
    const [answer] = (await once(first, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 /);
    first.destroy();
  });
});
