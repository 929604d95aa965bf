import * as z from 'zod';
import {
  isSubject,
  SUBJECT_LENGTH_MAX,
  TOKEN_RUNS_MAX,
  TOKEN_TTL_S_DEFAULT,
  TOKEN_TTL_S_MAX,
  TOKEN_WORKFLOWS_MAX,
} from '../../access/token-limits.ts';
import type { NewToken } from '../../access/tokens.ts';
import { isOrigin, originFault } from '../../core/origin.ts';
import type { Examples } from '../openapi/operation.ts';
import { time } from './parts.ts';
import { NAME_LENGTH_MAX } from './run-limits.ts';

/** The body of `POST /tokens`, checked for form; what exists and what the key may is checked after. */
export const tokenRequestSchema = z.strictObject({
  workflows: z
    .array(z.string().min(1).max(NAME_LENGTH_MAX))
    .min(1)
    .max(TOKEN_WORKFLOWS_MAX)
    .meta({ description: 'Registered workflows of this key. The token runs these and nothing else.' }),
  origin: z
    .string()
    .refine(isOrigin, { error: ({ input }) => `must be ${originFault(String(input))}` })
    .optional()
    .meta({
      description: 'The page that may use the token; other pages are refused. None: the pages that its key names.',
    }),
  subject: z.string().min(1).max(SUBJECT_LENGTH_MAX).refine(isSubject, 'must be printable').optional().meta({
    description:
      'The user that the token is for: all tokens of one subject see one another’s runs, and no other’s. None: the token sees only what it began.',
  }),
  max_runs: z
    .int()
    .min(1)
    .max(TOKEN_RUNS_MAX)
    .optional()
    .meta({ description: 'How many runs it may begin; replays do not count. None: as many as its key may.' }),
  ttl_s: z
    .int()
    .min(1)
    .max(TOKEN_TTL_S_MAX)
    .optional()
    .meta({
      description: `How long it is good for, at most until its key ends. Default: ${TOKEN_TTL_S_DEFAULT}.`,
    }),
});

/** The body as access takes it. */
export function toNewToken(body: z.infer<typeof tokenRequestSchema>): NewToken {
  const {
    workflows,
    origin = null,
    subject = null,
    max_runs: runsMax = null,
    ttl_s: ttlS = TOKEN_TTL_S_DEFAULT,
  } = body;
  return { workflows, origin, subject, runsMax, ttlS };
}

/** For the documents: the answer is written without it. */
export const tokenSchema = z.object({
  token: z
    .string()
    .meta({ description: '`rgt_…`: for `Authorization: Bearer`, and on `GET /runs/{id}/events` for `?token=`.' }),
  expires_at: time,
});

export const TOKEN_REQUEST_EXAMPLES = {
  user: {
    summary: 'For one user on one page',
    value: {
      workflows: ['summarize-ticket'],
      origin: 'https://app.example.com',
      subject: 'user-42',
      max_runs: 5,
      ttl_s: 600,
    },
  },
  least: { summary: 'No more than is needed', value: { workflows: ['summarize-ticket'] } },
} as const satisfies Examples;

export const TOKEN_EXAMPLES = {
  one: { summary: 'A token', value: { token: 'rgt_…', expires_at: '2026-01-31T12:10:00.000Z' } },
} as const satisfies Examples;
