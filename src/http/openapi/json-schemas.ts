import * as z from 'zod';
import type { JsonObject } from '../../core/json.ts';

/** Schemas that stand under a name of their own in the document. */
export type Components = ReadonlyMap<z.ZodType, string>;

/** Keywords that say nothing of a value that is no string. */
const STRING_KEYWORDS = ['pattern', 'format', 'minLength', 'maxLength'] as const;

/** Renders zod schemas as JSON Schema 2020-12, where one names a component by reference. */
export interface JsonSchemas {
  of(schema: z.ZodType): JsonObject;
  components(): JsonObject;
}

/**
 * Renders every schema of a document together, so that each finds the components among its parts.
 * Requests are rendered as they are sent, not as they are understood; answers are open to new fields.
 */
export function renderSchemas(schemas: Iterable<z.ZodType>, components: Components): JsonSchemas {
  const registry = z.registry<{ id: string }>();
  const names = new Map(components);
  for (const schema of schemas) if (!names.has(schema)) names.set(schema, `inline-${names.size}`);
  for (const [schema, id] of names) registry.add(schema, { id });
  const { schemas: rendered } = z.toJSONSchema(registry, {
    io: 'input',
    unrepresentable: 'any',
    uri: (id) => `#/components/schemas/${id}`,
    override: ({ jsonSchema }) => tidy(jsonSchema),
  });
  const bodyOf = (name: string): JsonObject => {
    const { $schema: _, $id: __, ...body } = rendered[name] ?? {};
    return body as JsonObject;
  };
  return {
    of(schema) {
      const component = components.get(schema);
      if (component !== undefined) return { $ref: `#/components/schemas/${component}` };
      const name = names.get(schema);
      if (name === undefined) throw new TypeError('this schema is not of the document');
      return bodyOf(name);
    },
    components: () => Object.fromEntries([...components.values()].sort().map((name) => [name, bodyOf(name)])),
  };
}

/** Leaves out what zod adds that says nothing, or that `meta` has overruled. */
function tidy(schema: z.core.JSONSchema.BaseSchema): void {
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  // The format says the same, and can be read.
  if (schema.format === 'date-time') delete schema.pattern;
  const { propertyNames } = schema;
  if (typeof propertyNames === 'object' && Object.keys(propertyNames).join() === 'type') delete schema.propertyNames;
  if (schema.type !== undefined && schema.type !== 'string')
    for (const keyword of STRING_KEYWORDS) delete schema[keyword];
}
