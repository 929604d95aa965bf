import * as z from 'zod';

/** The run that the documents tell of. */
export const EXAMPLE_RUN_ID = 'run_01k9zq3v5w8x7y6z5a4b3c2d1e';

/** Any object; what is in it is the caller's, the vendor's or a schema's business. */
export const anyObject = z.record(z.string(), z.unknown());

/** How many there are to be on a page, as a query says it. */
export function pageLimit({ max, usual, description }: { max: number; usual: number; description: string }) {
  return z
    .string()
    .regex(new RegExp(`^[0-9]{1,${String(max).length}}$`), `must be a whole number from 1 to ${max}`)
    .transform(Number)
    .pipe(z.int().min(1).max(max))
    .default(usual)
    .meta({ type: 'integer', minimum: 1, maximum: max, default: usual, description });
}

/** A time as every answer writes it. */
export const time = z.string().meta({ format: 'date-time', example: '2026-01-31T12:00:00.000Z' });

/** Whether a text has more characters than `max`: in code points, as JSON Schema counts. */
export function isLonger(text: string, max: number): boolean {
  return text.length > max && (text.length > 2 * max || Array.from(text).length > max);
}
