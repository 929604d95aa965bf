/**
 * CPU time per call of the outbound client beside plain undici (`pool.request` and reading the JSON), same requests,
 * same local server in a process of its own: `node bench/upstream-overhead.ts [calls] [concurrency]`.
 * CPU time per small frame of a stream, beside reading the same bytes with plain undici:
 * `node bench/upstream-overhead.ts frames [frames a stream] [streams]`.
 */
import { fork } from 'node:child_process';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';
import { upstreamLimits } from '../src/app/limits.ts';
import { loadSettings } from '../src/config/load-settings.ts';
import { systemClock } from '../src/core/clock.ts';
import type { OutboundRequest, StreamFormat } from '../src/core/outbound.ts';
import { createSystemRandom } from '../src/core/random.ts';
import { Secret } from '../src/core/secret.ts';
import { createUpstream } from '../src/upstream/create-upstream.ts';

const ROUNDS = 5;
const ANSWER = JSON.stringify({ success: true, result: 'An answer of an ordinary length. '.repeat(20), citations: [] });
const FRAMES: Readonly<Record<StreamFormat, string>> = {
  sse: 'event: delta\ndata: {"text":" a few words"}\n\n',
  ndjson: '{"type":"delta","text":" a few words"}\n',
  text: ' a few words',
};
const BODY = { inputs: { text: 'Hello world', tone: 'dry' } };

if (process.argv[2] === 'server') serve();
else if (process.argv[2] === 'frames')
  await measureFrames(Number(process.argv[3] ?? 2_000), Number(process.argv[4] ?? 50));
else await measure(Number(process.argv[2] ?? 20_000), Number(process.argv[3] ?? 64));

function serve(): void {
  const headers = { 'content-type': 'application/json', 'x-ratelimit-limit': '100', 'x-ratelimit-remaining': '99' };
  const server = createServer((request, reply) => {
    const [, format = '', frames] = (request.url ?? '').split('/');
    if (format in FRAMES) sendFrames(reply, FRAMES[format as StreamFormat], Number(frames));
    else request.resume().on('end', () => reply.writeHead(200, headers).end(ANSWER));
  });
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
}

/** One frame a turn of the loop, so that each is a chunk of its own, as a model's words are. */
function sendFrames(reply: ServerResponse, frame: string, count: number): void {
  let left = count;
  const next = () => {
    if (left-- === 0) reply.end();
    else reply.write(frame, () => setImmediate(next));
  };
  next();
}

async function measureFrames(frames: number, streams: number): Promise<void> {
  const child = fork(import.meta.filename, ['server']);
  const port = await new Promise<number>((resolve) => child.once('message', (message) => resolve(Number(message))));
  const origin = `http://127.0.0.1:${port}`;
  const pool = new Pool(origin, { connections: streams, allowH2: false });
  const upstream = upstreamCalls(origin, port);
  const figures: Record<string, number[]> = {};
  for (let round = -1; round < ROUNDS; round++) {
    for (const format of ['sse', 'ndjson', 'text'] as const) {
      const path = `/${format}/${frames}`;
      const plain = async () => {
        const { body } = await pool.request({ method: 'GET', path });
        for await (const _chunk of body);
      };
      const ours = () => upstream.read(format, path);
      for (const [name, one] of [[`${format} plain`, plain] as const, [format, ours] as const]) {
        const before = process.cpuUsage();
        await Promise.all(Array.from({ length: streams }, one));
        const { user, system } = process.cpuUsage(before);
        if (round >= 0) (figures[name] ??= []).push((user + system) / (streams * frames));
      }
    }
  }
  await Promise.all([pool.close(), upstream.close()]);
  child.kill();
  for (const [name, values] of Object.entries(figures)) {
    const range = `${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)}`;
    console.log(`${name.padEnd(12)} median ${median(values).toFixed(2)} CPU µs per frame (${range})`);
  }
}

async function measure(calls: number, concurrency: number): Promise<void> {
  const child = fork(import.meta.filename, ['server']);
  const port = await new Promise<number>((resolve) => child.once('message', (message) => resolve(Number(message))));
  const origin = `http://127.0.0.1:${port}`;
  const plain = plainCalls(origin);
  const ours = upstreamCalls(origin, port);
  const figures: Record<string, number[]> = { plain: [], upstream: [] };
  for (let round = -1; round < ROUNDS; round++) {
    for (const [name, one] of [['plain', plain.one] as const, ['upstream', ours.one] as const]) {
      const cpuUs = await cpuPerCallUs(one, calls, concurrency);
      // The first round warms up.
      if (round >= 0) figures[name]?.push(cpuUs);
    }
  }
  await Promise.all([plain.close(), ours.close()]);
  child.kill();
  report(figures);
}

function plainCalls(origin: string) {
  const pool = new Pool(origin, { connections: 256, allowH2: false });
  const headers = { authorization: 'Bearer sk-live-0123456789abcdef', 'content-type': 'application/json' };
  return {
    one: async () => {
      const { body } = await pool.request({ method: 'POST', path: '/run', headers, body: JSON.stringify(BODY) });
      await body.json();
    },
    close: () => pool.close(),
  };
}

function upstreamCalls(origin: string, port: number) {
  const upstream = createUpstream({
    clock: systemClock,
    random: createSystemRandom(),
    log: { debug() {}, info() {}, warn() {}, error() {} },
    limits: upstreamLimits(loadSettings({}).limits),
    guard: { allowedLoopback: new Set([`127.0.0.1:${port}`]) },
    version: 'bench',
  });
  const request: OutboundRequest = {
    baseUrl: origin,
    allowPrivateNetwork: false,
    method: 'POST',
    path: '/run',
    body: BODY,
    auth: { type: 'bearer' },
    // A new Secret each time, as a vault that keeps nothing opened would give.
    credential: { id: 'c', origin, open: async () => new Secret('sk-live-0123456789abcdef') },
    trace: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: null },
    connection: 'start',
    headersTimeoutMs: 30_000,
    bodyTimeoutMs: 30_000,
  };
  return {
    one: async (signal: AbortSignal) => {
      await upstream.send(request, signal);
    },
    read: async (format: StreamFormat, path: string) => {
      const { body: _none, ...rest } = request;
      const stream = { ...rest, method: 'GET' as const, path, via: 'http' as const, format: () => format };
      const answer = await upstream.openStream(stream, new AbortController().signal);
      if (answer.is !== 'stream') throw new Error('no stream');
      for await (const _frame of answer.stream.frames);
    },
    close: () => upstream.close(),
  };
}

async function cpuPerCallUs(
  one: (signal: AbortSignal) => Promise<void>,
  calls: number,
  concurrency: number,
): Promise<number> {
  let left = calls;
  const worker = async () => {
    // A caller has one for its run already.
    const { signal } = new AbortController();
    while (left-- > 0) await one(signal);
  };
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: concurrency }, worker));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / calls;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function report(figures: Record<string, number[]>): void {
  for (const [name, values] of Object.entries(figures)) {
    const range = `${Math.min(...values).toFixed(1)} to ${Math.max(...values).toFixed(1)}`;
    console.log(`${name.padEnd(10)} median ${median(values).toFixed(1)} CPU µs per call (${range})`);
  }
  const ratio = median(figures['upstream'] ?? []) / median(figures['plain'] ?? []);
  console.log(`ratio      ${ratio.toFixed(2)}`);
}
