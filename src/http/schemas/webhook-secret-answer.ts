import * as z from 'zod';
import type { Examples } from '../openapi/operation.ts';
import { time } from './parts.ts';

/** For the documents: the answer is written without it. */
export const webhookSecretSchema = z.object({
  webhook_secret: z.string().meta({ description: 'Signs the messages of this key’s runs; shown only now.' }),
  previous_expires_at: time
    .nullable()
    .meta({ description: 'Until when the one before signs too; null: there was none.' }),
});

export const WEBHOOK_SECRET_EXAMPLES = {
  rotated: {
    summary: 'A new one',
    value: {
      webhook_secret: 'whsec_…',
      previous_expires_at: '2026-02-01T12:00:00.000Z',
    },
  },
} as const satisfies Examples;
