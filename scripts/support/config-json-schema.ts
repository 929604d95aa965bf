import * as z from 'zod';
import {
  AccessEntry,
  ConfigFile,
  CredentialEntry,
  FallbackEntry,
  IssuerEntry,
  LimitsEntry,
  object,
  PerCredentialEntry,
  ProviderEntry,
  TargetEntry,
  TimeoutsEntry,
  WorkflowEntry,
} from '../../src/config/config-schema.ts';
import { FALLBACK_CODES } from '../../src/config/fallback-codes.ts';
import { KEYWORDS, type KeywordForm } from '../../src/config/inputs/schema-keywords.ts';
import { isJsonObject, type Json, type JsonObject } from '../../src/core/json.ts';
import { NAME } from '../../src/core/name.ts';
import type { AnyProviderKind } from '../../src/providers/define-provider.ts';

const TYPES = ['string', 'number', 'integer', 'boolean', 'array', 'object', 'null'];
const REFERENCE = '^(env:[A-Za-z_][A-Za-z0-9_]{0,199}|file:/[^/].*|vault:[^/#]+/[^#]+#[^#]+)$';
const ANY_URL = '^[Hh][Tt][Tt][Pp][Ss]?://[^/\\s?#@]+(/[^\\s?#]*)?$';
const URL_WITH_QUERY = '^[Hh][Tt][Tt][Pp][Ss]?://[^/\\s?#@]+(/[^\\s?#]*)?(\\?[^\\s#]*)?$';
const ORIGIN = '^(https://|http://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:|$))[^/?#@]*$';
const HTTPS_URL = '^[Hh][Tt][Tt][Pp][Ss]://';

/**
 * What `rungate.yaml` may say, for editors: the loader's own schemas, joined as the loader joins them. Draft 7, which
 * every editor knows. It finds less than `rungate check`, which also knows names, the environment and vendors' ids.
 */
export function configJsonSchema(kinds: readonly AnyProviderKind[]): JsonObject {
  const names = kinds.map(({ kind }) => kind);
  const root = draft7(ConfigFile);
  extend(propertyOf(root, 'providers'), {
    propertyNames: { pattern: NAME.source },
    // A kind's own provider needs no `kind`; any other does.
    properties: Object.fromEntries(names.map((kind) => [kind, orNull(ownProvider(kind))])),
    additionalProperties: { allOf: [{ $ref: '#/definitions/provider' }, { required: ['kind'] }] },
  });
  extend(propertyOf(root, 'workflows'), {
    propertyNames: { pattern: NAME.source },
    additionalProperties: { $ref: '#/definitions/workflow' },
  });
  extend(propertyOf(root, 'access'), orNull({ $ref: '#/definitions/access' }));
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'rungate.yaml',
    ...root,
    definitions: {
      provider: providerSchema(kinds),
      workflow: workflowSchema(),
      access: accessSchema(),
      inputs: inputsSchema(),
      ...Object.fromEntries(kinds.map(({ kind, settings }) => [settingsName(kind), draft7(settings)])),
    },
  };
}

function ownProvider(kind: string): JsonObject {
  const settings = { properties: { settings: orNull({ $ref: `#/definitions/${settingsName(kind)}` }) } };
  return { allOf: [{ $ref: '#/definitions/provider' }, when({ not: { required: ['kind'] } }, settings)] };
}

function providerSchema(kinds: readonly AnyProviderKind[]): JsonObject {
  const provider = draft7(ProviderEntry);
  extend(propertyOf(provider, 'kind'), { enum: [...kinds.map(({ kind }) => kind), null] });
  extend(propertyOf(provider, 'base_url'), { pattern: ANY_URL });
  const reference = { type: 'string', pattern: REFERENCE };
  const credential = draft7(CredentialEntry);
  extend(propertyOf(credential, 'ref'), reference);
  extend(propertyOf(provider, 'credentials'), { items: { anyOf: [reference, credential] }, uniqueItems: true });
  const limits = draft7(LimitsEntry);
  extend(propertyOf(limits, 'per_credential'), orNull(draft7(PerCredentialEntry)));
  extend(propertyOf(provider, 'limits'), orNull(limits));
  extend(propertyOf(provider, 'timeouts'), orNull(draft7(TimeoutsEntry)));
  const settings = kinds.map(({ kind }) =>
    when(
      { properties: { kind: { const: kind } }, required: ['kind'] },
      { properties: { settings: orNull({ $ref: `#/definitions/${settingsName(kind)}` }) } },
    ),
  );
  const plainHttp = whenPublic({ base_url: orNull({ pattern: HTTPS_URL }) });
  return { ...provider, allOf: [plainHttp, ...settings] };
}

function workflowSchema(): JsonObject {
  const workflow = draft7(WorkflowEntry);
  extend(propertyOf(workflow, 'inputs'), orNull({ $ref: '#/definitions/inputs' }));
  const weighted = {
    anyOf: [{ not: { required: ['weight'] } }, { properties: { weight: { not: { const: 0 } } } }],
  };
  extend(propertyOf(workflow, 'targets'), { items: draft7(TargetEntry), contains: weighted, uniqueItems: true });
  const fallback = draft7(FallbackEntry);
  extend(propertyOf(fallback, 'when'), { items: { enum: [...FALLBACK_CODES] } });
  extend(propertyOf(workflow, 'fallbacks'), { items: fallback, uniqueItems: true });
  const one = { provider: { type: 'string' }, workflow: { type: 'string' }, sticky_by: { type: 'null' } };
  const none = { provider: { type: 'null' }, workflow: { type: 'null' } };
  return {
    ...workflow,
    ...when(
      { properties: { targets: { type: 'array' } }, required: ['targets'] },
      { properties: none },
      { properties: one, required: ['provider', 'workflow'] },
    ),
  };
}

function accessSchema(): JsonObject {
  const access = draft7(AccessEntry);
  extend(propertyOf(access, 'origins'), { items: { type: 'string', pattern: ORIGIN }, uniqueItems: true });
  const issuer = draft7(IssuerEntry);
  extend(propertyOf(issuer, 'issuer'), { pattern: ANY_URL });
  extend(propertyOf(issuer, 'jwks_uri'), { pattern: URL_WITH_QUERY });
  const plainHttp = whenPublic({ issuer: { pattern: HTTPS_URL }, jwks_uri: orNull({ pattern: HTTPS_URL }) });
  extend(propertyOf(access, 'issuers'), { items: { ...issuer, ...plainHttp }, uniqueItems: true });
  return access;
}

/** A schema that holds schemas, from the keywords that the loader takes. */
function inputsSchema(): JsonObject {
  const self = { $ref: '#/definitions/inputs' };
  const forms: Readonly<Record<KeywordForm, JsonObject>> = {
    value: {},
    schema: self,
    schemas: { type: 'array', minItems: 1, items: self },
    'schema map': { type: 'object', additionalProperties: self },
  };
  const type = { enum: TYPES };
  return {
    type: ['object', 'boolean'],
    properties: {
      ...Object.fromEntries(Object.entries(KEYWORDS).map(([keyword, form]) => [keyword, forms[form]])),
      type: { anyOf: [type, { type: 'array', items: type, minItems: 1, uniqueItems: true }] },
      required: { type: 'array', items: { type: 'string' }, uniqueItems: true },
      pattern: { type: 'string', format: 'regex' },
      $ref: { type: 'string', pattern: '^#(/|$)' },
    },
    additionalProperties: false,
  };
}

function settingsName(kind: string): string {
  return `${kind}-settings`;
}

/** As the loader takes it: an object of any kind where zod knows no better, and a missing value where null stands. */
function draft7(schema: z.ZodType): JsonObject {
  const rendered = z.toJSONSchema(schema, {
    target: 'draft-7',
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema === object) jsonSchema.type = 'object';
    },
  });
  const { $schema: _, ...rest } = rendered;
  return rest as JsonObject;
}

/** A property's schema without the null that may stand in its place, so that more can be said of it. */
function propertyOf({ properties }: JsonObject, name: string): JsonObject {
  const property = isJsonObject(properties) ? properties[name] : undefined;
  if (!isJsonObject(property)) throw new TypeError(`the configuration has no ${name}`);
  const choices: Json[] = Array.isArray(property.anyOf) ? property.anyOf : [];
  return choices.filter(isJsonObject).find(({ type }) => type !== 'null') ?? property;
}

function extend(schema: JsonObject, more: JsonObject): void {
  Object.assign(schema, more);
}

function orNull(schema: JsonObject): JsonObject {
  return { anyOf: [schema, { type: 'null' }] };
}

/** What holds of properties where private networks are not let in. */
function whenPublic(properties: JsonObject): JsonObject {
  const isAllowed = { properties: { allow_private_network: { const: true } }, required: ['allow_private_network'] };
  return when({ not: isAllowed }, { properties });
}

function when(condition: JsonObject, consequence: JsonObject, otherwise?: JsonObject): JsonObject {
  // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
  return { if: condition, then: consequence, ...(otherwise === undefined ? {} : { else: otherwise }) };
}
