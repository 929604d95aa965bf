import type { ErrorObject } from 'ajv';
import { isJsonObject, type Json } from '../../core/json.ts';
import type { InputsFault } from '../../providers/registry.ts';

const NAMES_SHOWN_MAX = 20;
const TEXT_SHOWN_MAX = 200;

/** Where inputs do not fit a schema, and what was expected there. Never quotes what was sent. */
export function describeInputsFault(error: ErrorObject): InputsFault {
  const { instancePath, keyword, params, message, parentSchema, propertyName } = error;
  const path = [...pathOf(instancePath), ...(propertyName === undefined ? [] : [propertyName])];
  const told = params as Readonly<Record<string, Json | undefined>>;
  const named = NAMING_KEYWORDS[keyword];
  const name = named === undefined ? undefined : told[named];
  if (typeof name === 'string') return { path: [...path, name], message: nameMessage(keyword, parentSchema) };
  return { path, message: valueMessage(keyword, told) ?? expectation(message) };
}

/** Keywords that are about a field which is not there, or should not be; it is in the parameter of this name. */
const NAMING_KEYWORDS: Readonly<Record<string, string>> = {
  required: 'missingProperty',
  dependentRequired: 'missingProperty',
  additionalProperties: 'additionalProperty',
  unevaluatedProperties: 'unevaluatedProperty',
};

function nameMessage(keyword: string, parentSchema: ErrorObject['parentSchema']): string {
  if (keyword === 'required' || keyword === 'dependentRequired') return 'required';
  const known = isJsonObject(parentSchema?.properties) ? Object.keys(parentSchema.properties) : [];
  if (known.length === 0 || known.length > NAMES_SHOWN_MAX) return 'expected no field of this name';
  return `expected no field of this name; there are ${known.join(', ')}`;
}

function valueMessage(keyword: string, params: Readonly<Record<string, Json | undefined>>): string | null {
  switch (keyword) {
    case 'type':
      return `expected ${[params.type].flat().map(String).join(' or ')}`;
    case 'enum': {
      const values = Array.isArray(params.allowedValues) ? params.allowedValues : [];
      return `expected one of ${values.slice(0, NAMES_SHOWN_MAX).map(shorten).join(', ')}`;
    }
    case 'const':
      return `expected ${shorten(params.allowedValue)}`;
    case 'pattern':
      return `expected text that matches ${shorten(params.pattern)}`;
    case 'anyOf':
    case 'oneOf':
      return `expected a value that fits ${keyword === 'anyOf' ? 'one' : 'exactly one'} of the forms of the schema`;
    default:
      return null;
  }
}

function shorten(value: Json | undefined): string {
  return (JSON.stringify(value) ?? '').slice(0, TEXT_SHOWN_MAX);
}

/** The compiler's own words as everything else here says it: `must be >= 1` → `expected to be >= 1`. */
export function expectation(message = 'must be valid'): string {
  return message
    .replace(/^must NOT have fewer than /, 'expected at least ')
    .replace(/^must NOT have more than /, 'expected at most ')
    .replace(/^must NOT have /, 'expected no ')
    .replace(/^must be object,boolean$/, 'expected a schema')
    .replace(/^must /, 'expected to ')
    .slice(0, TEXT_SHOWN_MAX);
}

/** The parts of a JSON pointer. */
export function pathOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}
