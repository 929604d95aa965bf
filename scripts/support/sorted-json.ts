import { isJsonObject, type Json } from '../../src/core/json.ts';

/** The same value with every object's keys in order, so that a change of the code's order is no change of the file. */
export function sortedJson(value: Json): Json {
  if (Array.isArray(value)) return value.map(sortedJson);
  if (!isJsonObject(value)) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, held]) => [key, sortedJson(held)]));
}
