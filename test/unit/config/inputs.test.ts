import { describe, expect, it } from 'vitest';
import { createInputsCompiler } from '../../../src/config/inputs/compile-inputs.ts';
import { reviveJson, type JsonObject } from '../../../src/core/json.ts';
import type { ValidateInputs } from '../../../src/providers/registry.ts';

async function check(schema: JsonObject): Promise<ValidateInputs> {
  const compiled = await createInputsCompiler().compile(schema);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.faults));
  return compiled.validate;
}

async function told(schema: JsonObject, inputs: JsonObject): Promise<string | null> {
  const fault = (await check(schema))(inputs);
  return fault && `${fault.path.join('.')}: ${fault.message}`;
}

const ticket: JsonObject = {
  type: 'object',
  required: ['ticket'],
  properties: {
    ticket: { type: 'string', minLength: 2, maxLength: 5 },
    tone: { enum: ['dry', 'warm'] },
    lines: { type: 'array', items: { type: ['integer', 'null'], minimum: 1 } },
  },
  additionalProperties: false,
};

describe('a schema of inputs', () => {
  it.each<[JsonObject, string | null]>([
    [{ ticket: 'abc', tone: 'dry', lines: [1, null] }, null],
    [{}, 'ticket: required'],
    [{ ticket: 1 }, 'ticket: expected string'],
    [{ ticket: 'a' }, 'ticket: expected at least 2 characters'],
    [{ ticket: 'abcdef' }, 'ticket: expected at most 5 characters'],
    [{ ticket: 'abc', tone: 'loud' }, 'tone: expected one of "dry", "warm"'],
    [{ ticket: 'abc', lines: [1, 'x'] }, 'lines.1: expected integer or null'],
    [{ ticket: 'abc', lines: [0] }, 'lines.0: expected to be >= 1'],
    [{ ticket: 'abc', x: 1 }, 'x: expected no field of this name; there are ticket, tone, lines'],
  ])('says of %j what was expected', async (inputs, fault) => {
    expect(await told(ticket, inputs)).toBe(fault);
  });

  it('never quotes what was sent', async () => {
    const schema = { properties: { a: { const: 1 }, b: { pattern: '^x' }, c: { not: {} }, d: { format: 'email' } } };
    for (const name of ['a', 'b', 'c']) expect(await told(schema, { [name]: 'hunter2' })).not.toContain('hunter2');
    // A format is for the form: 2020-12 has it as an annotation.
    expect(await told(schema, { d: 'hunter2' })).toBeNull();
  });

  it('leaves the inputs as they are: a default in the schema is for the form', async () => {
    const inputs = {};
    expect((await check({ properties: { a: { default: 1 } } }))(inputs)).toBeNull();
    expect(inputs).toEqual({});
  });

  it('may use every keyword that is not refused, and contain itself', async () => {
    const schema: JsonObject = {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      $comment: 'c',
      title: 't',
      description: 'd',
      deprecated: false,
      readOnly: false,
      writeOnly: false,
      examples: [{}],
      $defs: { node: { type: 'object', properties: { next: { $ref: '#/$defs/node' }, value: { type: 'integer' } } } },
      properties: {
        list: { $ref: '#/$defs/node' },
        pair: { prefixItems: [{ type: 'string' }], items: false, minItems: 1, unevaluatedItems: false },
        some: { contains: { const: 1 }, minContains: 1, maxContains: 2, uniqueItems: true, maxItems: 9 },
        text: { contentEncoding: 'base64', contentMediaType: 'application/json', contentSchema: {} },
        number: { multipleOf: 2, exclusiveMinimum: 0, exclusiveMaximum: 10, maximum: 9 },
      },
      patternProperties: { '^x-': { type: 'string' } },
      propertyNames: { maxLength: 10 },
      dependentRequired: { pair: ['some'] },
      dependentSchemas: { text: { minProperties: 2 } },
      if: { required: ['number'] },
      // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
      then: { maxProperties: 5 },
      else: true,
      allOf: [{ anyOf: [true] }, { oneOf: [true] }, { not: { required: ['never'] } }],
      unevaluatedProperties: false,
    };
    expect(await told(schema, { list: { next: { next: { value: 1 } } }, number: 2 })).toBeNull();
    expect(await told(schema, { list: { next: { next: { value: 'x' } } } })).toBe(
      'list.next.next.value: expected integer',
    );
    expect(await told(schema, { pair: ['a'] })).toBe('some: required');
    expect(await told(schema, { 'much-too-long': 1 })).toBe('much-too-long: expected at most 10 characters');
    expect(await told(schema, { other: 1 })).toBe(
      'other: expected no field of this name; there are list, pair, some, text, number',
    );
  });

  it('is not fooled by names that every object has', async () => {
    expect(await told({ required: ['constructor'] }, {})).toBe('constructor: required');
    expect(await told({ properties: { toString: { type: 'string' } } }, {})).toBeNull();
    const sent = reviveJson<JsonObject>('{ "__proto__": 1 }');
    expect(await told({ additionalProperties: false }, sent)).toBe('__proto__: expected no field of this name');
    const compiled = await createInputsCompiler().compile(
      reviveJson('{ "properties": { "__proto__": { "type": "string" } } }'),
    );
    expect(compiled.ok ? [] : compiled.faults.map(({ path }) => path)).toEqual([['properties', '__proto__']]);
  });

  it.each<[string, JsonObject, JsonObject]>([
    ['a pattern that goes back and forth', { properties: { a: { pattern: '^(a+)+$' } } }, { a: `${'a'.repeat(60)}!` }],
    [
      'a comparison of all with all',
      { properties: { a: { uniqueItems: true } } },
      { a: Array.from({ length: 50_000 }, (_, i) => ({ i })) },
    ],
    [
      'a long list of choices',
      { properties: { a: { items: { enum: Array.from({ length: 5_000 }, (_, i) => `value${i}`) } } } },
      { a: Array.from({ length: 80_000 }, () => 'value4999') },
    ],
    [
      'many forms of each item',
      { properties: { a: { items: { anyOf: Array.from({ length: 1_900 }, (_, i) => ({ const: i })) } } } },
      { a: Array.from({ length: 80_000 }, () => 1_899) },
    ],
  ])('costs a request a quarter of a second at most: %s', async (_, schema, inputs) => {
    const validate = await check(schema);
    const begunMs = performance.now();
    expect(validate(inputs)).toEqual({
      path: [],
      message: 'checking them took longer than 250 ms; expected smaller ones',
    });
    expect(performance.now() - begunMs).toBeLessThan(2_000);
    // The next one is checked as ever.
    expect(validate({ a: [] })?.message ?? 'good').not.toContain('took longer');
  });

  it('has a limit of size, of levels and of a pattern’s length', async () => {
    const compiler = createInputsCompiler();
    const faults = async (schema: JsonObject) => {
      const compiled = await compiler.compile(schema);
      return compiled.ok ? [] : compiled.faults.map(({ message }) => message);
    };
    expect(await faults({ title: 'x'.repeat(70_000) })).toEqual([
      'expected a schema of at most 65536 characters, written as JSON',
    ]);
    let deep: JsonObject = {};
    for (let i = 0; i < 40; i++) deep = { items: deep };
    expect(await faults(deep)).toEqual(['expected at most 32 levels and 2000 schemas in one another']);
    expect(await faults({ allOf: Array.from({ length: 2_500 }, () => ({})) })).toHaveLength(1);
    expect(await faults({ pattern: 'x'.repeat(1_001) })).toEqual(['expected a pattern of at most 1000 characters']);
  });

  it('is told all of its faults at once, one a place', async () => {
    const schema = {
      type: 'array',
      properties: { a: { pattern: '(' }, b: { type: 'strin' }, c: { minLength: -1 }, d: { $ref: '#/$defs/none' } },
      propertys: {},
    };
    const compiled = await createInputsCompiler().compile(schema);
    expect(compiled.ok ? [] : compiled.faults.map(({ path }) => path.join('.')).toSorted()).toEqual([
      'properties.a.pattern',
      'properties.b.type',
      'properties.c.minLength',
      'properties.d.$ref',
      'propertys',
      'type',
    ]);
    const twice = await createInputsCompiler().compile({ $anchor: 5, type: 5 });
    expect(twice.ok ? [] : twice.faults.map(({ path }) => path.join('.'))).toEqual(['$anchor', 'type']);
  });

  it('is refused where no object can fit it', async () => {
    const compiler = createInputsCompiler();
    for (const type of ['array', ['string', 'null']]) {
      const faults = [{ path: ['type'], message: 'expected object, as inputs always are one', part: 'value' }];
      expect(await compiler.compile({ type })).toEqual({ ok: false, faults });
    }
    expect(await compiler.compile({ type: ['object', 'null'] })).toMatchObject({ ok: true });
  });

  it('is compiled once, however often it is read', async () => {
    const compiler = createInputsCompiler();
    const schemas = Array.from({ length: 1_100 }, (_, i): JsonObject => ({ minProperties: i }));
    const compileAll = () => Promise.all(schemas.map((schema) => compiler.compile(schema)));
    const first = await compileAll();
    compiler.nextReading();
    expect((await compileAll()).every((result, i) => result === first[i])).toBe(true);
    expect(await compiler.compile({ type: 'object', minProperties: 1 })).toBe(
      await compiler.compile({ minProperties: 1, type: 'object' }),
    );
  });

  it('is remembered while a file is without it for a moment, and then forgotten', async () => {
    const compiler = createInputsCompiler();
    const schema = { minProperties: 1 };
    const first = await compiler.compile(schema);
    compiler.nextReading();
    compiler.nextReading();
    expect(await compiler.compile(schema)).toBe(first);
    for (let i = 0; i < 3; i++) compiler.nextReading();
    expect(await compiler.compile(schema)).not.toBe(first);
  });
});
