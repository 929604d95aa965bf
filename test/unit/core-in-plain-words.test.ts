import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { inPlainWords } from '../../src/core/in-plain-words.ts';

const complaint = (schema: z.ZodType, value: unknown) =>
  inPlainWords(schema.safeParse(value).error?.issues[0]?.message ?? 'none');

describe('the complaint of a schema', () => {
  it.each<[z.ZodType, unknown, string]>([
    [z.string(), 1, 'expected a string, not a number'],
    [z.string(), undefined, 'expected a string'],
    [z.number(), 'x', 'expected a number, not a string'],
    [z.number(), Number.NaN, 'expected a number, not NaN'],
    [z.int(), 1.5, 'expected a whole number'],
    [z.int(), null, 'expected a number, not null'],
    [z.boolean(), 'true', 'expected true or false, not a string'],
    [z.string(), true, 'expected a string, not a boolean'],
    [z.array(z.string()), {}, 'expected a list, not an object'],
    [z.strictObject({}), [], 'expected an object, not a list'],
    [z.record(z.string(), z.string()), 1, 'expected an object, not a number'],
    [z.number().min(1), 0, 'expected at least 1'],
    [z.number().max(0.5), 1, 'expected at most 0.5'],
    [z.number().gt(1), 1, 'expected more than 1'],
    [z.number().lt(-1), 1, 'expected less than -1'],
    [z.string().min(1), '', 'expected at least 1 character'],
    [z.string().max(2), 'abc', 'expected at most 2 characters'],
    [z.array(z.string()).min(1), [], 'expected at least 1 item'],
    [z.array(z.string()).max(0), ['a'], 'expected at most 0 items'],
    [z.enum(['a', 'b c']), 'x', 'expected one of a, b c'],
    [z.literal('a'), 'x', 'expected "a"'],
    [z.string().regex(/x/, 'expected number to be said otherwise'), 'y', 'expected number to be said otherwise'],
  ])('is what was expected, as people say it (%#)', (schema, value, told) => {
    expect(complaint(schema, value)).toBe(told);
  });
});
