import * as z from 'zod';
import { KEY_LIMIT_MAX } from '../../../access/key-limits.ts';
import { NAME_LENGTH_MAX, ORIGINS_MAX } from '../../../access/keys.ts';
import { OVERLAP_S_MAX } from '../../../access/manage-keys.ts';
import { ENTRIES_MAX } from '../../../access/policy.ts';
import { ROLES } from '../../../core/caller.ts';
import type { Examples } from '../../openapi/operation.ts';
import { time } from '../parts.ts';
import { timeParameter } from '../run-list.ts';

const ENTRY_LENGTH_MAX = 300;
const OVERLAP_S_DEFAULT = 86_400;

const texts = z.array(z.string().max(ENTRY_LENGTH_MAX));
const entries = texts.max(ENTRIES_MAX).default([]);
const limit = z.int().min(1).max(KEY_LIMIT_MAX).nullable().default(null);
const NO_LIMITS = { requests_per_minute: null, concurrent_runs: null, runs_per_day: null };

/** The body of `POST /admin/keys`. */
export const newKeySchema = z.strictObject({
  name: z.string().min(1).max(NAME_LENGTH_MAX).meta({ description: 'For people.' }),
  role: z.enum(ROLES).default('runs').meta({
    description: '`runs` starts runs; `viewer` reads everything; `admin` manages too.',
  }),
  allowed_workflows: entries.meta({ description: 'Registered workflows that it may run.' }),
  allowed_providers: entries.meta({
    description:
      'Providers that it may run, each `name` or `name/vendor-id`. With neither list, it may run everything.',
  }),
  origins: texts
    .max(ORIGINS_MAX)
    .default([])
    .meta({ description: 'Browser origins that may use it: `https://app.example.com`.' }),
  limits: z
    .strictObject({ requests_per_minute: limit, concurrent_runs: limit, runs_per_day: limit })
    .default(NO_LIMITS)
    .meta({ description: 'Null: no bound.' }),
  expires_at: timeParameter.nullable().default(null).meta({ description: 'When it stops to work; null: never.' }),
});

/** The body of `POST /admin/keys/{id}/rotate`. */
export const rotateKeySchema = z
  .strictObject({
    overlap_s: z.int().min(0).max(OVERLAP_S_MAX).default(OVERLAP_S_DEFAULT).meta({
      description: 'For how many seconds the old key still works.',
    }),
  })
  .default({ overlap_s: OVERLAP_S_DEFAULT });

export const keyPathSchema = z.object({
  id: z.string().meta({ description: 'The key’s id, its public part.', example: '7d2f8abc01234567' }),
});

const limitAnswer = z.int().nullable();

/** For the documents: the answer is written without it. */
export const keySchema = z
  .object({
    id: z.string(),
    object: z.literal('key'),
    name: z.string(),
    role: z.enum(ROLES),
    status: z.enum(['active', 'expired', 'revoked']),
    allowed_workflows: z.array(z.string()),
    allowed_providers: z.array(z.string()),
    limits: z.object({ requests_per_minute: limitAnswer, concurrent_runs: limitAnswer, runs_per_day: limitAnswer }),
    origins: z.array(z.string()),
    created_at: time,
    expires_at: time.nullable(),
    revoked_at: time.nullable(),
    last_used_at: time.nullable().meta({ description: 'Written down now and then; null: never used.' }),
  })
  .meta({ description: 'A client key. Its secret is kept by nobody but its holder.' });

export const keyListSchema = z.object({ data: z.array(keySchema) });

const secrets = {
  key: z.string().meta({ description: 'The key itself, shown only now.' }),
  webhook_secret: z.string().optional().meta({
    description: 'Signs the messages of its runs; shown only now, and only where its line of keys had none yet.',
  }),
};

export const madeKeySchema = keySchema.extend(secrets).meta({ description: 'A key that was just made.' });
export const rotatedKeySchema = keySchema
  .extend({ ...secrets, replaces: keySchema })
  .meta({ description: 'The new key, and the old one as it is now.' });

export const NEW_KEY_EXAMPLES = {
  website: {
    summary: 'For one workflow, from one page',
    value: {
      name: 'website',
      allowed_workflows: ['summarize-ticket'],
      origins: ['https://app.example.com'],
      limits: { requests_per_minute: 60 },
    },
  },
  dashboard: { summary: 'For somebody who only looks', value: { name: 'dashboard', role: 'viewer' } },
} as const satisfies Examples;
