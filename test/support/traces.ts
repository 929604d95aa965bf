import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { reviveJson } from '../../src/core/json.ts';

/** A span as a collector gets it. */
export interface SeenSpan {
  traceId: string;
  spanId: string;
  parentSpanId: string | null;
  name: string;
  /** OpenTelemetry's numbers: 1 internal, 2 server, 3 client. */
  kind: number;
  startMs: number;
  endMs: number;
  attributes: Readonly<Record<string, string | number | boolean>>;
  /** The status's message, where it is an error. */
  error: string | null;
}

/** A stub of an OpenTelemetry collector on loopback. */
export interface Collector extends AsyncDisposable {
  origin: string;
  spans: SeenSpan[];
  resources: Readonly<Record<string, string | number | boolean>>[];
  /** Every byte that came, heads too. */
  received(): string;
  /** The first span that is so, once it is there. */
  span(wanted: (span: SeenSpan) => boolean): Promise<SeenSpan>;
}

/** What a simulated vendor was sent. */
export interface RecordingVendor extends AsyncDisposable {
  baseUrl: string;
  calls: { path: string; traceparent: string | null; tracestate: string | null }[];
}

interface ServedOn extends AsyncDisposable {
  origin: string;
}

/** OTLP's JSON, as far as it is looked at here. */
interface OtlpValue {
  stringValue?: string;
  intValue?: number | string;
  boolValue?: boolean;
}
type OtlpAttributes = { key: string; value: OtlpValue }[];
interface OtlpTraces {
  resourceSpans: {
    resource: { attributes: OtlpAttributes };
    scopeSpans: {
      spans: {
        traceId: string;
        spanId: string;
        parentSpanId?: string;
        name: string;
        kind: number;
        startTimeUnixNano: string;
        endTimeUnixNano: string;
        attributes: OtlpAttributes;
        status?: { code?: number; message?: string };
      }[];
    }[];
  }[];
}

/** Starts a collector that takes OTLP/HTTP in JSON, at `/v1/traces`. */
export async function startCollector(): Promise<Collector> {
  const spans: SeenSpan[] = [];
  const resources: Collector['resources'] = [];
  const texts: string[] = [];
  const waiting = new Set<() => void>();
  const served = await serve(async (request, reply) => {
    const body = (await buffer(request)).toString();
    texts.push(`${request.url}\n${JSON.stringify(request.headers)}\n${body}`);
    if (request.url !== '/v1/traces') return void reply.writeHead(404).end();
    for (const { resource, scopeSpans } of reviveJson<OtlpTraces>(body).resourceSpans) {
      resources.push(recordOf(resource.attributes));
      spans.push(...scopeSpans.flatMap((scope) => scope.spans.map(toSpan)));
    }
    reply.setHeader('content-type', 'application/json').end('{}');
    for (const look of waiting) look();
  });
  return {
    ...served,
    spans,
    resources,
    received: () => texts.join('\n'),
    span: (wanted) =>
      new Promise((resolve) => {
        const look = () => {
          const found = spans.find(wanted);
          if (found === undefined) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      }),
  };
}

/** Starts a server in front of a simulated vendor that keeps what it was told of traces. */
export async function startRecordingVendor(target: string): Promise<RecordingVendor> {
  const calls: RecordingVendor['calls'] = [];
  const { pathname } = new URL(target);
  const { origin } = new URL(target);
  const served = await serve(async (request, reply) => {
    const path = request.url ?? '/';
    calls.push({ path, traceparent: header(request, 'traceparent'), tracestate: header(request, 'tracestate') });
    const body = await buffer(request);
    const headers = Object.entries(request.headers).filter(([name]) => !HOP_BY_HOP.has(name));
    const answer = await fetch(`${origin}${path}`, {
      method: request.method ?? 'GET',
      headers: headers as [string, string][],
      ...(body.length > 0 ? { body: Uint8Array.from(body) } : {}),
    });
    const text = await answer.text();
    reply.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'application/json' });
    reply.end(text);
  });
  return { ...served, baseUrl: `${served.origin}${pathname === '/' ? '' : pathname}`, calls };
}

const HOP_BY_HOP = new Set(['host', 'connection', 'content-length', 'transfer-encoding', 'expect']);

function header({ headers }: IncomingMessage, name: string): string | null {
  const value = headers[name];
  return typeof value === 'string' ? value : null;
}

async function serve(listener: (...given: Parameters<RequestListener>) => Promise<void>): Promise<ServedOn> {
  const server = createServer((request, reply) => void listener(request, reply).catch(() => reply.destroy()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function toSpan(span: OtlpTraces['resourceSpans'][0]['scopeSpans'][0]['spans'][0]): SeenSpan {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId === undefined || span.parentSpanId === '' ? null : span.parentSpanId,
    name: span.name,
    kind: span.kind,
    startMs: Number(span.startTimeUnixNano) / 1e6,
    endMs: Number(span.endTimeUnixNano) / 1e6,
    attributes: recordOf(span.attributes),
    error: span.status?.code === 2 ? (span.status.message ?? '') : null,
  };
}

function recordOf(attributes: OtlpAttributes): Record<string, string | number | boolean> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [key, value.stringValue ?? value.boolValue ?? Number(value.intValue)]),
  );
}
