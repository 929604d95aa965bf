import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../core/clock.ts';
import { deliver } from './deliver.ts';
import { createCall, headerOf, Refusal, type Call, type Reply } from './http-kit.ts';
import type { Route, Sending, Vendor } from './vendor.ts';
import { acceptSocket } from './web-socket.ts';

/** Makes a vendor's request listener: finds the route, and gives every refusal the vendor's own shape. */
export function serveVendor(
  vendor: Vendor,
  clock: Clock,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const { pathname, searchParams } = splitTarget(request.url ?? '/');
    const call = createCall({ request, response }, searchParams, clock);
    answer(vendor, call, pathname)
      .then((sending) => deliver(sending, { call, vendor, clock }))
      .catch(() => response.destroy());
  };
}

/** Makes a vendor's listener for WebSockets: a refused handshake gets a plain answer in the vendor's own shape. */
export function serveSockets(
  vendor: Vendor,
  clock: Clock,
): (request: IncomingMessage, stream: Duplex, head: Buffer) => void {
  return (request, stream, head) => {
    stream.on('error', () => stream.destroy());
    try {
      const { pathname, searchParams: query } = splitTarget(request.url ?? '/');
      const route = vendor.sockets?.find(({ path }) => path === pathname);
      if (route === undefined) throw new Refusal(404, 'There is nothing at this path.');
      route.admit({ query, header: (name) => headerOf(request, name) });
      const socket = acceptSocket(request, stream, clock);
      if (head.length > 0) stream.unshift(head);
      route.talk(socket).catch(() => socket.cut('end'));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      refuseSocket(stream, refusalReply(vendor, error));
    }
  };
}

function refuseSocket(stream: Duplex, { status, headers, body }: Reply): void {
  const all = { ...headers, 'content-length': Buffer.byteLength(body ?? ''), connection: 'close' };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  stream.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}\r\n${lines.join('')}\r\n${body ?? ''}`);
}

async function answer(vendor: Vendor, call: Call, pathname: string): Promise<Sending> {
  try {
    const { route, id } = findRoute(vendor.routes, call, pathname);
    return await route.handle(call, id);
  } catch (error) {
    // A client that left while its body was read: nobody hears the answer.
    if (!(error instanceof Refusal)) throw error;
    return { reply: refusalReply(vendor, error), damage: null, concerns: 'start' };
  }
}

function refusalReply(vendor: Vendor, { status, message, code, headers }: Refusal): Reply {
  const reply = vendor.errorReply(status, { message: message === '' ? undefined : message, code });
  return { ...reply, headers: { ...reply.headers, ...headers } };
}

function findRoute(routes: readonly Route[], call: Call, pathname: string): { route: Route; id: string } {
  const methods = new Set<string>();
  for (const route of routes) {
    const id = matchPath(route.path, pathname);
    if (id === null) continue;
    if (route.method === call.request.method) return { route, id };
    methods.add(route.method);
  }
  if (methods.size === 0) throw new Refusal(404, 'There is nothing at this path.');
  throw new Refusal(405, 'Method not allowed', { headers: { allow: [...methods].join(', ') } });
}

/** The decoded hole of `pattern` in `pathname`; '' where it has none; null where they do not match. */
function matchPath(pattern: string, pathname: string): string | null {
  const wanted = pattern.split('/');
  const given = pathname.split('/');
  if (wanted.length !== given.length) return null;
  let id = '';
  for (const [i, segment] of wanted.entries()) {
    const found = given[i] ?? '';
    if (segment !== ':id') {
      if (segment !== found) return null;
    } else {
      const decoded = decodeSegment(found);
      if (decoded === null || decoded === '') return null;
      id = decoded;
    }
  }
  return id;
}

function decodeSegment(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}

/** Path and query as they stand: `new URL` would resolve `..` and hide what a client sent. */
function splitTarget(target: string): { pathname: string; searchParams: URLSearchParams } {
  const mark = target.indexOf('?');
  if (mark === -1) return { pathname: target, searchParams: new URLSearchParams() };
  return { pathname: target.slice(0, mark), searchParams: new URLSearchParams(target.slice(mark + 1)) };
}
