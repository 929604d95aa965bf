import { once } from 'node:events';
import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Clock } from '../core/clock.ts';
import { parseJson, isJsonObject } from '../core/json.ts';
import type { Damage, ResetPoint, RetryAfter, Rubbish } from './damages.ts';
import { drip, sendBrokenChunks, sendInterim } from './deliver-bytes.ts';
import { json, type Call, type Reply } from './http-kit.ts';
import type { Sending, Vendor } from './vendor.ts';

const HUGE_BYTES = 50 * 1024 * 1024;
const HUGE_CHUNK_BYTES = 64 * 1024;
const DEEP_LEVELS = 100_000;
const MANY_HEADERS = 2_000;
const HALF_A_HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: applica';
const RESET_MS = 30;

interface Context {
  call: Call;
  vendor: Vendor;
  clock: Clock;
}

/** Sends an answer, with what its damage does to it. Resolves when nothing more will be done. */
export async function deliver({ reply, damage, concerns }: Sending, context: Context): Promise<void> {
  const { response } = context.call;
  if (response.destroyed) return;
  if (damage === null) return send(response, reply);
  switch (damage.kind) {
    case 'status':
      return send(response, statusReply(damage, concerns, context));
    case 'silence':
      return;
    case 'reset':
      return reset(damage.at, reply, context);
    case 'stall':
      return sendHalf(response, reply, { length: 'announced', ending: 'stall' });
    case 'cut':
      return cut(damage.at, reply, context);
    case 'rubbish':
      return sendRubbish(damage.what, reply, context);
    case 'interim':
      sendInterim(response, damage.status);
      return send(response, reply);
    case 'drip':
      if (reply.body === null) return send(response, reply);
      return drip(context.call, reply, damage);
    case 'duplicate-keys':
      return send(response, withDuplicateKeys(reply));
  }
}

async function send(response: ServerResponse, { status, headers, body, pieces }: Reply): Promise<void> {
  if (pieces !== undefined) {
    response.writeHead(status, headers);
    // A stream's head leaves before its first piece.
    response.flushHeaders();
    for await (const piece of pieces) {
      if (response.destroyed) return;
      if (!response.write(piece)) await drained(response);
    }
    response.end();
    return;
  }
  const length = Buffer.byteLength(body ?? '');
  response.writeHead(status, status === 204 || status === 304 ? headers : { ...headers, 'content-length': length });
  response.end(body ?? undefined);
}

function statusReply(
  { status, retryAfter, older }: Damage & { kind: 'status' },
  concerns: Sending['concerns'],
  { vendor, clock }: Context,
): Reply {
  const reply = replyOfStatus(status, () => vendor.errorReply(status, { older, concerns }));
  if (retryAfter === null) return reply;
  return { ...reply, headers: { ...reply.headers, 'retry-after': retryAfterText(retryAfter, clock) } };
}

function replyOfStatus(status: number, errorReply: () => Reply): Reply {
  if (status === 204 || status === 205 || status === 304) return { status, headers: {}, body: null };
  if (status === 250)
    return json(status, { message: 'Workflow Run generation on the way. Please wait a few minutes.' });
  if (status < 300) return json(status, {});
  if (status < 400) return { status, headers: { location: '/redirected' }, body: null };
  return errorReply();
}

function retryAfterText({ seconds, form }: RetryAfter, clock: Clock): string {
  return form === 'seconds' ? String(seconds) : new Date(clock.now() + seconds * 1000).toUTCString();
}

async function cut(at: (Damage & { kind: 'cut' })['at'], reply: Reply, { call, vendor }: Context): Promise<void> {
  const { response } = call;
  switch (at) {
    case 'on-accept':
    case 'before-headers':
      response.socket?.destroy();
      return;
    case 'in-headers': {
      const { socket } = response;
      socket?.write(HALF_A_HEAD, () => socket.destroy());
      return;
    }
    case 'in-body':
      return sendHalf(response, reply, { length: 'announced', ending: 'cut' });
    case 'in-error-body':
      return sendHalf(response, vendor.errorReply(500), { length: 'announced', ending: 'cut' });
  }
}

async function reset(at: ResetPoint, reply: Reply, { call }: Context): Promise<void> {
  const { response } = call;
  const { socket } = response;
  if (at === 'in-headers') socket?.write(HALF_A_HEAD);
  if (at === 'in-body') await sendHalf(response, reply, { length: 'announced', ending: 'stall' });
  // What was written is to be read before the reset takes it away.
  if (at !== 'before-headers') await call.delay(RESET_MS);
  socket?.resetAndDestroy();
}

async function sendHalf(
  response: ServerResponse,
  { status, headers, body }: Reply,
  { length, ending }: { length: 'announced' | 'chunked'; ending: 'cut' | 'stall' },
): Promise<void> {
  const whole = Buffer.from(body ?? '{"half":"of an answer"}');
  response.writeHead(status, length === 'announced' ? { ...headers, 'content-length': whole.length } : headers);
  response.write(whole.subarray(0, Math.ceil(whole.length / 2)), () => {
    if (ending === 'cut') response.socket?.destroy();
  });
}

async function sendRubbish(what: Rubbish, reply: Reply, { call, vendor }: Context): Promise<void> {
  const { response } = call;
  const text = reply.body ?? '{}';
  const asJson = (body: string | Buffer) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
    response.end(body);
  };
  switch (what) {
    case 'html':
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
      response.end(`<!doctype html><title>${STATUS_CODES[502]}</title><h1>We will be right back</h1>\n`);
      return;
    case 'empty':
      return asJson('');
    case 'not-json':
      return asJson('Workflow started, all is well');
    case 'wrong-shape':
      return asJson('{"hello":{"world":[1,2,3]},"data":"text","result":42}');
    case 'array':
      return asJson('[{"success":true},"a",1]');
    case 'huge':
      return sendHuge(response);
    case 'deep':
      return asJson('['.repeat(DEEP_LEVELS) + ']'.repeat(DEEP_LEVELS));
    case 'bad-utf8':
      return asJson(spoilUtf8(text));
    case 'half':
      return sendHalf(response, reply, { length: 'chunked', ending: 'cut' });
    case 'wrong-length':
      response.writeHead(200, {
        'content-type': 'application/json',
        'content-length': Math.floor(Buffer.byteLength(text) / 2),
      });
      response.end(text);
      return;
    case 'broken-chunks':
      return sendBrokenChunks(response, reply);
    case 'nan':
      return asJson('{"success":true,"code":NaN,"data":{"id":NaN,"runId":NaN},"result":NaN}');
    case 'success-false':
      return asJson(JSON.stringify(vendor.unsuccessful()));
    case 'echo-key':
      return send(response, echo(vendor, vendor.credentialOf(call)));
    case 'many-headers': {
      const filler = Array.from({ length: MANY_HEADERS }, (_, i) => [`x-filler-${i}`, 'filler '.repeat(5)]);
      return send(response, { ...reply, headers: { ...reply.headers, ...Object.fromEntries(filler) } });
    }
  }
}

/** A vendor that is careless with our credential: in its own headers, in forwarded ones, in its message. */
function echo(vendor: Vendor, credential: string): Reply {
  const reply = vendor.errorReply(400, { message: `The request with key ${credential} was refused.` });
  const spots = ['x-echo', 'x-ratelimit-limit', 'x-ratelimit-remaining', 'x-request-id'];
  return {
    ...reply,
    headers: {
      ...reply.headers,
      ...Object.fromEntries(spots.map((name) => [name, credential])),
      'www-authenticate': `Bearer realm="${credential}"`,
    },
  };
}

async function sendHuge(response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/json' });
  const chunk = Buffer.alloc(HUGE_CHUNK_BYTES, 'a');
  response.write('{"success":true,"result":"');
  for (let sent = 0; sent < HUGE_BYTES; sent += chunk.length) {
    if (response.destroyed) return;
    if (!response.write(chunk)) await drained(response);
  }
  response.end('"}');
}

/** Resolves when the response takes more, or its client has gone. */
async function drained(response: ServerResponse): Promise<void> {
  const done = new AbortController();
  const waits = ['drain', 'close'].map((event) =>
    once(response, event, { signal: done.signal }).catch(() => undefined),
  );
  await Promise.race(waits);
  done.abort();
}

/** Whoever reads the first of two equal members, and not the last, misses everything. */
function withDuplicateKeys(reply: Reply): Reply {
  const parsed = parseJson(reply.body ?? '');
  if (!parsed.ok || !isJsonObject(parsed.value)) return reply;
  const nulls = Object.keys(parsed.value).map((key) => `${JSON.stringify(key)}:null,`);
  return { ...reply, body: `{${nulls.join('')}${(reply.body ?? '').slice(1)}` };
}

/** Puts two bytes that no UTF-8 text has before the last quote. */
function spoilUtf8(text: string): Buffer {
  const at = Math.max(text.lastIndexOf('"'), 0);
  return Buffer.concat([Buffer.from(text.slice(0, at)), Buffer.from([0xff, 0xfe]), Buffer.from(text.slice(at))]);
}
