import * as z from 'zod';
import { ERROR_CATALOGUE, type ErrorCode } from '../../core/error-catalogue.ts';

const CODES = Object.keys(ERROR_CATALOGUE) as ErrorCode[];

/** Clients treat a code that they do not know by its status: a new release may add some. */
export const errorCodeSchema = z
  .enum(CODES)
  .meta({ description: 'What went wrong; [the catalogue](/docs/errors) explains each code.', 'x-extensible': true });

const upstreamFaultSchema = z
  .object({
    status: z.int().nullable().meta({ description: 'The HTTP status that the vendor answered with.' }),
    code: z.string().nullable().meta({ description: 'The vendor’s own code.' }),
    message: z.string().nullable().meta({ description: 'The vendor’s own words, shortened.' }),
    request_id: z.string().nullable().meta({ description: 'The vendor’s id of the request, for its support.' }),
  })
  .meta({ description: 'What the vendor said, restated.' });

/** The `error` of an envelope and of a run. For the documents: answers are written without it. */
export const errorSchema = z
  .object({
    code: errorCodeSchema,
    message: z.string().meta({ description: 'For people; the text may change.' }),
    status: z.int().meta({ description: 'The HTTP status of an answer that carries this error.' }),
    source: z.enum(['gateway', 'upstream', 'network']).meta({
      description: 'Whose fault it is: Rungate refused or failed, the vendor answered so, or no answer came through.',
    }),
    retryable: z.boolean().meta({
      description:
        'True: the same request sent again, with the same idempotency key or none, may succeed and cannot begin a second run.',
    }),
    retry_after_s: z.int().nullable().meta({ description: 'Whole seconds, as in `Retry-After`.' }),
    provider: z.string().nullable(),
    upstream: upstreamFaultSchema.nullable(),
    run_id: z.string().nullable().meta({ description: 'The run that the error is about, where there is one.' }),
    request_id: z.string().nullable().meta({ description: 'Is in the log of the process that answered.' }),
    param: z.string().nullable().meta({ description: 'The field, header or parameter at fault.' }),
    docs_url: z.string().meta({ description: 'Where this gateway explains the code.' }),
  })
  .meta({ description: 'Why a request was refused, or a run ended badly.' });
