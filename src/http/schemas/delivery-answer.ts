import * as z from 'zod';
import { WEBHOOK_EVENTS } from '../../runs/model.ts';
import type { Examples } from '../openapi/operation.ts';
import { EXAMPLE_RUN_ID, time } from './parts.ts';
import { runPathSchema } from './run-path.ts';

const DELIVERY_ID = 'dlv_01k9zq3v5w8x7y6z5a4b3c2d1e_4';

/** The path of one message. */
export const deliveryPathSchema = runPathSchema.extend({
  delivery_id: z.string().meta({ description: 'The message’s id.', example: DELIVERY_ID }),
});

/** A message to a webhook. For the documents: answers are written without it. */
export const deliverySchema = z
  .object({
    id: z.string().meta({ description: 'Goes out as `webhook-id`, the same at every try.' }),
    object: z.literal('delivery'),
    run_id: z.string(),
    event: z.enum(WEBHOOK_EVENTS),
    status: z.enum(['pending', 'delivered', 'failed', 'gone']).meta({
      description:
        '`pending`: to be tried, or being tried. `delivered`: the target answered with a 2xx. `failed`: given up. `gone`: the target answered 410, which ends the messages of this run.',
    }),
    tries: z.int(),
    created_at: time,
    last_at: time.nullable(),
    last_status: z.int().nullable().meta({ description: 'The HTTP status of the last answer; null where none came.' }),
    last_error: z.string().nullable().meta({
      description:
        'A word for what went wrong: `dns`, `connect`, `tls`, `timeout`, `reset`, `redirect`, `forbidden_address`, `no_secret`, `run_deleted` and others.',
    }),
    next_at: time
      .nullable()
      .meta({ description: 'When it is tried next; null while it is being tried, and at the end.' }),
  })
  .meta({ description: 'A message to a run’s webhook, and what became of it.' });

export const deliveryListSchema = z.object({ data: z.array(deliverySchema) });

const DELIVERED = {
  id: DELIVERY_ID,
  object: 'delivery',
  run_id: EXAMPLE_RUN_ID,
  event: 'run.succeeded',
  status: 'delivered',
  tries: 2,
  created_at: '2026-01-31T12:00:02.480Z',
  last_at: '2026-01-31T12:00:07.912Z',
  last_status: 204,
  last_error: null,
  next_at: null,
} as const;

export const DELIVERY_LIST_EXAMPLES = {
  delivered: { summary: 'Taken at the second try', value: { data: [DELIVERED] } },
} as const satisfies Examples;

export const REDELIVERY_EXAMPLES = {
  again: {
    summary: 'It is sent again',
    value: { ...DELIVERED, status: 'pending', tries: 0, next_at: '2026-01-31T13:00:00.000Z' },
  },
} as const satisfies Examples;
