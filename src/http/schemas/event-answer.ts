import * as z from 'zod';
import { EVENT_TYPES } from '../../runs/model.ts';
import { anyObject, pageLimit, time } from './parts.ts';

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1_000;
const SEQ = /^[0-9]{1,15}$/;

/** The query of `GET /runs/{id}/events`. */
export const eventListSchema = z.strictObject({
  after: z.string().regex(SEQ, 'must be the number of an event of this run, or 0').transform(Number).default(0).meta({
    type: 'integer',
    minimum: 0,
    default: 0,
    description: 'Only events behind this number. `Last-Event-ID` beats it.',
  }),
  // Taken out by whoever proves the caller; here it is only described.
  token: z.string().optional().meta({
    description:
      'A browser token (`rgt_…`) instead of `Authorization`, for `EventSource`, which cannot send headers. Never a key.',
  }),
  limit: pageLimit({ max: LIMIT_MAX, usual: LIMIT_DEFAULT, description: 'Events a page; a stream has no pages.' }),
});

/** An event. For the documents: answers are written without it. */
export const eventSchema = z
  .object({
    run_id: z.string(),
    seq: z.int().meta({ description: 'From 1, without gaps.' }),
    type: z.enum(EVENT_TYPES),
    at: time,
    data: anyObject.meta({
      description:
        '`run.output.delta`: `{ "text" }`. `run.progress`: `{ "name", "data" }`, a step or a log of the vendor’s. `run.waiting`: `{ "waiting" }`. `run.succeeded`, `run.failed`, `run.cancelled` and `run.timed_out`: `{ "run" }`, the run as it ended.',
    }),
  })
  .meta({ description: 'Something that happened to a run.' });

export const eventPageSchema = z
  .object({
    data: z.array(eventSchema),
    next_cursor: z.string().nullable().meta({
      description: 'Goes into `after` for the next page; null where there is no more so far.',
    }),
  })
  .meta({ description: 'Events, oldest first.' });

export const eventStreamSchema = z.string().meta({
  description:
    'Server-sent events: `id` is the number of the event, `event` its type, `data` the event as JSON on one line. Lines that begin with a colon are comments.',
});
