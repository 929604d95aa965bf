import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { isJsonObject, parseJson, type Json, type JsonObject } from '../../src/core/json.ts';
import { resolved, type DescribedOperation, type OpenApi } from './openapi.ts';

export interface WireAnswer {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: string;
}

/** Of HTTP itself, of every answer alike, or of pages; no document lists them. */
const OF_ALL = new Set([
  'content-type',
  'content-length',
  'date',
  'connection',
  'keep-alive',
  'cache-control',
  'x-content-type-options',
  'content-security-policy',
  'referrer-policy',
]);

/** Finds what of an answer the document does not say, as sentences. Fields that it does not name count too. */
export function createAnswerCheck(document: OpenApi) {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: false });
  const components = closed(document.components);
  const validators = new Map<JsonObject, ValidateFunction>();
  function validate(schema: JsonObject, body: Json): string | null {
    const known = validators.get(schema);
    const validator = known ?? ajv.compile({ ...(closed(schema) as JsonObject), components });
    validators.set(schema, validator);
    return validator(body) ? null : ajv.errorsText(validator.errors);
  }

  return function faultsOf(operation: DescribedOperation, { status, headers, body }: WireAnswer): string[] {
    const name = `${operation.operationId} ${status}`;
    const listed = operation.responses[status];
    if (listed === undefined) return [`${name}: the document does not know this status: ${body.slice(0, 300)}`];
    const described = resolved(document, listed);
    const faults: string[] = [];
    if (status === 500) faults.push(`${name}: ${body}`);
    const known = new Set(Object.keys(described.headers ?? {}).map((header) => header.toLowerCase()));
    const strange = Object.keys(headers).filter((header) => !known.has(header) && !OF_ALL.has(header));
    if (strange.length > 0) faults.push(`${name}: headers that nobody told of: ${strange.join(', ')}`);
    for (const wanted of neededHeaders(status, operation)) {
      if (headers[wanted] === undefined) faults.push(`${name}: no ${wanted}`);
    }
    const [[type, media] = ['', null]] = Object.entries(described.content ?? {});
    if (type === '') return body === '' ? faults : [...faults, `${name}: a body that nobody told of`];
    if (!headers['content-type']?.startsWith(type)) faults.push(`${name}: it is ${headers['content-type']}`);
    if (media === null || type !== 'application/json') return faults;
    const parsed = parseJson(body);
    if (!parsed.ok) return [...faults, `${name}: no JSON: ${body.slice(0, 300)}`];
    const fault = validate(media.schema, parsed.value);
    return fault === null ? faults : [...faults, `${name}: ${fault}: ${body.slice(0, 500)}`];
  };
}

function neededHeaders(status: number, { operationId }: DescribedOperation): string[] {
  const needed = ['x-request-id'];
  if (status === 401) needed.push('www-authenticate');
  if (status === 429 || status === 503) needed.push('retry-after');
  if (status < 300 && ['createRun', 'resumeRun'].includes(operationId)) needed.push('location');
  return needed;
}

/**
 * The schema, refusing fields that it does not name. Clients must take new ones, but a test must find them. The parts
 * of an `allOf` name only some.
 */
function closed(value: Json, ofAll = false): Json {
  if (Array.isArray(value)) return value.map((item) => closed(item, ofAll));
  if (!isJsonObject(value)) return value;
  const inner = Object.entries(value).map(([key, held]) => [key, closed(held, key === 'allOf')] as const);
  const isOpen = value['properties'] !== undefined && value['additionalProperties'] === undefined;
  return { ...Object.fromEntries(inner), ...(isOpen && !ofAll ? { additionalProperties: false } : {}) };
}
