import * as z from 'zod';

/** The run that the documents tell of. */
export const EXAMPLE_RUN_ID = 'run_01k9zq3v5w8x7y6z5a4b3c2d1e';

/** Any object; what is in it is the caller's, the vendor's or a schema's business. */
export const anyObject = z.record(z.string(), z.unknown());

/** A time as every answer writes it. */
export const time = z.string().meta({ format: 'date-time', example: '2026-01-31T12:00:00.000Z' });
