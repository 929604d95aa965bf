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
  resumes: StartRecorder;
  /** Null where there is no such vendor. */
  workflowId(kind: string, name: string): string | null;
  reset(): void;
}

type Answer = StartsPage | Record<string, string | boolean>;

const METHODS: Readonly<Record<string, string>> = {
  '/starts': 'GET',
  '/resumes': 'GET',
  '/workflow-id': 'GET',
  '/reset': 'POST',
};

/**
 * Lets other processes count starts: `GET /starts?kind=&workflow=&began=true|false&after=&limit=` (pages of
 * at most 10,000), the same of resumes at `/resumes`, and `POST /reset`. `GET /workflow-id?kind=&name=` tells by
 * which id a vendor knows a workflow of this name. It is a door of the sandbox, not of any vendor.
 */
export function serveControl(controlled: Controlled): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://sandbox');
    const allowed = METHODS[pathname];
    if (allowed === undefined) {
      const paths = Object.entries(METHODS).map(([path, method]) => `${method} ${path}`);
      return send(response, 404, { error: `paths: ${paths.join(', ')}` });
    }
    if (request.method !== allowed) {
      response.setHeader('allow', allowed);
      return send(response, 405, { error: `use ${allowed}` });
    }
    const [status, answer] = answerTo(pathname, searchParams, controlled);
    send(response, status, answer);
  };
}

function answerTo(pathname: string, query: URLSearchParams, controlled: Controlled): [number, Answer] {
  switch (pathname) {
    case '/starts':
      return [200, readPage(controlled.starts, query)];
    case '/resumes':
      return [200, readPage(controlled.resumes, query)];
    case '/workflow-id': {
      const id = controlled.workflowId(query.get('kind') ?? '', query.get('name') ?? '');
      return id === null ? [404, { error: 'there is no vendor of this kind' }] : [200, { id }];
    }
    default:
      controlled.reset();
      return [200, { reset: true }];
  }
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

function send(response: ServerResponse, status: number, value: Answer): void {
  const body = JSON.stringify(value);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
