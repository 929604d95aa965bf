import type { IncomingMessage, ServerResponse } from 'node:http';
import { KEY_ID_LENGTH, KEY_PREFIX } from '../../access/key-format.ts';
import type { ServesOrigin } from '../../access/origins.ts';
import { errorBody } from '../../core/errors.ts';
import type { App, AppParts } from '../app.ts';
import { requestIdOf } from '../headers/request-id.ts';
import { readTraceContext } from '../headers/trace-context.ts';
import { baseHeaders, JSON_TYPE } from '../reply.ts';
import { addBeforeRouting } from './before-routing.ts';
import { corsHeaders } from './cors.ts';
import type { LoadShedder } from './load-shedder.ts';

const KEY_START = `Bearer ${KEY_PREFIX}`;

export interface ShedEarlyParts extends Pick<AppParts, 'ids' | 'health' | 'observeRequest'> {
  shedder: LoadShedder;
  servesOrigin: ServesOrigin;
}

/**
 * Refuses `POST /runs` before Fastify sees it, while there is no room for new runs: no key is proven, no body read, no line
 * written to the log, because a refusal has to cost next to nothing where there are many. The shedder writes one line for all of a second.
 * A request that comes by here in another spelling meets the shedder in its route.
 */
export function addEarlyShedding(app: App, parts: ShedEarlyParts): void {
  addBeforeRouting(app, (raw, response) => beginsRun(raw) && shed(raw, response, parts));
}

function beginsRun({ method, url = '' }: IncomingMessage): boolean {
  return method === 'POST' && (url === '/runs' || url.startsWith('/runs?'));
}

/** The id in `Bearer rgk_<id>_…`, unproven; null where it is not written quite like that. */
function claimedKeyId({ headers: { authorization } }: IncomingMessage): string | null {
  if (authorization === undefined || !authorization.startsWith(KEY_START)) return null;
  return authorization.slice(KEY_START.length, KEY_START.length + KEY_ID_LENGTH);
}

/** Whether the request was answered. */
function shed(raw: IncomingMessage, response: ServerResponse, parts: ShedEarlyParts): boolean {
  const { shedder, health, ids, observeRequest, servesOrigin } = parts;
  // A drain has another word for it.
  const retryAfterS = health.unready() === 'draining' ? null : shedder.refusal(claimedKeyId(raw));
  if (retryAfterS === null) return false;
  const requestId = requestIdOf(raw, ids);
  const error = errorBody('overloaded', { retryAfterS, requestId });
  const body = JSON.stringify({ error });
  const refuse = (cors: Readonly<Record<string, string>>) => {
    response.writeHead(error.status, {
      'content-type': JSON_TYPE,
      'content-length': Buffer.byteLength(body),
      ...baseHeaders(requestId, readTraceContext(raw.headers)),
      ...cors,
      'retry-after': String(retryAfterS),
      'server-timing': 'upstream;dur=0.0, gateway;dur=0.0',
    });
    response.end(body);
    observeRequest({ route: '/runs', method: 'POST', status: error.status, ms: 0 });
  };
  const { origin } = raw.headers;
  if (origin === undefined) refuse({});
  else {
    // A browser is told too why it was refused, and when to come back, unless the store cannot say whose page it is.
    void corsHeaders(origin, servesOrigin).then(refuse, () => refuse({}));
  }
  return true;
}
