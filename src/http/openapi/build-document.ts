import type * as z from 'zod';
import { ERROR_CATALOGUE, type ErrorCode } from '../../core/error-catalogue.ts';
import type { Json, JsonObject } from '../../core/json.ts';
import type { RouteEntry } from '../app.ts';
import { RUNS_API, type DescribedApi } from './described-apis.ts';
import { EVERY_ANSWER, EVERY_JSON_ANSWER, errorAnswer, errorsOf, headerRefs } from './error-answers.ts';
import { ANSWER_HEADERS, LIMIT_HEADERS, REQUEST_HEADERS, type AnswerHeader, type RequestHeader } from './headers.ts';
import { renderSchemas, type JsonSchemas } from './json-schemas.ts';
import type { AnswerForm, Operation } from './operation.ts';

const JSON_TYPE = 'application/json';

/** What every operation takes. */
const EVERY_REQUEST: readonly RequestHeader[] = ['x-request-id', 'traceparent', 'tracestate'];

type DocumentedRoute = RouteEntry & { operation: Operation };

/**
 * The OpenAPI 3.1 document of all routes that describe themselves. `HEAD` is what `GET` is without a body, and is
 * left out.
 */
export function buildDocument(
  routes: readonly RouteEntry[],
  version: string,
  api: DescribedApi = RUNS_API,
): JsonObject {
  const documented = routes.filter(
    (route): route is DocumentedRoute => route.operation !== undefined && route.method !== 'HEAD',
  );
  const schemas = renderSchemas(documented.flatMap(schemasOf), api.components);
  const shared: Record<string, JsonObject> = {};
  const paths: Record<string, JsonObject> = {};
  for (const route of documented) {
    const path = route.url.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: renderOperation(route, { api, schemas, shared }) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: api.title,
      version,
      summary: api.summary,
      description: api.description,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [
      { url: '/', description: 'The gateway that serves this document' },
      { url: api.usualUrl, description: 'Where a gateway listens by default' },
    ],
    security: [{ key: [] }],
    tags: Object.entries(api.tags).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      securitySchemes: {
        key: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'rgk_…',
          description: api.keyDescription,
        },
      },
      schemas: schemas.components(),
      responses: Object.fromEntries(Object.entries(shared).sort(([a], [b]) => (a < b ? -1 : 1))),
      headers: named(ANSWER_HEADERS, 'headers', [paths, shared]),
      parameters: named(renderHeaderParameters(), 'parameters', [paths]),
    },
  };
}

/** Those components that something of the document refers to. */
function named(components: JsonObject, kind: string, document: Json): JsonObject {
  const text = JSON.stringify(document);
  return Object.fromEntries(
    Object.entries(components).filter(([name]) => text.includes(`"#/components/${kind}/${name}"`)),
  );
}

function schemasOf({ schema = {}, operation }: DocumentedRoute): z.ZodType[] {
  const { params, querystring, body } = schema;
  const answers = Object.values(operation.answers).flatMap((answer) => [answer.schema, answer.stream?.schema]);
  return [params, querystring, body, ...answers].filter((part) => part !== undefined && part !== null);
}

interface Rendering {
  api: DescribedApi;
  schemas: JsonSchemas;
  /** Error answers that have a name of their own. */
  shared: Record<string, JsonObject>;
}

function renderOperation(route: DocumentedRoute, rendering: Rendering): JsonObject {
  const { api, schemas } = rendering;
  const { operation, roles, schema = {} } = route;
  const { id, tag, summary, description, headers = [] } = operation;
  const ownRoles = roles === undefined || roles === 'anyone' ? null : roles;
  const parameters = [
    ...(schema.params === undefined ? [] : parametersIn('path', schemas.of(schema.params))),
    ...(schema.querystring === undefined ? [] : parametersIn('query', schemas.of(schema.querystring))),
    ...[...headers, ...EVERY_REQUEST].map((name) => ({ $ref: `#/components/parameters/${name}` })),
  ];
  return {
    operationId: id,
    tags: [tag],
    summary,
    description: ownRoles === null ? description : `${description}\n\nFor keys of role ${listOf(ownRoles)}.`,
    ...(ownRoles === null ? { security: [] } : {}),
    parameters,
    ...(schema.body === undefined ? {} : { requestBody: renderBody(schema.body, schemas, operation) }),
    responses: {
      ...renderAnswers(operation, schemas, ownRoles === null || !api.countsRequests ? [] : LIMIT_HEADERS),
      ...renderErrors(route, rendering),
    },
  };
}

function listOf(roles: readonly string[]): string {
  const named = roles.map((role) => `\`${role}\``);
  return named.length === 1 ? `${named[0]}` : `${named.slice(0, -1).join(', ')} or ${named.at(-1)}`;
}

/** Every property of the schema as a parameter; a list is written with commas, an object as `name[key]`. */
function parametersIn(place: 'path' | 'query', { properties = {}, required = [] }: JsonObject): JsonObject[] {
  return Object.entries(properties as JsonObject).map(([name, property]) => {
    const { description = '', example = null, ...schema } = property as JsonObject;
    const style =
      schema.type === 'array'
        ? { style: 'form', explode: false }
        : schema.type === 'object'
          ? { style: 'deepObject', explode: true }
          : {};
    return {
      name,
      in: place,
      required: place === 'path' || (required as string[]).includes(name),
      description,
      ...style,
      schema,
      ...(example === null ? {} : { example }),
    };
  });
}

function renderHeaderParameters(): JsonObject {
  const entries = Object.entries(REQUEST_HEADERS).map(([name, header]) => [name, { name, in: 'header', ...header }]);
  return Object.fromEntries(entries) as JsonObject;
}

function renderBody(schema: z.ZodType, schemas: JsonSchemas, { examples }: Operation): JsonObject {
  return {
    required: !schema.safeParse(undefined).success,
    content: {
      'application/json': {
        schema: schemas.of(schema),
        ...(examples === undefined ? {} : { examples: { ...examples } as never }),
      },
    },
  };
}

function renderAnswers(
  { answers }: Operation,
  schemas: JsonSchemas,
  limitHeaders: readonly AnswerHeader[],
): JsonObject {
  const render = ({ description, headers = [], ...form }: AnswerForm) => {
    const content = renderContent(form, schemas);
    return {
      description,
      headers: headerRefs([...(form.schema !== null ? EVERY_JSON_ANSWER : EVERY_ANSWER), ...limitHeaders, ...headers]),
      ...(Object.keys(content).length === 0 ? {} : { content }),
    };
  };
  const rendered = Object.entries(answers).map(([status, answer]) => [status, render(answer)]);
  return Object.fromEntries(rendered) as JsonObject;
}

/** The body of an answer in each of its forms. */
function renderContent(
  { schema, mediaType = JSON_TYPE, examples, stream }: Omit<AnswerForm, 'description' | 'headers'>,
  schemas: JsonSchemas,
): JsonObject {
  const own = schema && { schema: schemas.of(schema), ...(examples === undefined ? {} : { examples }) };
  const events = stream && { schema: schemas.of(stream.schema), examples: stream.examples };
  return {
    ...(own === null ? {} : { [mediaType]: own as unknown as JsonObject }),
    ...(events === undefined ? {} : { 'text/event-stream': events as unknown as JsonObject }),
  };
}

/** What Rungate refuses itself, it refuses before there is a run. */
function mayFollowARun(code: ErrorCode): boolean {
  return ERROR_CATALOGUE[code].source !== 'gateway';
}

/** An answer with one code of every route is written once, under the code's name. */
function renderErrors(route: DocumentedRoute, { api, shared }: Rendering): JsonObject {
  const { errors, errorHeaders = [] } = route.operation;
  const rendered: JsonObject = {};
  for (const [status, codes] of errorsOf(route, route.operation, api)) {
    const own = codes.some((code) => errors.includes(code) && mayFollowARun(code)) ? errorHeaders : [];
    const answer = errorAnswer(status, codes, own, api);
    const [only, ...others] = codes;
    if (only !== undefined && others.length === 0 && own.length === 0) {
      shared[only] = answer;
      rendered[status] = { $ref: `#/components/responses/${only}` };
    } else rendered[status] = answer;
  }
  return rendered;
}
