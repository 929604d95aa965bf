import { isJsonObject, type Json, type JsonObject } from '../../../core/json.ts';
import { line, markup, NOTHING, type Html } from './html.ts';
import { wordOf } from './read.ts';

const REFERENCE = '#/components/schemas/';
/** Our own schemas are shallow; the bound is for those that are not. */
const DEPTH_MAX = 8;
/** Longer lists of values are told of in the description. */
const NAMED_MAX = 12;

/** The fields of an object, each with what it holds; nothing for a schema that has none. */
export function renderFields(schema: JsonObject, depth = 0): Html {
  const { properties, required } = schema;
  if (!isJsonObject(properties) || depth > DEPTH_MAX) return NOTHING;
  const wanted = Array.isArray(required) ? required : [];
  const fields = Object.entries(properties).filter((entry): entry is [string, JsonObject] => isJsonObject(entry[1]));
  const rows = fields.map(([name, field]) =>
    renderField({ name, schema: field, required: wanted.includes(name), note: '' }, depth),
  );
  return markup`<ul class="fields">${rows}</ul>`;
}

export interface Field {
  name: string;
  schema: JsonObject;
  required: boolean;
  note: string;
}

/** One field or parameter. */
export function renderField({ name, schema, required, note }: Field, depth = 0): Html {
  const inner = innerOf(schema);
  const { description } = schema;
  const notes = [note, limitsOf(schema)].filter((text) => text !== '').join(', ');
  return markup`<li><div class="head"><code>${name}</code><span class="type">${typeOf(schema)}</span>
    ${required ? markup`<span class="required">required</span>` : NOTHING}
    ${notes === '' ? NOTHING : markup`<span class="note">${notes}</span>`}</div>
    ${typeof description === 'string' && description !== '' ? markup`<div class="about">${line(description)}</div>` : NOTHING}
    ${inner === null ? NOTHING : markup`<details><summary>fields</summary>${renderFields(inner, depth + 1)}</details>`}</li>`;
}

/** What a schema is, in words: `string`, `array of Run`, `integer or null`. */
export function typeOf(schema: Json | undefined): Html {
  if (!isJsonObject(schema)) return markup`anything`;
  const { $ref, anyOf, allOf, enum: values, const: only, type, items } = schema;
  if (typeof $ref === 'string') return reference($ref);
  if (Array.isArray(anyOf)) return joined(anyOf.map(typeOf), ' or ');
  if (Array.isArray(allOf)) return typeOf(allOf[0]);
  if (only !== undefined) return markup`<code>${wordOf(only)}</code>`;
  if (Array.isArray(values) && values.length <= NAMED_MAX) {
    return joined(
      values.map((value) => markup`<code>${wordOf(value)}</code>`),
      ' ',
    );
  }
  if (type === 'array') return markup`array of ${typeOf(items)}`;
  if (Array.isArray(type)) return markup`${type.map(wordOf).join(' or ')}`;
  return markup`${typeof type === 'string' ? type : 'anything'}`;
}

function reference(target: string): Html {
  const name = target.replace(REFERENCE, '');
  return markup`<a href="#schema-${name}">${name}</a>`;
}

function joined(parts: readonly Html[], between: string): Html {
  return markup`${parts.flatMap((part, i) => (i === 0 ? [part] : [markup`${between}`, part]))}`;
}

/** The object whose fields are worth showing below a field: its own, its items' or its one alternative's. */
function innerOf(schema: JsonObject): JsonObject | null {
  if (isJsonObject(schema.properties)) return schema;
  if (isJsonObject(schema.items)) return innerOf(schema.items);
  if (!Array.isArray(schema.anyOf)) return null;
  for (const choice of schema.anyOf) {
    const inner = isJsonObject(choice) ? innerOf(choice) : null;
    if (inner !== null) return inner;
  }
  return null;
}

const LIMITS: ReadonlyArray<readonly [keyword: string, words: (value: string) => string]> = [
  ['format', (value) => value],

  ['maxLength', (value) => `at most ${value} characters`],
  ['minimum', (value) => `from ${value}`],
  ['maximum', (value) => `to ${value}`],
  ['maxItems', (value) => `at most ${value} items`],
  ['maxProperties', (value) => `at most ${value} pairs`],
  ['default', (value) => `default ${value}`],
];

function limitsOf(schema: JsonObject): string {
  const given = LIMITS.flatMap(([keyword, words]) => {
    const value = schema[keyword];
    return value === undefined || typeof value === 'object' ? [] : [words(String(value))];
  });
  return given.join(', ');
}
