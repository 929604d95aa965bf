import { describe, expect, it } from 'vitest';
import {
  answerText,
  chunk,
  CHUNKED,
  echo,
  failureOf,
  HEAD,
  holding,
  httpServer,
  rawServer,
  readAll,
  SECRET,
  sealed,
  testUpstream,
} from './support.ts';

const BODIES = {
  sse: 'data: a\n\nevent: e\ndata: ü\n\n',
  ndjson: '{"a":1}\n"ü"\n',
  text: 'a ü \u{1f600}',
} as const;
const FRAMES = {
  sse: [
    { kind: 'event', event: 'message', data: 'a' },
    { kind: 'event', event: 'e', data: 'ü' },
  ],
  ndjson: [
    { kind: 'line', value: { a: 1 } },
    { kind: 'line', value: 'ü' },
  ],
  text: [{ kind: 'text', text: 'a ü \u{1f600}' }],
} as const;

describe('a stream', () => {
  it.each(['sse', 'ndjson', 'text'] as const)('of %s brings its frames while they come', async (format) => {
    const { server, arrived } = await holding(CHUNKED);
    const { frames, status, headers } = await testUpstream().stream(server.origin, { format });
    const socket = await arrived;
    expect([status, headers]).toEqual([200, { 'content-type': 'text/event-stream' }]);

    for (const expected of FRAMES[format]) {
      const next = frames[Symbol.asyncIterator]().next();
      if (expected === FRAMES[format][0]) socket.write(chunk(BODIES[format]));
      expect(await next).toEqual({ done: false, value: expected });
    }
    const end = frames[Symbol.asyncIterator]().next();
    socket.write('0\r\n\r\n');
    expect(await end).toEqual({ done: true, value: undefined });
    expect(await frames[Symbol.asyncIterator]().next()).toEqual({ done: true, value: undefined });
  });

  it.each(['sse', 'ndjson', 'text'] as const)('of %s brings the same where each byte is a chunk', async (format) => {
    const bytes = Array.from(Buffer.from(BODIES[format]), (byte) => chunk(Buffer.from([byte])));
    const server = await rawServer(({ socket }) => {
      socket.write(CHUNKED);
      const send = () => {
        const next = bytes.shift();
        socket.write(next ?? '0\r\n\r\n');
        if (next !== undefined) setImmediate(send);
      };
      send();
    });
    const { frames, error } = await readAll(await testUpstream().stream(server.origin, { format }));
    expect(error).toBeNull();
    if (format === 'text') {
      expect(frames.map((frame) => (frame.kind === 'text' ? frame.text : '?')).join('')).toBe(BODIES.text);
    } else expect(frames).toEqual(FRAMES[format]);
  });

  it.each(['sse', 'ndjson', 'text'] as const)(
    'of %s that is cut at any byte ends in order only where its end was there',
    async (format) => {
      const length = Buffer.byteLength(BODIES[format]);
      const forms = [
        Buffer.concat([Buffer.from(CHUNKED), chunk(BODIES[format]), Buffer.from('0\r\n\r\n')]),
        Buffer.from(`${HEAD}content-length: ${length}\r\n\r\n${BODIES[format]}`),
      ];
      const upstream = testUpstream();
      for (const whole of forms) {
        const from = whole.indexOf('\r\n\r\n') + 4;
        let at = from;
        const server = await rawServer(({ socket }) => socket.end(whole.subarray(0, at)));
        for (; at <= whole.length; at++) {
          const { frames, error } = await readAll(await upstream.stream(server.origin, { format }));
          if (at === whole.length) expect([frames, error]).toEqual([FRAMES[format], null]);
          else {
            expect(error).toMatchObject({ failure: 'reset', sent: true });
            expect(frames.length).toBeLessThanOrEqual(FRAMES[format].length);
          }
        }
      }
    },
  );

  it('that is reset brings what came before, then the error', async () => {
    const { server, arrived } = await holding(CHUNKED + chunk('data: a\n\n').toString());
    const stream = await testUpstream().stream(server.origin);
    const next = stream.frames[Symbol.asyncIterator]();
    expect((await next.next()).value).toMatchObject({ data: 'a' });
    (await arrived).resetAndDestroy();
    expect(await failureOf(next.next())).toMatchObject({ failure: 'reset', sent: true });
  });

  it('that breaks off tells what was held back of it', async () => {
    const [head, beginning] = ['Use the prefix ', SECRET.slice(0, 5)];
    const server = await rawServer(({ socket }) => {
      socket.write(Buffer.concat([Buffer.from(CHUNKED), chunk(head + beginning)]));
      setTimeout(() => socket.destroy(), 30);
    });
    const { frames, error } = await readAll(await testUpstream().stream(server.origin, { format: 'text' }));
    expect(frames.map((frame) => (frame.kind === 'text' ? frame.text : '?')).join('')).toBe(head + beginning);
    expect(error).toMatchObject({ failure: 'reset' });
  });

  it('that its reader leaves tells nobody of what was held back', async () => {
    const { server } = await holding(
      Buffer.concat([Buffer.from(CHUNKED), chunk(`told ${SECRET.slice(0, 5)}`)]).toString(),
    );
    const leaving = new AbortController();
    const stream = await testUpstream().stream(server.origin, { format: 'text' }, leaving.signal);
    const iterator = stream.frames[Symbol.asyncIterator]();
    expect((await iterator.next()).value).toEqual({ kind: 'text', text: 'told ' });
    const next = failureOf(iterator.next());
    leaving.abort();
    expect(await next).toMatchObject({ failure: 'aborted' });
  });

  it('whose chunking is broken is reset', async () => {
    const { server } = await holding(`${CHUNKED}${chunk('data: a\n\n').toString()}zz\r\n`);
    const { frames, error } = await readAll(await testUpstream().stream(server.origin));
    expect([frames.length, error?.failure]).toEqual([1, 'reset']);
  });

  it('may end with its connection, where it has no length', async () => {
    const server = await rawServer(({ socket }) => socket.end(`${HEAD}connection: close\r\n\r\n${BODIES.sse}`));
    expect(await readAll(await testUpstream().stream(server.origin))).toEqual({ frames: FRAMES.sse, error: null });
  });

  it('gives its connection back, so that the next call uses it', async () => {
    const server = await rawServer(({ socket }) => socket.write(answerText(BODIES.sse)));
    const upstream = testUpstream();
    for (let i = 0; i < 3; i++) {
      expect((await readAll(await upstream.stream(server.origin))).error).toBeNull();
      // undici keeps a connection for a turn of the loop, to see whether the server closes it.
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(server.connections()).toBe(1);
  });

  it('passes over answers that come before the answer', async () => {
    const server = await rawServer(({ socket }) => {
      socket.write(`HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n${answerText(BODIES.sse)}`);
    });
    expect((await readAll(await testUpstream().stream(server.origin))).frames).toEqual(FRAMES.sse);
  });

  it('is asked for with a head that names every form', async () => {
    const server = await httpServer(echo(({ headers }) => ({ accept: headers.accept ?? '' })));
    const { frames } = await readAll(await testUpstream().stream(server.origin, { format: 'ndjson' }));
    expect(frames).toEqual([
      { kind: 'line', value: { accept: 'text/event-stream, application/x-ndjson, application/json, text/plain' } },
    ]);
  });
});

describe('what is no stream', () => {
  it.each([400, 401, 429, 500, 302])('is an answer like any other: %i', async (status) => {
    const server = await rawServer(({ socket }) => {
      socket.write(
        answerText(`{"echo":"${SECRET.slice(0, 8)}"}`, { status: `${status} X`, headers: ['retry-after: 3'] }),
      );
    });
    const upstream = testUpstream();
    const answer = await upstream.open(server.origin);
    const plain = await upstream.call(server.origin);
    expect(answer).toEqual({ is: 'answer', answer: { ...plain, durationMs: expect.any(Number) as number } });
    expect(plain).toMatchObject({ status, body: { kind: 'json' } });
  });

  it('is an answer where the kind does not know its head', async () => {
    const server = await rawServer(({ socket }) => socket.write(answerText('{"ok":1}')));
    const answer = await testUpstream().open(server.origin, { format: null });
    expect(answer).toMatchObject({ is: 'answer', answer: { status: 200, body: { kind: 'json', value: { ok: 1 } } } });
  });

  it('is an answer where it comes compressed: nothing in it could be scrubbed', async () => {
    const server = await rawServer(({ socket }) => {
      socket.write(answerText('xx', { headers: ['content-encoding: gzip'] }));
    });
    expect(await testUpstream().open(server.origin)).toMatchObject({ answer: { body: { kind: 'unreadable' } } });
  });

  it('is a failure where it never comes: unsent where nobody listens, in time where nobody answers', async () => {
    const server = await rawServer(() => {});
    const upstream = testUpstream();
    expect(await failureOf(upstream.open(server.origin, { headersTimeoutMs: 100 }))).toMatchObject({
      failure: 'headers_timeout',
      sent: true,
    });
    expect(await failureOf(upstream.open('http://127.0.0.1:1'))).toMatchObject({ failure: 'connect', sent: false });
    const refused = testUpstream({ loopback: false }).open(server.origin);
    expect(await failureOf(refused)).toMatchObject({ failure: 'forbidden_address', sent: false });
  });

  it('hands on what the judge of its head throws, and closes the connection', async () => {
    const { server, closed } = await holding(CHUNKED);
    const upstream = testUpstream();
    await upstream.open(server.origin, { format: null, headersTimeoutMs: 50, bodyTimeoutMs: 50 });
    await closed;
    const thrown = new TypeError('a bug');
    const again = await holding(CHUNKED);
    const request = { baseUrl: again.server.origin, credential: sealed(again.server.origin) };
    const open = upstream.openStream(
      {
        ...request,
        allowPrivateNetwork: true,
        method: 'GET',
        path: '/x',
        auth: { type: 'bearer' },
        trace: null,
        connection: 'any',
        headersTimeoutMs: 1_000,
        bodyTimeoutMs: 1_000,
        via: 'http',
        format: () => {
          throw thrown;
        },
      },
      new AbortController().signal,
    );
    await expect(open).rejects.toBe(thrown);
    await again.closed;
  });
});

describe('a slow reader', () => {
  it('holds the vendor back: 50 MB wait in the vendor, not in memory, and all of it arrives', async () => {
    const line = `${JSON.stringify('x'.repeat(1_000))}\n`;
    const total = 50_000;
    let written = 0;
    const server = await httpServer((request, reply) => {
      request.resume();
      const more = (): void => {
        while (written < total) {
          written++;
          if (!reply.write(line)) return void reply.once('drain', more);
        }
        reply.end();
      };
      more();
    });
    const upstream = testUpstream({ limits: { answerBytesMax: 100_000_000 } });
    // The vendor is not silent: we do not listen. So its time does not run out while the reader is away.
    const { frames } = await upstream.stream(server.origin, { format: 'ndjson', bodyTimeoutMs: 200 });
    await new Promise((resolve) => setTimeout(resolve, 700));
    // What sockets hold, ours and the vendor's.
    expect(written * line.length).toBeLessThan(15_000_000);
    let count = 0;
    for await (const frame of frames) {
      expect(frame.kind).toBe('line');
      count++;
    }
    expect(count).toBe(total);
  });

  it('learns of the end after everything that came before it', async () => {
    const body = 'data: 0123456789\n\n'.repeat(20_000);
    const server = await rawServer(({ socket }) => socket.end(`${HEAD}connection: close\r\n\r\n${body}`));
    const { frames } = await testUpstream().stream(server.origin);
    await new Promise((resolve) => setTimeout(resolve, 200));
    let count = 0;
    for await (const _frame of frames) count++;
    expect(count).toBe(20_000);
  });
});

describe('a stream that echoes our credential', () => {
  it.each(['sse', 'ndjson', 'text'] as const)('is scrubbed of it, cut at every place: %s', async (format) => {
    const secret = 'sk-live-0123456789';
    const body = { sse: `data: <${secret}>\n\n`, ndjson: `{"a":"<${secret}>"}\n`, text: `<${secret}> ` }[format];
    let at = 0;
    const server = await rawServer(({ socket }) => {
      socket.write(
        `${HEAD}x-request-id: ${secret}\r\ntransfer-encoding: chunked\r\n\r\n${chunk(body.slice(0, at) || ' ').toString()}`,
      );
      const rest = at === 0 ? body : body.slice(at);
      setImmediate(() => socket.write(`${rest === '' ? '' : chunk(rest).toString()}0\r\n\r\n`));
    });
    const upstream = testUpstream();
    for (at = 1; at <= body.length; at++) {
      const stream = await upstream.stream(server.origin, { format, credential: sealed(server.origin, secret) });
      const { frames, error } = await readAll(stream);
      expect([error, stream.headers['x-request-id']]).toEqual([null, '[secret]']);
      const text = frames.map((frame) => (frame.kind === 'text' ? frame.text : JSON.stringify(frame))).join('');
      expect(text).toContain('<[secret]>');
    }
  });

  it('is scrubbed of it where the lines of its base64 are lines of one event', async () => {
    const secret = 'sk-live-0123456789'.repeat(4);
    const base64 = Buffer.from(`Authorization: Bearer ${secret}`).toString('base64');
    const event = base64.replaceAll(/.{60}/g, (line) => `${line}\ndata: `);
    const server = await rawServer(({ socket }) => {
      socket.write(`${HEAD}transfer-encoding: chunked\r\n\r\n${chunk(`data: ${event}\n\n`).toString()}0\r\n\r\n`);
    });
    const credential = sealed(server.origin, secret);
    const { frames } = await readAll(await testUpstream().stream(server.origin, { format: 'sse', credential }));
    const [frame] = frames;
    const data = frame?.kind === 'event' ? frame.data : '';
    expect(data).toContain('[secret]');
    expect(Buffer.from(data.replaceAll(/\s/g, ''), 'base64').toString()).not.toContain(secret.slice(0, 40));
  });
});
