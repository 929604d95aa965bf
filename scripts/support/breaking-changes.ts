import { isJsonObject, type Json, type JsonObject } from '../../src/core/json.ts';
import { brokenSchema, type Side } from './breaking-schema-changes.ts';

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'] as const;

/**
 * What of an OpenAPI document would break a client that was written for an earlier one, as sentences. Answers may
 * get new fields and statuses, requests new optional fields; everything else that a client may rely on has to stay.
 */
export function breakingChanges(released: JsonObject, current: JsonObject): string[] {
  const changes: string[] = [];
  for (const [path, item] of Object.entries(objectOf(released, 'paths'))) {
    for (const method of METHODS) {
      const before = isJsonObject(item) ? item[method] : undefined;
      if (!isJsonObject(before)) continue;
      const after = objectOf(objectOf(current, 'paths'), path)[method];
      const name = `${method.toUpperCase()} ${path}`;
      if (!isJsonObject(after)) changes.push(`${name} is gone`);
      else changes.push(...operationChanges(name, side(before, released), side(after, current)));
    }
  }
  return changes;
}

function side(at: JsonObject, document: JsonObject): Side {
  return { at, document };
}

function operationChanges(name: string, before: Side, after: Side): string[] {
  const changes: string[] = [];
  if (before.at.operationId !== after.at.operationId) changes.push(`${name}: its operationId was another`);
  if (isOpen(before) && !isOpen(after)) changes.push(`${name} needs a key now`);
  return [
    ...changes,
    ...parameterChanges(name, before, after),
    ...bodyChanges(name, before, after),
    ...answerChanges(name, before, after),
  ];
}

function isOpen({ at, document }: Side): boolean {
  const security = at.security ?? document.security ?? [];
  return Array.isArray(security) && security.length === 0;
}

function parameterChanges(name: string, before: Side, after: Side): string[] {
  const known = parametersOf(before);
  const now = parametersOf(after);
  const changes: string[] = [];
  for (const [id, parameter] of known) {
    const where = `${name}: ${id}`;
    const next = now.get(id);
    if (next === undefined) changes.push(`${where} is gone`);
    else {
      if (next.required === true && parameter.required !== true) changes.push(`${where} is required now`);
      for (const key of ['style', 'explode'] as const) {
        if (parameter[key] !== next[key]) changes.push(`${where} is written in another way`);
      }
      changes.push(
        ...brokenSchema(
          { ...before, at: objectOf(parameter, 'schema') },
          { ...after, at: objectOf(next, 'schema') },
          { where, direction: 'request' },
        ),
      );
    }
  }
  for (const [id, parameter] of now) {
    if (!known.has(id) && parameter.required === true) changes.push(`${name}: ${id} is new and required`);
  }
  return changes;
}

/** By place and name; header names do not depend on case. */
function parametersOf({ at, document }: Side): Map<string, JsonObject> {
  const listed = Array.isArray(at.parameters) ? at.parameters : [];
  return new Map(
    listed.map((entry) => {
      const parameter = resolve(document, entry);
      const name = textOf(parameter, 'name');
      return [`${textOf(parameter, 'in')} ${parameter.in === 'header' ? name.toLowerCase() : name}`, parameter];
    }),
  );
}

function bodyChanges(name: string, before: Side, after: Side): string[] {
  const was = resolve(before.document, before.at.requestBody);
  const is = resolve(after.document, after.at.requestBody);
  const changes: string[] = [];
  if (is.required === true && was.required !== true) changes.push(`${name}: the body is required now`);
  return [
    ...changes,
    ...mediaChanges(
      { ...before, at: objectOf(was, 'content') },
      { ...after, at: objectOf(is, 'content') },
      { where: `${name}: the body`, direction: 'request' },
    ),
  ];
}

function answerChanges(name: string, before: Side, after: Side): string[] {
  const now = objectOf(after.at, 'responses');
  return Object.entries(objectOf(before.at, 'responses')).flatMap(([status, entry]) => {
    const was = resolve(before.document, entry);
    const is = resolve(after.document, now[status]);
    const where = `${name}: the answer ${status}`;
    // An error that can no longer happen breaks nobody.
    if (now[status] === undefined) return status.startsWith('2') ? [`${where} is gone`] : [];
    const headers = objectOf(is, 'headers');
    const lost = Object.keys(objectOf(was, 'headers')).filter((header) => headers[header] === undefined);
    return [
      ...lost.map((header) => `${where}: its header ${header} is gone`),
      ...mediaChanges(
        { ...before, at: objectOf(was, 'content') },
        { ...after, at: objectOf(is, 'content') },
        { where, direction: 'answer' },
      ),
    ];
  });
}

function mediaChanges(
  before: Side,
  after: Side,
  { where, direction }: { where: string; direction: 'request' | 'answer' },
): string[] {
  return Object.entries(before.at).flatMap(([type, media]) => {
    const next = after.at[type];
    if (!isJsonObject(next)) return [`${where} is no longer ${type}`];
    if (!isJsonObject(media)) return [];
    return brokenSchema(
      { ...before, at: objectOf(media, 'schema') },
      { ...after, at: objectOf(next, 'schema') },
      { where, direction },
    );
  });
}

function resolve(document: JsonObject, value: Json | undefined): JsonObject {
  if (!isJsonObject(value)) return {};
  if (typeof value.$ref !== 'string') return value;
  return value.$ref.split('/').slice(1).reduce<JsonObject>(objectOf, document);
}

function objectOf(value: JsonObject, name: string): JsonObject {
  const found = value[name];
  return isJsonObject(found) ? found : {};
}

function textOf(value: JsonObject, name: string): string {
  const found = value[name];
  return typeof found === 'string' ? found : '';
}
