import { ERROR_CATALOGUE, type CatalogueEntry, type ErrorCode } from '../../core/error-catalogue.ts';
import { errorBody } from '../../core/errors.ts';
import type { JsonObject } from '../../core/json.ts';
import type { RouteEntry } from '../app.ts';
import { EXAMPLE_RUN_ID } from '../schemas/parts.ts';
import { LIMIT_HEADERS, type AnswerHeader, type RequestHeader } from './headers.ts';
import type { DescribedApi } from './described-apis.ts';
import type { Operation } from './operation.ts';

const METHODS_WITH_BODY: readonly string[] = ['POST', 'DELETE', 'PUT', 'PATCH'];

/** What any request can be told, before or after its route's own work. */
const EVERY_ROUTE: readonly ErrorCode[] = ['invalid_request', 'loop_detected', 'internal'];
/** What the guard tells whoever needs a key. */
const GUARDED: readonly ErrorCode[] = [
  'unauthorized',
  'forbidden',
  'rate_limited',
  'not_acceptable',
  'unsupported_media_type',
  'store_unavailable',
];
const WITH_BODY: readonly ErrorCode[] = ['invalid_json', 'payload_too_large', 'unsupported_media_type'];

/** Told before anybody knows whose request it is, and so what its key may send. */
const BEFORE_THE_KEY: readonly ErrorCode[] = ['loop_detected', 'unauthorized'];

/** Every code that a route can answer with, by HTTP status, in the catalogue's order. */
export function errorsOf(
  { method, roles }: RouteEntry,
  { errors }: Operation,
  { countsRequests }: Pick<DescribedApi, 'countsRequests'>,
): Map<number, ErrorCode[]> {
  const given = new Set<ErrorCode>([...EVERY_ROUTE, ...errors]);
  if (roles !== 'anyone') for (const code of GUARDED) given.add(code);
  if (!countsRequests && !errors.includes('rate_limited')) given.delete('rate_limited');
  if (METHODS_WITH_BODY.includes(method)) for (const code of WITH_BODY) given.add(code);
  if (method === 'POST') given.add('shutting_down');
  const byStatus = new Map<number, ErrorCode[]>();
  for (const [code, { status }] of Object.entries(ERROR_CATALOGUE) as [ErrorCode, CatalogueEntry][]) {
    if (given.has(code)) byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return new Map([...byStatus].sort(([a], [b]) => a - b));
}

/** The answer with one status: the envelope, with the codes that it can carry. */
export function errorAnswer(
  status: number,
  codes: readonly ErrorCode[],
  more: readonly AnswerHeader[],
  { countsRequests }: Pick<DescribedApi, 'countsRequests'>,
): JsonObject {
  const own: AnswerHeader[] = [];
  if (status === 401) own.push('WWW-Authenticate');
  if (status === 429 || status === 503) own.push('Retry-After');
  if (countsRequests && !codes.every((code) => BEFORE_THE_KEY.includes(code))) own.push(...LIMIT_HEADERS);
  return {
    description: codes.map((code) => `\`${code}\`: ${ERROR_CATALOGUE[code].message}`).join('\n\n'),
    headers: headerRefs([...EVERY_JSON_ANSWER, ...own, ...more]),
    content: {
      'application/json': {
        schema: narrowedEnvelope(status, codes),
        examples: Object.fromEntries(codes.map((code) => [code, exampleOf(code)])),
      },
    },
  };
}

/** Headers that every answer carries, the trace's where there is one. */
export const EVERY_ANSWER: readonly AnswerHeader[] = ['x-request-id', 'traceparent', 'tracestate'];
/** Headers that every JSON answer carries. */
export const EVERY_JSON_ANSWER: readonly AnswerHeader[] = [...EVERY_ANSWER, 'Server-Timing'];

export function headerRefs(names: readonly (AnswerHeader | RequestHeader)[]): JsonObject {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

/** The envelope with the codes that this answer can carry, for clients that tell them apart. */
function narrowedEnvelope(status: number, codes: readonly ErrorCode[]): JsonObject {
  const narrowed = {
    type: 'object',
    required: ['code', 'status'],
    properties: {
      // A new release may add codes: clients treat one that they do not know by its status.
      code: { type: 'string', enum: [...codes], 'x-extensible': true },
      status: { type: 'integer', const: status },
    },
  };
  const error = { allOf: [{ $ref: '#/components/schemas/Error' }, narrowed] };
  return { type: 'object', required: ['error'], properties: { error } };
}

function exampleOf(code: ErrorCode): JsonObject {
  const { source, status } = ERROR_CATALOGUE[code];
  const error = errorBody(code, {
    requestId: 'req_01k9zq3v5w8x7y6z5a4b3c2d1e',
    ...(status === 429 || status === 503 ? { retryAfterS: 12 } : {}),
    ...(source === 'gateway' ? {} : { provider: 'ai-tutor', runId: EXAMPLE_RUN_ID }),
  });
  return { summary: ERROR_CATALOGUE[code].message, value: { error: { ...error, upstream: null } } };
}
