import * as z from 'zod';
import { RUN_STATUSES } from '../../runs/model.ts';
import { errorCodeSchema, errorSchema } from './error-answer.ts';
import { anyObject, EXAMPLE_RUN_ID, time } from './parts.ts';

const rateLimitSchema = z.object({
  limit: z.int().nullable(),
  remaining: z.int().nullable(),
  reset: time.nullable().meta({ description: 'When it begins anew, where the vendor documents that.' }),
  observed_at: time,
});

const upstreamSchema = z
  .object({
    workflow_id: z.string().meta({ description: 'The vendor’s own id of the workflow.' }),
    run_id: z.string().nullable().meta({ description: 'The vendor’s id of the run, once it has named one.' }),
    status: z.string().nullable().meta({ description: 'The vendor’s own word for the state.' }),
    request_id: z.string().nullable(),
    stopped: z.boolean().nullable().meta({ description: 'After a cancel: whether the vendor confirmed it.' }),
    poll_error: errorSchema.nullable().meta({ description: 'What the last poll complained of; it is tried again.' }),
    rate_limit: rateLimitSchema.nullable().meta({ description: 'The vendor’s limit, as last seen.' }),
  })
  .meta({ description: 'The vendor’s side of the run.' });

const attemptSchema = z.object({
  step: z.enum(['start', 'token']).meta({
    description: '`token`: only the vendor’s token for a streamed start was fetched, which begins nothing.',
  }),
  provider: z.string(),
  workflow: z.string().meta({ description: 'The vendor’s own id of the workflow.' }),
  credential: z.string().nullable().meta({
    description:
      'The credential’s id; never a secret. Of a reference that is a path, callers see `file` or `vault` alone.',
  }),
  error_code: errorCodeSchema.nullable(),
  at: time,
});

const outputSchema = z.object({
  text: z.string().nullable().meta({ description: 'The answer that a person would read, where there is one.' }),
  data: z.unknown().meta({ description: 'The vendor’s result without its envelope.' }),
  citations: z.array(z.string()).meta({ description: 'Sources, where the vendor gives them.' }),
});

const waitingSchema = z.object({
  for: z.enum(['input', 'resume', 'approval']),
  hint: z.unknown().meta({ description: 'What the vendor says of it.' }),
});

/** The run object. For the documents: answers are written without it, which is what keeps them fast. */
export const runSchema = z
  .object({
    id: z.string().meta({ example: EXAMPLE_RUN_ID }),
    object: z.literal('run'),
    status: z.enum(RUN_STATUSES).meta({
      description:
        '`queued`: on disk, surely not sent. `running`: handed over. `waiting`: needs input, approval or a resume. `cancelling`: cancel sent, not confirmed. The other four are ends and never left again.',
    }),
    provider: z.string(),
    workflow: z.string().meta({ description: 'As the caller named it: a registered name, or the vendor’s id.' }),
    subject: z.string().nullable().meta({ description: 'The user behind the browser token that began it.' }),
    key: z
      .object({ id: z.string(), name: z.string() })
      .optional()
      .meta({ description: 'Who began it; told to keys that see everyone’s runs.' }),
    inputs: anyObject
      .optional()
      .meta({ description: 'What the caller sent. Lists leave it out unless `include` names it.' }),
    output: outputSchema
      .nullable()
      .optional()
      .meta({ description: 'The result. Lists leave it out unless `include` names it.' }),
    error: errorSchema.nullable().meta({ description: 'Set on `failed` and `timed_out`.' }),
    waiting: waitingSchema.nullable().meta({ description: 'What a `waiting` run waits for.' }),
    partial: z.boolean().meta({ description: 'The vendor finished only some of it.' }),
    upstream: upstreamSchema,
    attempts: z.array(attemptSchema).meta({
      description: 'Every start that was, or may have been, sent, and the tokens that vendors want fetched before.',
    }),
    resolution: anyObject
      .nullable()
      .meta({ description: 'What an operator found out about a run whose fate nobody knew.' }),
    metadata: z.record(z.string(), z.string()),
    tags: z.array(z.string()),
    created_at: time,
    started_at: time.nullable(),
    finished_at: time.nullable(),
    deadline_at: time.meta({ description: 'When it ends as `timed_out`.' }),
  })
  .meta({ description: 'One execution of a workflow; the same from every endpoint.' });

export const runPageSchema = z
  .object({
    data: z.array(runSchema),
    next_cursor: z.string().nullable().meta({ description: 'Goes into `cursor` for the next page; null on the last.' }),
  })
  .meta({ description: 'Runs, newest first. A short page may have a next one.' });
