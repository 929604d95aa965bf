import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RecordedStart, StartFilter, StartRecorder } from './start-recorder.ts';

const STARTS_MAX = 10_000;

/** One page of the starts that the sandbox recorded. */
export interface StartsPage {
  starts: RecordedStart[];
  /** Over all vendors since the last reset. */
  recorded: number;
  /** Too old to be remembered: whoever counts must see 0 here. */
  forgotten: number;
  /** `after` of the next page; null on the last one. */
  next: number | null;
}

interface Controlled {
  starts: StartRecorder;
  reset(): void;
}

/**
 * Lets other processes count starts: `GET /starts?kind=&workflow=&began=true|false&after=&limit=` (pages of
 * at most 10,000) and `POST /reset`. It is a door of the sandbox, not of any vendor.
 */
export function serveControl(controlled: Controlled): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://sandbox');
    const allowed = pathname === '/starts' ? 'GET' : pathname === '/reset' ? 'POST' : null;
    if (allowed === null) return send(response, 404, { error: 'paths: GET /starts, POST /reset' });
    if (request.method !== allowed) {
      response.setHeader('allow', allowed);
      return send(response, 405, { error: `use ${allowed}` });
    }
    if (pathname === '/starts') return send(response, 200, readPage(controlled.starts, searchParams));
    controlled.reset();
    send(response, 200, { reset: true });
  };
}

function readPage(starts: StartRecorder, query: URLSearchParams): StartsPage {
  const began = query.get('began');
  const filter: StartFilter = {
    kind: query.get('kind') ?? undefined,
    workflow: query.get('workflow') ?? undefined,
    began: began === null ? undefined : began === 'true',
  };
  const limit = Math.min(Number(query.get('limit') ?? STARTS_MAX) || STARTS_MAX, STARTS_MAX);
  const page = starts.list(filter, { after: Number(query.get('after') ?? 0) || 0, limit });
  return { starts: page, ...starts.totals(), next: page.length < limit ? null : (page.at(-1)?.seq ?? null) };
}

function send(response: ServerResponse, status: number, value: StartsPage | Record<string, string | boolean>): void {
  const body = JSON.stringify(value);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
