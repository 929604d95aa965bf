import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { didYouMean } from '../nearest-name.ts';
import { KEYWORDS, REFUSED_KEYWORDS } from './schema-keywords.ts';

const LEVELS_MAX = 32;
const SCHEMAS_MAX = 2_000;
const PATTERN_CHARACTERS_MAX = 1_000;
const DIALECT = /^https:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/;

export interface SchemaFault {
  /** Below the schema. */
  path: readonly (string | number)[];
  message: string;
  part: 'key' | 'value';
}

/**
 * Looks at every schema inside a schema for what the meta-schema lets pass and this gateway does not: keywords
 * that nobody knows, references that lead nowhere or out, patterns that do not compile, sizes without measure.
 */
export function walkSchema(schema: JsonObject): SchemaFault[] {
  const walker = new SchemaWalker(schema);
  walker.visit(schema, []);
  walker.followReferences();
  return walker.faults;
}

class SchemaWalker {
  readonly faults: SchemaFault[] = [];
  readonly #root: JsonObject;
  readonly #references: { path: SchemaFault['path']; reference: string }[] = [];
  #schemas = 0;

  constructor(root: JsonObject) {
    this.#root = root;
  }

  visit(schema: Json, path: SchemaFault['path'], level = 0): void {
    // Anything but an object is true, false or a fault that the meta-schema finds.
    if (!isJsonObject(schema)) return;
    this.#schemas += 1;
    if (level > LEVELS_MAX || this.#schemas > SCHEMAS_MAX) {
      if (level > LEVELS_MAX || this.#schemas === SCHEMAS_MAX + 1) {
        this.#fault(path, `expected at most ${LEVELS_MAX} levels and ${SCHEMAS_MAX} schemas in one another`);
      }
      return;
    }
    for (const [keyword, value] of Object.entries(schema)) {
      const at = [...path, keyword];
      if (!Object.hasOwn(KEYWORDS, keyword)) {
        this.#fault(at, unknownKeyword(keyword), 'key');
        continue;
      }
      this.#checkValue(keyword, value, at);
      for (const [child, step] of childrenOf(keyword, value)) this.visit(child, [...at, ...step], level + 1);
    }
  }

  followReferences(): void {
    for (const { path, reference } of this.#references) {
      const fault = this.#referenceFault(reference);
      if (fault !== null) this.#fault(path, fault);
    }
  }

  #checkValue(keyword: string, value: Json, at: SchemaFault['path']): void {
    if (keyword === '$schema' && !(typeof value === 'string' && DIALECT.test(value))) {
      this.#fault(at, 'expected https://json-schema.org/draft/2020-12/schema, or no $schema');
    }
    if (keyword === 'pattern' && typeof value === 'string') this.#checkPattern(value, at, 'value');
    if (keyword === 'patternProperties' && isJsonObject(value)) {
      for (const pattern of Object.keys(value)) this.#checkPattern(pattern, [...at, pattern], 'key');
    }
    if (KEYWORDS[keyword] === 'schema map' && isJsonObject(value) && Object.hasOwn(value, '__proto__')) {
      this.#fault([...at, '__proto__'], 'expected another name, as the compiler passes over this one', 'key');
    }
    if (keyword === '$ref' && typeof value === 'string') this.#references.push({ path: at, reference: value });
  }

  #checkPattern(pattern: string, at: SchemaFault['path'], part: SchemaFault['part']): void {
    if (pattern.length > PATTERN_CHARACTERS_MAX) {
      this.#fault(at, `expected a pattern of at most ${PATTERN_CHARACTERS_MAX} characters`, part);
      return;
    }
    try {
      RegExp(pattern, 'u');
    } catch {
      this.#fault(at, 'expected a regular expression as JavaScript has them, with its u flag', part);
    }
  }

  #referenceFault(reference: string): string | null {
    if (reference === '#') return null;
    if (!reference.startsWith('#/'))
      return 'expected a reference into this schema, such as #/$defs/<name>; none is fetched';
    return pointsIntoSchema(this.#root, reference) ? null : 'expected a reference to something that this schema has';
  }

  #fault(path: SchemaFault['path'], message: string, part: SchemaFault['part'] = 'value'): void {
    this.faults.push({ path, message, part });
  }
}

function childrenOf(keyword: string, value: Json): [Json, SchemaFault['path']][] {
  const form = KEYWORDS[keyword];
  if (form === 'schema') return [[value, []]];
  if (form === 'schemas' && Array.isArray(value)) return value.map((child, i) => [child, [i]]);
  if (form === 'schema map' && isJsonObject(value))
    return Object.entries(value).map(([name, child]) => [child, [name]]);
  return [];
}

function unknownKeyword(keyword: string): string {
  const instead = Object.hasOwn(REFUSED_KEYWORDS, keyword) ? REFUSED_KEYWORDS[keyword] : undefined;
  if (instead !== undefined) return instead;
  return `expected a keyword of JSON Schema 2020-12${didYouMean(keyword, Object.keys(KEYWORDS))}`;
}

function pointsIntoSchema(root: JsonObject, reference: string): boolean {
  let place: Json | undefined = root;
  for (const part of pointerParts(reference) ?? ['\0']) {
    if (Array.isArray(place)) place = /^\d{1,6}$/.test(part) ? place[Number(part)] : undefined;
    else place = isJsonObject(place) && Object.hasOwn(place, part) ? place[part] : undefined;
    if (place === undefined) return false;
  }
  return isJsonObject(place) || typeof place === 'boolean';
}

/** Null where the percent-encoding is broken. */
function pointerParts(reference: string): string[] | null {
  try {
    return decodeURIComponent(reference)
      .slice('#/'.length)
      .split('/')
      .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  } catch {
    return null;
  }
}
