import { isDeepStrictEqual } from 'node:util';
import { isJsonObject, type Json, type JsonObject } from '../../src/core/json.ts';

/** A part of a document, and the document that its references lead into. */
export interface Side {
  at: JsonObject;
  document: JsonObject;
}

export interface Place {
  where: string;
  direction: 'request' | 'answer';
}

/** A schema that holds itself is compared to this depth. */
const DEPTH_MAX = 30;
const EVERY_TYPE = ['null', 'boolean', 'object', 'array', 'number', 'string'];

/**
 * What of a schema's change breaks a client. A request may not be refused that was taken; an answer may not hold what
 * it could not, nor lack what it always had. Values that are marked `x-extensible` may become more.
 */
export function brokenSchema(before: Side, after: Side, place: Place, depth = 0): string[] {
  const was = flat(before);
  const is = flat(after);
  if (depth > DEPTH_MAX) return [];
  const wide = place.direction === 'request' ? was : is;
  const narrow = place.direction === 'request' ? is : was;
  const choices = alternativeChanges({ was, is }, { before, after }, place, depth);
  if (choices !== null) return choices;
  return [
    ...typeChanges(wide, narrow, place),
    ...valueChanges(wide, narrow, place),
    ...fieldChanges({ was, is }, { before, after }, place, depth),
    ...(place.direction === 'request' ? limitChanges(was, is, place) : []),
    ...itemChanges({ was, is }, { before, after }, place, depth),
  ];
}

interface Pair {
  was: JsonObject;
  is: JsonObject;
}

interface Sides {
  before: Side;
  after: Side;
}

/** Without its reference, and with all its `allOf` in one. */
function flat({ at, document }: Side): JsonObject {
  const own = dereferenced(at, document);
  if (!Array.isArray(own.allOf)) return own;
  const { allOf, ...rest } = own;
  return [...allOf, rest].reduce<JsonObject>((all, part) => {
    const next = isJsonObject(part) ? flat({ at: part, document }) : {};
    const properties = { ...(all.properties as JsonObject), ...(next.properties as JsonObject) };
    const required = [...listOf(all.required), ...listOf(next.required)];
    return { ...all, ...next, ...(Object.keys(properties).length > 0 ? { properties } : {}), required };
  }, {});
}

function dereferenced(schema: JsonObject, document: JsonObject): JsonObject {
  let at = schema;
  for (let i = 0; typeof at.$ref === 'string' && i < DEPTH_MAX; i++) {
    at = at.$ref
      .split('/')
      .slice(1)
      .reduce<JsonObject>((held, step) => (isJsonObject(held[step]) ? held[step] : {}), document);
  }
  return at;
}

/** Each alternative of the wider side has to fit one of the narrower's; null where neither side has any. */
function alternativeChanges({ was, is }: Pair, sides: Sides, place: Place, depth: number): string[] | null {
  const alternatives = (schema: JsonObject) => schema.anyOf ?? schema.oneOf;
  if (alternatives(was) === undefined && alternatives(is) === undefined) return null;
  const lists = (schema: JsonObject) => listOf(alternatives(schema) ?? [schema]).filter(isJsonObject);
  const fits = (one: JsonObject, other: JsonObject) =>
    brokenSchema({ ...sides.before, at: one }, { ...sides.after, at: other }, place, depth + 1).length === 0;
  const lost =
    place.direction === 'request'
      ? lists(was).filter((one) => !lists(is).some((other) => fits(one, other)))
      : lists(is).filter((other) => !lists(was).some((one) => fits(one, other)));
  if (lost.length === 0) return [];
  const [only, ...more] = lists(was).filter(({ type }) => type !== 'null');
  const [next, ...others] = lists(is).filter(({ type }) => type !== 'null');
  // One real alternative on either side: say what of it changed rather than that something did.
  if (only && next && more.length + others.length === 0) {
    const inner = brokenSchema({ ...sides.before, at: only }, { ...sides.after, at: next }, place, depth + 1);
    if (inner.length > 0) return inner;
  }
  return [`${place.where}: ${place.direction === 'request' ? 'a form is no longer taken' : 'has a new form'}`];
}

function typeChanges(wide: JsonObject, narrow: JsonObject, { where, direction }: Place): string[] {
  const allowed = typesOf(narrow);
  const lost = typesOf(wide).filter(
    (type) => !allowed.includes(type) && !(type === 'integer' && allowed.includes('number')),
  );
  return lost.map((type) =>
    direction === 'request' ? `${where} may no longer be ${type}` : `${where} may be ${type} now`,
  );
}

function typesOf({ type, const: only, enum: values }: JsonObject): string[] {
  if (typeof type === 'string') return [type];
  if (Array.isArray(type)) return type.map(String);
  const named = only === undefined ? listOf(values) : [only];
  return named.length > 0 ? [...new Set(named.map(typeOf))] : EVERY_TYPE;
}

function typeOf(value: Json): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

function valueChanges(wide: JsonObject, narrow: JsonObject, { where, direction }: Place): string[] {
  const allowed = valuesOf(narrow);
  if (allowed === null || narrow['x-extensible'] === true) return [];
  const values = valuesOf(wide);
  if (values === null)
    return [`${where} ${direction === 'request' ? 'takes certain values only' : 'may have any value now'}`];
  const lost = values.filter((value) => !allowed.some((other) => isDeepStrictEqual(value, other)));
  return lost.map(
    (value) => `${where} ${direction === 'request' ? 'no longer takes' : 'may now be'} ${JSON.stringify(value)}`,
  );
}

function valuesOf({ enum: values, const: only }: JsonObject): Json[] | null {
  if (only !== undefined) return [only];
  return Array.isArray(values) ? values : null;
}

function fieldChanges({ was, is }: Pair, sides: Sides, place: Place, depth: number): string[] {
  const { where, direction } = place;
  const known = fieldsOf(was);
  const now = fieldsOf(is);
  const changes: string[] = [];
  for (const [name, field] of Object.entries(known)) {
    const next = now[name];
    const at = `${where}.${name}`;
    if (!isJsonObject(next)) changes.push(`${at} is gone`);
    else if (isJsonObject(field)) {
      const place = { where: at, direction };
      changes.push(...brokenSchema({ ...sides.before, at: field }, { ...sides.after, at: next }, place, depth + 1));
    }
  }
  const wanted = namesOf(is.required);
  const promised = namesOf(was.required);
  if (direction === 'request') {
    for (const name of wanted.filter((name) => !promised.includes(name)))
      changes.push(`${where}.${name} is required now`);
    if (is.additionalProperties === false && was.additionalProperties !== false && typesOf(was).includes('object')) {
      changes.push(`${where} no longer takes other fields`);
    }
  } else {
    const kept = promised.filter((name) => now[name] !== undefined);
    for (const name of kept.filter((name) => !wanted.includes(name)))
      changes.push(`${where}.${name} may be missing now`);
  }
  return changes;
}

function itemChanges({ was, is }: Pair, { before, after }: Sides, place: Place, depth: number): string[] {
  const inner = (keyword: 'items' | 'additionalProperties', name: string): string[] => {
    const one = was[keyword];
    const other = is[keyword];
    if (!isJsonObject(one) || !isJsonObject(other)) return [];
    const at = { where: `${place.where}${name}`, direction: place.direction };
    return brokenSchema({ ...before, at: one }, { ...after, at: other }, at, depth + 1);
  };
  return [...inner('items', '[]'), ...inner('additionalProperties', '.*')];
}

const UPPER_LIMITS = ['maxLength', 'maximum', 'exclusiveMaximum', 'maxItems', 'maxProperties'] as const;
const LOWER_LIMITS = ['minLength', 'minimum', 'exclusiveMinimum', 'minItems', 'minProperties'] as const;
const FORMS = ['pattern', 'format', 'multipleOf', 'uniqueItems', 'propertyNames'] as const;

/** Of requests alone: an answer that is longer than it was breaks nobody. */
function limitChanges(was: JsonObject, is: JsonObject, { where }: Place): string[] {
  const changes: string[] = [];
  for (const limit of UPPER_LIMITS) {
    if (Number(is[limit] ?? Infinity) < Number(was[limit] ?? Infinity)) changes.push(`${where}: ${limit} is lower`);
  }
  for (const limit of LOWER_LIMITS) {
    if (Number(is[limit] ?? -Infinity) > Number(was[limit] ?? -Infinity)) changes.push(`${where}: ${limit} is higher`);
  }
  for (const form of FORMS) {
    if (is[form] !== undefined && !isDeepStrictEqual(is[form], was[form])) changes.push(`${where}: ${form} is another`);
  }
  return changes;
}

function fieldsOf({ properties }: JsonObject): JsonObject {
  return isJsonObject(properties) ? properties : {};
}

function namesOf(value: Json | undefined): string[] {
  return listOf(value).filter((name) => typeof name === 'string');
}

function listOf(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}
