import * as fc from 'fast-check';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { resolved, type DescribedOperation, type OpenApi, type Parameter } from './openapi.ts';

/** A request to an operation, as it goes onto the wire; the run is named when it is sent. */
export interface HostileRequest {
  key: 'runs' | 'viewer' | 'admin' | 'none' | 'wrong';
  /** A run of the pool by its number, or what stands in its place. */
  run: number | string;
  query: readonly (readonly [name: string, value: string])[];
  headers: Readonly<Record<string, string>>;
  body: string | null;
}

/** Values that are worth trying where a field of this name is; `body` stands for the whole. */
export type Hints = Readonly<Record<string, readonly Json[]>>;

const printable = fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code));
/** What an HTTP client can put into a header. */
const headerText = fc.string({ unit: printable, maxLength: 60 }).map((text) => text.trim());
const wellFormedRun = fc
  .string({ unit: fc.constantFrom(...'0123456789abcdefghjkmnpqrstvwxyz'.split('')), minLength: 25, maxLength: 25 })
  .map((text) => `run_0${text}`);
const oddText = fc.constantFrom(
  '..',
  '.',
  '%',
  '\u0000',
  '%2e%2e%2f',
  '__proto__',
  'constructor',
  "' OR 1=1 --",
  '\ud83d\ude00',
  'null',
  '-1',
  '1e999',
  'NaN',
);
const anyText = fc.oneof(oddText, fc.string({ maxLength: 40 }), fc.string({ unit: 'grapheme', maxLength: 20 }));

const HEADER_VALUES: Readonly<Record<string, readonly string[]>> = {
  prefer: ['respond-async', 'wait=0', 'wait=1', 'respond-async, wait=1', 'wait="0"', 'wait=00;foreign'],
  'idempotency-key': ['order-1', '"order-1"', 'order-2', '"', '"a\\"b"', 'x'.repeat(255), 'x'.repeat(256)],
  // No streams: those of runs that wait have no end.
  accept: [
    '*/*',
    'application/json',
    'text/event-stream;q=0.5, application/json',
    'text/html',
    'application/*;q=0',
    ';;',
  ],
  'content-encoding': ['identity', 'gzip', 'br'],
  'x-request-id': ['a', 'x'.repeat(128), 'x'.repeat(129)],
  traceparent: ['00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', '00-0-0-0'],
  tracestate: ['a=b', ',,,', '='],
};

/** Requests to one operation: right ones, nearly right ones and hostile ones. */
export function requestsOf(
  document: OpenApi,
  operation: DescribedOperation,
  hints: Hints,
): fc.Arbitrary<HostileRequest> {
  const parameters = operation.parameters.map((parameter) => resolved(document, parameter));
  return fc.record({
    key: fc.oneof(
      { weight: 10, arbitrary: fc.constant('runs' as const) },
      { weight: 2, arbitrary: fc.constantFrom('viewer' as const, 'admin' as const, 'none' as const, 'wrong' as const) },
    ),
    run: fc.oneof(
      { weight: 6, arbitrary: fc.nat(1000) },
      { weight: 1, arbitrary: wellFormedRun },
      { weight: 1, arbitrary: anyText.filter((text) => text !== '') },
    ),
    query: fc.array(queryPair(parameters.filter(({ in: place }) => place === 'query')), { maxLength: 3 }),
    headers: headersOf(operation),
    body: operation.requestBody === undefined ? fc.constant(null) : bodiesOf(document, operation.requestBody, hints),
  });
}

function queryPair(parameters: readonly Parameter[]): fc.Arbitrary<readonly [string, string]> {
  const unknown = fc.tuple(fc.constantFrom('x', '__proto__', 'metadata[a][b]', 'limit[]', ''), anyText);
  const known = parameters.map(({ name, schema, style }) => {
    const value = fc.oneof({ weight: 3, arbitrary: valueOf(schema) }, { weight: 1, arbitrary: anyText });
    const written = style === 'deepObject' ? fc.constantFrom(`${name}[a]`, `${name}[]`, name) : fc.constant(name);
    return { weight: 3, arbitrary: fc.tuple(written, value) };
  });
  return fc.oneof({ weight: 1, arbitrary: unknown }, ...known);
}

/** A parameter's value as it is written. */
function valueOf({ type, items, minimum = 0, maximum = 1000, format }: JsonObject): fc.Arbitrary<string> {
  if (type === 'array') {
    const { enum: choices = ['a'] } = items as { enum?: string[] };
    return fc.array(fc.constantFrom(...choices), { minLength: 1, maxLength: 3 }).map((list) => list.join(','));
  }
  if (type === 'integer') return fc.integer({ min: Number(minimum) - 1, max: Number(maximum) + 1 }).map(String);
  if (format === 'date-time') return fc.constantFrom('2026-01-31T12:00:00Z', '9999-12-31T23:59:59.999Z', '2026-02-30');
  return anyText;
}

/** Most callers do not want to wait here. */
function headersOf({ requestBody }: DescribedOperation): fc.Arbitrary<Record<string, string>> {
  const entries = Object.entries(HEADER_VALUES).map(([name, values]) =>
    fc.tuple(
      fc.constant(name),
      fc.oneof(
        { weight: 4, arbitrary: fc.constantFrom(...values) },
        { weight: name === 'prefer' ? 0 : 1, arbitrary: headerText },
      ),
    ),
  );
  const chosen = fc.array(fc.oneof(...entries), { maxLength: 2 });
  const type = fc.oneof(
    { weight: 12, arbitrary: fc.constant('application/json') },
    { weight: 1, arbitrary: fc.constantFrom('text/plain', 'application/json; charset=latin1', 'application/xml', 'x') },
  );
  const patience = fc.constantFrom('respond-async', 'respond-async', 'wait=0', 'wait=1');
  return fc.tuple(patience, chosen, type).map(([prefer, pairs, contentType]) => ({
    prefer,
    ...(requestBody === undefined ? {} : { 'content-type': contentType }),
    ...Object.fromEntries(pairs),
  }));
}

function bodiesOf(
  document: OpenApi,
  { content }: { content: Record<string, { schema: JsonObject }> },
  hints: Hints,
): fc.Arbitrary<string | null> {
  const schema = content['application/json']?.schema ?? {};
  const right = jsonOf(document, schema, hints, 'body');
  const spoilt = fc.tuple(right, fc.dictionary(anyText, fc.jsonValue(), { maxKeys: 2 })).map(([value, more]) => ({
    ...(value as JsonObject),
    ...(more as JsonObject),
  }));
  return fc.oneof(
    { weight: 8, arbitrary: right.map((value) => JSON.stringify(value)) },
    { weight: 3, arbitrary: spoilt.map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: fc.json() },
    { weight: 1, arbitrary: fc.string({ maxLength: 50 }) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('', null, '{', '[]', 'null', '{"inputs":'.repeat(200), '{"inputs":{"a":1e400}}'),
    },
  );
}

/** Values that a schema allows, as far as it says so in keywords; `hints` go before it. */
function jsonOf(document: OpenApi, given: JsonObject, hints: Hints, name = ''): fc.Arbitrary<Json> {
  const schema = resolved(document, given);
  const hinted = hints[name];
  const hint = hinted === undefined ? [] : [{ weight: 3, arbitrary: fc.constantFrom(...hinted) }];
  const made = { weight: 1, arbitrary: plainJsonOf(document, schema, hints) };
  return fc.oneof(...hint, made);
}

function plainJsonOf(document: OpenApi, schema: JsonObject, hints: Hints): fc.Arbitrary<Json> {
  const { type, enum: choices, minimum = 0, maximum = 100_000, maxLength = 60, maxItems = 3 } = schema;
  if (Array.isArray(choices)) return fc.constantFrom(...choices);
  if (type === 'string') return fc.oneof(anyText, fc.string({ maxLength: Math.min(Number(maxLength), 300) }));
  if (type === 'integer') return fc.integer({ min: Number(minimum), max: Number(maximum) });
  if (type === 'object') return objectsOf(document, schema, hints);
  if (type !== 'array') return fc.jsonValue() as fc.Arbitrary<Json>;
  return fc.array(jsonOf(document, schema['items'] as JsonObject, hints), { maxLength: Number(maxItems) });
}

function objectsOf(document: OpenApi, schema: JsonObject, hints: Hints): fc.Arbitrary<Json> {
  const { properties, required = [], additionalProperties } = schema;
  if (properties === undefined) {
    const values =
      (additionalProperties as JsonObject)['type'] === 'string' ? fc.string({ maxLength: 20 }) : fc.jsonValue();
    return fc.dictionary(anyText, values as fc.Arbitrary<Json>, { maxKeys: 3 });
  }
  const fields = Object.entries(properties as Record<string, JsonObject>).map(
    ([name, field]) => [name, jsonOf(document, field, hints, name)] as const,
  );
  return fc.record<Record<string, Json>>(Object.fromEntries(fields), { requiredKeys: required as string[] });
}
