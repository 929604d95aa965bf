import { isJsonObject, type Json, type JsonObject } from '../../../core/json.ts';

/** A document is of our own making: what is not there is empty, and what is of another kind is a bug. */
export function objectAt(value: JsonObject, name: string): JsonObject {
  const found = value[name] ?? {};
  if (!isJsonObject(found)) throw new TypeError(`${name} is no object`);
  return found;
}

export function listAt(value: JsonObject, name: string): Json[] {
  const found = value[name] ?? [];
  if (!Array.isArray(found)) throw new TypeError(`${name} is no list`);
  return found;
}

export function textAt(value: JsonObject, name: string): string {
  const found = value[name] ?? '';
  if (typeof found !== 'string') throw new TypeError(`${name} is no text`);
  return found;
}

/** What a `$ref` leads to; anything else as it is. */
export function resolve(document: JsonObject, value: Json): JsonObject {
  if (!isJsonObject(value)) return {};
  if (typeof value.$ref !== 'string') return value;
  return value.$ref.split('/').slice(1).reduce(objectAt, document);
}

/** A value as a reader would write it. */
export function wordOf(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
