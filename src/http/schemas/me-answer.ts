import * as z from 'zod';
import { ROLES } from '../../core/caller.ts';
import type { Examples } from '../openapi/operation.ts';
import { time } from './parts.ts';

const limit = (description: string) =>
  z
    .object({
      limit: z.int().nullable().meta({ description: 'Null: none.' }),
      used: z.int().nullable().meta({ description: 'Null: not counted, as there is no limit.' }),
    })
    .meta({ description });

/** For the documents: the answer is written without it. */
export const meSchema = z.object({
  key: z.object({ id: z.string(), name: z.string(), role: z.enum(ROLES) }),
  token: z
    .object({ id: z.string(), origin: z.string().nullable() })
    .nullable()
    .meta({ description: 'The token that asked; null: a key did.' }),
  subject: z.string().nullable().meta({ description: 'The user that the token is for.' }),
  workflows: z.array(z.string()).nullable().meta({ description: 'Registered workflows that it may run; null: all.' }),
  providers: z
    .array(z.string())
    .nullable()
    .meta({ description: 'Providers, or `provider/vendor-id`, whose own workflows it may run; null: all.' }),
  origins: z.array(z.string()).meta({ description: 'Browser origins that it names, beside the configuration’s.' }),
  limits: z
    .object({
      requests_per_minute: limit('In the minute that goes on, this request in.'),
      concurrent_runs: limit('Unfinished runs.'),
      runs_per_day: limit('Runs begun on this day of UTC.'),
      token_runs: limit('Runs that this token has begun.'),
    })
    .meta({ description: 'All but the last hold for the key with everything that it has given out.' }),
  expires_at: time.nullable().meta({ description: 'When the key or the token ends; null: never.' }),
});

export const ME_EXAMPLES = {
  key: {
    summary: 'A key',
    value: {
      key: { id: '0123456789abcdef', name: 'web', role: 'runs' },
      token: null,
      subject: null,
      workflows: null,
      providers: null,
      origins: ['https://app.example.com'],
      limits: {
        requests_per_minute: { limit: 600, used: 12 },
        concurrent_runs: { limit: 20, used: 3 },
        runs_per_day: { limit: null, used: null },
        token_runs: { limit: null, used: null },
      },
      expires_at: null,
    },
  },
  token: {
    summary: 'A token',
    value: {
      key: { id: '0123456789abcdef', name: 'web', role: 'runs' },
      token: { id: 'tok_00112233445566778899aabbccddeeff', origin: 'https://app.example.com' },
      subject: 'user-42',
      workflows: ['summarize-ticket'],
      providers: [],
      origins: ['https://app.example.com'],
      limits: {
        requests_per_minute: { limit: 600, used: 12 },
        concurrent_runs: { limit: 20, used: 3 },
        runs_per_day: { limit: null, used: null },
        token_runs: { limit: 5, used: 1 },
      },
      expires_at: '2026-01-31T12:10:00.000Z',
    },
  },
} as const satisfies Examples;
