import type { IncomingMessage, ServerResponse } from 'node:http';
import { isJsonObject, parseJson, type JsonObject } from '../core/json.ts';
import type { RecordedStart, StartFilter, StartRecorder } from './start-recorder.ts';
import { readTarget, type WebhookSender, type WebhookTally } from './webhooks.ts';

const STARTS_MAX = 10_000;
const BODY_BYTES_MAX = 16 * 1024;
const COPIES_MAX = 10_000;

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
  /** Null where there is no such vendor. */
  webhooksOf(kind: string): WebhookSender | null;
  reset(): void;
}

type Answer = StartsPage | WebhookTally | Record<string, string | boolean>;

const METHODS: Readonly<Record<string, readonly string[]>> = {
  '/starts': ['GET'],
  '/resumes': ['GET'],
  '/workflow-id': ['GET'],
  '/reset': ['POST'],
  '/webhooks': ['GET', 'POST'],
  '/webhooks/send': ['POST'],
};

/**
 * Lets other processes count starts: `GET /starts?kind=&workflow=&began=true|false&after=&limit=` (pages of
 * at most 10,000), the same of resumes at `/resumes`, and `POST /reset`. `GET /workflow-id?kind=&name=` tells by
 * which id a vendor knows a workflow of this name. `POST /webhooks { kind, url, secret, copies? }` has a vendor tell a
 * loopback address of each run that ends (`url: null`: no more), `POST /webhooks/send { kind, run_id, copies? }` has it
 * tell of this run at once, and `GET /webhooks?kind=` counts them. It is a door of the sandbox, not of any vendor.
 */
export function serveControl(controlled: Controlled): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://sandbox');
    const allowed = METHODS[pathname];
    if (allowed === undefined) {
      const paths = Object.entries(METHODS).map(([path, methods]) => `${methods.join(' and ')} ${path}`);
      return send(response, 404, { error: `paths: ${paths.join(', ')}` });
    }
    if (!allowed.includes(request.method ?? '')) {
      response.setHeader('allow', allowed.join(', '));
      return send(response, 405, { error: `use ${allowed.join(' or ')}` });
    }
    if (pathname.startsWith('/webhooks') && request.method === 'POST') {
      readBody(request)
        .then((body) => send(response, ...webhooksAnswer(pathname, body, controlled)))
        .catch(() => response.destroy());
      return;
    }
    const [status, answer] = answerTo(pathname, searchParams, controlled);
    send(response, status, answer);
  };
}

/** Null where it is no JSON object, or too large. */
async function readBody(request: IncomingMessage): Promise<JsonObject | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) return null;
    chunks.push(chunk);
  }
  const parsed = parseJson(Buffer.concat(chunks));
  return parsed.ok && isJsonObject(parsed.value) ? parsed.value : null;
}

function webhooksAnswer(pathname: string, body: JsonObject | null, controlled: Controlled): [number, Answer] {
  if (body === null) return [400, { error: 'the body must be a JSON object' }];
  const webhooks = controlled.webhooksOf(typeof body.kind === 'string' ? body.kind : '');
  if (webhooks === null) return [404, { error: 'there is no vendor of this kind' }];
  const copies = Math.min(Number(body.copies ?? 1) || 1, COPIES_MAX);
  try {
    if (pathname === '/webhooks') webhooks.setTarget(readTarget(body, copies));
    else webhooks.send(typeof body.run_id === 'string' ? body.run_id : '', copies);
    return [200, webhooks.tally()];
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return [400, { error: error.message }];
  }
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
    case '/webhooks': {
      const webhooks = controlled.webhooksOf(query.get('kind') ?? '');
      return webhooks === null ? [404, { error: 'there is no vendor of this kind' }] : [200, webhooks.tally()];
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
