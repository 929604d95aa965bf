import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { ERROR_CATALOGUE } from '../../src/core/error-catalogue.ts';
import { endedWell } from '../support/memory-runs.ts';
import { sendRaw, startRunsApp, type Envelope, type RunningApp } from '../support/runs-app.ts';

const RUNS = 300;

let app: RunningApp;
beforeAll(async () => {
  app = await startRunsApp();
  app.runs.behave(endedWell(Date.now()));
});
afterAll(() => app[Symbol.asyncDispose]());

/** Field values that are right, nearly right and hostile, under names that exist and names that do not. */
const body = fc.dictionary(
  fc.constantFrom(
    'workflow',
    'provider',
    'inputs',
    'options',
    'metadata',
    'tags',
    'timeout_s',
    '__proto__',
    'toString',
    'x',
  ),
  fc.oneof(fc.jsonValue(), fc.string({ unit: 'binary' }), fc.constantFrom('../x', 'a', '\u0000', '\ud800', 1e308, -0)),
);
const text = fc.oneof(
  { weight: 4, arbitrary: body.map((value) => JSON.stringify(value)) },
  { weight: 2, arbitrary: fc.json() },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 200 }) },
);
/** What an HTTP client can put into a header: printable ASCII and Latin-1. */
const headerValue = fc
  .string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)), maxLength: 80 })
  .map((value) => value.replaceAll('\u007f', '').trim());
const headerName = fc.constantFrom(
  'accept',
  'prefer',
  'idempotency-key',
  'traceparent',
  'tracestate',
  'x-request-id',
  'content-type',
  'content-encoding',
  'authorization',
  'host',
  'accept-version',
  'x-forwarded-for',
  'x-http-method-override',
  'if-none-match',
  'range',
);
const structured = fc.constantFrom(
  '*/*;q=2',
  'wait=1e9',
  '"\\',
  ';;',
  'a=b=c',
  'application/json;charset="',
  ',',
  '""',
  '00-',
);

/** `body` is empty in an answer to HEAD. */
function expectSane({ status, body }: { status: number; body: string }): void {
  expect(status).not.toBe(500);
  if (status < 400 || body === '') return;
  const { error } = JSON.parse(body) as Envelope;
  expect(ERROR_CATALOGUE).toHaveProperty(error.code);
  expect(error.status).toBe(status);
}

describe('whatever is sent', () => {
  it('in a body, never a 500', async () => {
    await fc.assert(
      fc.asyncProperty(text, async (sent) => {
        const headers = { authorization: 'Bearer runs', 'content-type': 'application/json', prefer: 'respond-async' };
        const answer = await fetch(`${app.url}/runs`, { method: 'POST', body: sent, headers });
        expectSane({ status: answer.status, body: await answer.text() });
      }),
      { numRuns: RUNS },
    );
  });

  it('in headers, never a 500', async () => {
    const headers = fc.dictionary(headerName, fc.oneof(headerValue, structured), { maxKeys: 6 });
    await fc.assert(
      fc.asyncProperty(headers, fc.constantFrom('GET', 'POST', 'PUT', 'HEAD'), async (given, method) => {
        const all = { host: 'x', authorization: 'Bearer runs', 'content-type': 'application/json', ...given };
        const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
        const content = '{"workflow":"w"}';
        const bytes = `${method} /runs HTTP/1.1\r\n${lines.join('')}content-length: ${content.length}\r\nconnection: close\r\n\r\n${content}`;
        const answer = await sendRaw(app.port, Buffer.from(bytes, 'latin1'));
        expectSane(method === 'HEAD' ? { status: answer.status, body: '' } : answer);
      }),
      { numRuns: RUNS },
    );
  });

  it('in the path and query, never a 500', async () => {
    const segment = fc.oneof(
      fc.constantFrom(
        'runs',
        'cancel',
        'providers',
        '..',
        '.',
        '%2e%2e',
        '%2f',
        '%00',
        '%',
        'a;b',
        '?limit=1',
        '?status=%ff',
        '#',
      ),
      fc.string({ unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)), maxLength: 30 }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(segment, { maxLength: 5 }),
        fc.constantFrom('GET', 'POST'),
        async (segments, method) => {
          const head = 'host: x\r\nauthorization: Bearer runs\r\ncontent-length: 0\r\nconnection: close\r\n';
          expectSane(await sendRaw(app.port, `${method} /${segments.join('/')} HTTP/1.1\r\n${head}\r\n`));
        },
      ),
      { numRuns: RUNS },
    );
  });

  it('as bytes, an envelope or a closed connection', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
        // Bytes that an HTTP parser skips are no request yet, so the client has to say that they are all.
        const answer = await sendRaw(app.port, Buffer.concat([bytes, Buffer.from('\r\n\r\n')]), { over: true });
        expectSane(answer.status === 0 ? { status: 0, body: '' } : answer);
      }),
      { numRuns: RUNS },
    );
  });
});
