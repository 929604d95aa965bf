import * as z from 'zod';
import { USAGE_GROUPS, USAGE_SPAN_DAYS_MAX } from '../../../runs/ports.ts';
import { time } from '../parts.ts';
import { timeParameter } from '../run-list.ts';

/** The query of `GET /admin/usage`. */
export const usageQuerySchema = z.strictObject({
  group_by: z.enum(USAGE_GROUPS).meta({ description: 'What runs are added up by.' }),
  from: timeParameter.optional().meta({ description: 'Runs begun at this time or later. Default: a day before `to`.' }),
  to: timeParameter.optional().meta({
    description: `Runs begun before this time, ${USAGE_SPAN_DAYS_MAX} days after \`from\` at most. Default: now.`,
  }),
});

/** For the documents: the answer is written without it. */
export const usageSchema = z.object({
  object: z.literal('usage'),
  group_by: z.enum(USAGE_GROUPS),
  from: time,
  to: time,
  data: z
    .array(
      z.object({
        group: z.string().meta({
          description: 'A provider’s or workflow’s name, or a key’s id; empty: all groups beyond the bound, together.',
        }),
        name: z.string().nullable().meta({ description: 'The key’s name; null for providers and workflows.' }),
        runs: z.int(),
        succeeded: z.int(),
        failed: z.int(),
        cancelled: z.int(),
        timed_out: z.int(),
        unfinished: z.int().meta({ description: 'Not ended yet.' }),
        run_seconds: z.number().meta({ description: 'From their starts to their ends, together.' }),
      }),
    )
    .meta({ description: 'The group with the most runs first.' }),
});
