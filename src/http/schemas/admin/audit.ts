import * as z from 'zod';
import { anyObject, pageLimit, time } from '../parts.ts';

const LIMIT_DEFAULT = 100;
/** An entry may have 65,536 characters, and a page is put together in memory. */
const LIMIT_MAX = 200;

const seq = z
  .string()
  .regex(/^[0-9]{1,15}$/, 'must be the number of an entry, or 0')
  .transform(Number)
  .optional();

/** The query of `GET /admin/audit`. */
export const auditListSchema = z
  .strictObject({
    after: seq.meta({ type: 'integer', minimum: 0, description: 'Only entries behind this number, oldest first.' }),
    before: seq.meta({
      type: 'integer',
      minimum: 0,
      description: 'Only entries before this number, newest first. With neither: from the newest.',
    }),
    limit: pageLimit({ max: LIMIT_MAX, usual: LIMIT_DEFAULT, description: 'Entries a page.' }),
  })
  .refine(({ after, before }) => after === undefined || before === undefined, {
    path: ['before'],
    message: 'goes without `after`',
  });

/** For the documents: the answer is written without it. */
export const auditEntrySchema = z
  .object({
    seq: z.int().meta({ description: 'From 1, without gaps.' }),
    object: z.literal('audit_entry'),
    at: time,
    actor: z
      .object({
        type: z.enum(['key', 'token', 'command', 'server']),
        id: z.string().nullable().meta({ description: 'A key’s id, or the operating system’s name of a user.' }),
        from: z.string().nullable().meta({ description: 'An IP address; null: this machine.' }),
        request_id: z.string().nullable(),
      })
      .meta({ description: 'Who.' }),
    action: z.string().meta({ description: 'What: `key.create`, `credential.add`, …', example: 'key.create' }),
    target: z.object({ type: z.string(), id: z.string() }).meta({ description: 'To what.' }),
    outcome: z.enum(['begun', 'failed']).meta({
      description:
        'An entry is written before the deed, as `begun`. Where the deed fails, a second one says `failed`; none follows where it was done.',
    }),
    details: anyObject,
    previous: z.string().meta({ description: 'The hash of the entry before; 64 zeros for the first.' }),
    hash: z.string().meta({ description: 'SHA-256 over the hash before and this entry.' }),
  })
  .meta({ description: 'Something that somebody was about to do.' });

export const auditPageSchema = z.object({
  data: z.array(auditEntrySchema),
  next_cursor: z.string().nullable().meta({
    description: 'Goes into `after`, or else into `before`, for the next page; null where there is no more.',
  }),
});
