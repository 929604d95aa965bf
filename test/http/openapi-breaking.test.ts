import { describe, expect, it } from 'vitest';
import { breakingChanges } from '../../scripts/support/breaking-changes.ts';
import { newestVersion } from '../../scripts/support/newest-version.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { readOpenApi } from '../support/openapi.ts';

interface Parts {
  request?: JsonObject;
  answer?: JsonObject;
  parameters?: JsonObject[];
  operation?: JsonObject;
  responses?: JsonObject;
}

const REQUEST = {
  type: 'object',
  required: ['name'],
  properties: { name: { type: 'string', maxLength: 10 }, mode: { enum: ['a', 'b'] }, size: { type: 'number' } },
  additionalProperties: false,
};
const ANSWER = {
  type: 'object',
  required: ['id', 'state'],
  properties: {
    id: { type: 'string' },
    state: { enum: ['on', 'off'] },
    code: { enum: ['x'], 'x-extensible': true },
    note: { type: ['string', 'null'] },
    owner: { $ref: '#/components/schemas/Owner' },
  },
};

/** A document with one operation. */
function document({ request = REQUEST, answer = ANSWER, parameters = [], operation = {}, responses = {} }: Parts = {}) {
  const json = (schema: JsonObject) => ({ 'application/json': { schema } });
  return {
    security: [{ key: [] }],
    paths: {
      '/things': {
        post: {
          operationId: 'makeThing',
          parameters,
          requestBody: { required: true, content: json(request) },
          responses: { 200: { headers: { Location: {} }, content: json(answer) }, 404: {}, ...responses },
          ...operation,
        },
      },
    },
    components: { schemas: { Owner: { type: 'object', properties: { name: { type: 'string' } } } } },
  } satisfies JsonObject;
}

function withField(schema: JsonObject, name: string, field: JsonObject | null): JsonObject {
  const { [name]: _, ...properties } = schema['properties'] as JsonObject;
  return { ...schema, properties: { ...properties, ...(field === null ? {} : { [name]: field }) } };
}

const before = document({ parameters: [{ name: 'limit', in: 'query', schema: { type: 'integer', maximum: 100 } }] });
const sameParameters = before.paths['/things'].post.parameters;

const BREAKING: ReadonlyArray<readonly [what: string, after: JsonObject, told: string]> = [
  ['an operation that is gone', { ...before, paths: {} }, 'POST /things is gone'],
  [
    'another operationId',
    document({ operation: { operationId: 'createThing' }, parameters: sameParameters }),
    'operationId',
  ],
  ['a parameter that is gone', document(), 'query limit is gone'],
  [
    'a parameter that takes less',
    document({ parameters: [{ name: 'limit', in: 'query', schema: { type: 'integer', maximum: 50 } }] }),
    'maximum is lower',
  ],
  [
    'a new required header',
    document({ parameters: [...sameParameters, { name: 'X-Team', in: 'header', required: true, schema: {} }] }),
    'header x-team is new and required',
  ],
  [
    'a field of a request that is gone',
    document({ parameters: sameParameters, request: withField(REQUEST, 'mode', null) }),
    'the body.mode is gone',
  ],
  [
    'a new required field of a request',
    document({
      parameters: sameParameters,
      request: { ...withField(REQUEST, 'team', { type: 'string' }), required: ['name', 'team'] },
    }),
    'the body.team is required now',
  ],
  [
    'a value that is no longer taken',
    document({ parameters: sameParameters, request: withField(REQUEST, 'mode', { enum: ['a'] }) }),
    'no longer takes "b"',
  ],
  [
    'a type that is no longer taken',
    document({ parameters: sameParameters, request: withField(REQUEST, 'size', { type: 'integer' }) }),
    'may no longer be number',
  ],
  [
    'a shorter text',
    document({ parameters: sameParameters, request: withField(REQUEST, 'name', { type: 'string', maxLength: 5 }) }),
    'maxLength is lower',
  ],
  [
    'a pattern where there was none',
    document({
      parameters: sameParameters,
      request: withField(REQUEST, 'name', { type: 'string', maxLength: 10, pattern: '^a' }),
    }),
    'pattern is another',
  ],
  [
    'a field of an answer that is gone',
    document({ parameters: sameParameters, answer: withField(ANSWER, 'note', null) }),
    'the answer 200.note is gone',
  ],
  [
    'a field of an answer that may be missing',
    document({ parameters: sameParameters, answer: { ...ANSWER, required: ['id'] } }),
    'the answer 200.state may be missing now',
  ],
  [
    'an answer that may be null',
    document({ parameters: sameParameters, answer: withField(ANSWER, 'id', { type: ['string', 'null'] }) }),
    'may be null now',
  ],
  [
    'null written as an alternative',
    document({
      parameters: sameParameters,
      answer: withField(ANSWER, 'owner', { anyOf: [{ $ref: '#/components/schemas/Owner' }, { type: 'null' }] }),
    }),
    'has a new form',
  ],
  [
    'a new value in an answer',
    document({ parameters: sameParameters, answer: withField(ANSWER, 'state', { enum: ['on', 'off', 'lost'] }) }),
    'may now be "lost"',
  ],
  [
    'a success that is gone',
    document({ parameters: sameParameters, operation: { responses: { 404: {} } } }),
    'the answer 200 is gone',
  ],
  [
    'a header of an answer that is gone',
    document({
      parameters: sameParameters,
      responses: { 200: { content: { 'application/json': { schema: ANSWER } } } },
    }),
    'its header Location is gone',
  ],
];

const HARMLESS: ReadonlyArray<readonly [what: string, after: JsonObject]> = [
  ['the same', before],
  [
    'a new optional field of a request',
    document({ parameters: sameParameters, request: withField(REQUEST, 'team', { type: 'string' }) }),
  ],
  [
    'more room in a request',
    document({ parameters: sameParameters, request: withField(REQUEST, 'name', { type: 'string', maxLength: 99 }) }),
  ],
  [
    'a new value in a request',
    document({ parameters: sameParameters, request: withField(REQUEST, 'mode', { enum: ['a', 'b', 'c'] }) }),
  ],
  [
    'a new field of an answer',
    document({ parameters: sameParameters, answer: withField(ANSWER, 'size', { type: 'integer' }) }),
  ],
  [
    'a new value where more are to be expected',
    document({
      parameters: sameParameters,
      answer: withField(ANSWER, 'code', { enum: ['x', 'y'], 'x-extensible': true }),
    }),
  ],
  [
    'an error that can no longer happen',
    document({
      parameters: sameParameters,
      operation: { responses: { 200: before.paths['/things'].post.responses[200] } },
    }),
  ],
  ['a new optional header', document({ parameters: [...sameParameters, { name: 'X', in: 'header', schema: {} }] })],
];

describe('a change of the document', () => {
  it.each(BREAKING)('breaks clients: %s', (_what, after, told) => {
    const changes = breakingChanges(before, after);
    expect(changes).toHaveLength(1);
    expect(changes[0]).toContain(told);
  });

  it.each(HARMLESS)('breaks nobody: %s', (_what, after) => {
    expect(breakingChanges(before, after)).toEqual([]);
  });

  it('is found in the real document too, however deep', () => {
    const real = readOpenApi() as unknown as JsonObject;
    expect(breakingChanges(real, real)).toEqual([]);
    const changed = structuredClone(real) as unknown as ReturnType<typeof readOpenApi>;
    const { properties } = changed.components.schemas['Error'] as { properties: JsonObject };
    delete properties['retryable'];
    expect(breakingChanges(real, changed as unknown as JsonObject)).toContain(
      'GET /runs/{id}: the answer 200.error.retryable is gone',
    );
  });
});

describe('the newest version', () => {
  it('is the highest by its numbers, not by its letters', () => {
    expect(newestVersion(['0.9.0.json', '0.10.0.json', '0.2.11.json', 'README.md'])).toBe('0.10.0');
    expect(newestVersion(['.gitkeep'])).toBeNull();
    expect(newestVersion(['1.0.0.json', 'admin-0.2.0.json', 'admin-0.1.0.json'], 'admin-')).toBe('0.2.0');
    expect(newestVersion(['admin-0.2.0.json'])).toBeNull();
  });
});
