import * as z from 'zod';
import { WEIGHT_MAX } from '../../../core/weight.ts';
import { LABEL_LENGTH_MAX } from '../../../vault/credentials.ts';
import type { Examples } from '../../openapi/operation.ts';
import { time } from '../parts.ts';

const NAME_LENGTH_MAX = 100;
/** More than any secret may have, so that the vault is who says that it is too long. */
const SECRET_LENGTH_MAX = 65_536;

const provider = z.string().min(1).max(NAME_LENGTH_MAX).meta({ description: 'The provider’s name.' });

/** The body of `POST /admin/credentials`. */
export const newCredentialSchema = z.strictObject({
  provider,
  secret: z.string().max(SECRET_LENGTH_MAX).meta({
    description: 'The vendor’s secret: visible ASCII. No answer, log or error shows it.',
    writeOnly: true,
  }),
  label: z.string().min(1).max(LABEL_LENGTH_MAX).nullable().default(null).meta({ description: 'A word for people.' }),
  purpose: z.enum(['api', 'webhook']).default('api').meta({
    description: '`api` calls the vendor; `webhook` proves what the vendor sends.',
  }),
  weight: z.int().min(1).max(WEIGHT_MAX).optional().meta({
    description: 'Its share of the runs beside the provider’s others; of purpose `api` alone. Default: 1.',
  }),
});

/** The body of `POST /admin/credentials/verify`. */
export const verifyCredentialsSchema = z.strictObject({ provider });

export const credentialPathSchema = z.object({
  id: z.string().meta({ description: 'The credential’s id.', example: 'cred_01k9zq3v5w8x7y6z5a4b3c2d1e' }),
});

const stateFields = {
  state: z.enum(['usable', 'set_aside', 'resting']).meta({
    description: '`set_aside`: the vendor refused it. `resting`: the vendor limits it.',
  }),
  state_code: z.string().nullable().meta({ description: 'Why it is set aside.' }),
  state_since: time.nullable(),
  state_until: time.nullable().meta({ description: 'Until when it rests.' }),
};

/** For the documents: the answers are written without them. */
export const credentialSchema = z
  .object({
    id: z.string(),
    object: z.literal('credential'),
    provider: z.string(),
    label: z.string().nullable(),
    purpose: z.enum(['api', 'webhook']),
    weight: z.int().nullable(),
    state: stateFields.state.nullable(),
    state_code: stateFields.state_code.optional(),
    state_since: stateFields.state_since.optional(),
    state_until: stateFields.state_until.optional(),
    created_at: time,
  })
  .meta({ description: 'A secret in the vault, without it. One of purpose `webhook` has neither weight nor state.' });

export const referenceSchema = z
  .object({
    id: z.string().meta({ description: 'The reference, as rungate.yaml has it.' }),
    object: z.literal('credential_reference'),
    provider: z.string(),
    weight: z.int(),
    is_set: z.boolean().meta({ description: 'Whether it names a secret for this process.' }),
    ...stateFields,
  })
  .meta({ description: 'A secret that the configuration refers to.' });

export const credentialListSchema = z.object({
  data: z.array(credentialSchema),
  references: z.array(referenceSchema),
});

export const removedCredentialSchema = z.object({
  id: z.string(),
  object: z.literal('credential'),
  removed: z.literal(true),
});

const verdictSchema = z.object({
  object: z.literal('credential_verdict'),
  credential: z.string(),
  origin: z.string().meta({ description: 'Whom it was shown to.' }),
  verdict: z.enum(['good', 'refused', 'unreachable', 'unclear', 'unreadable']).meta({
    description:
      '`unclear`: the vendor’s answer says nothing of it. `unreadable`: it cannot be opened. A good one is usable again; one refused with 401 or 402 is set aside.',
  }),
  status: z.int().nullable().meta({ description: 'The vendor’s HTTP status; null where no answer came.' }),
  ...stateFields,
});

export const verdictListSchema = z.object({
  object: z.literal('credential_verdicts'),
  provider: z.string(),
  data: z.array(verdictSchema),
});

export const NEW_CREDENTIAL_EXAMPLES = {
  first: { summary: 'A provider’s only one', value: { provider: 'ai-tutor', secret: 'sk_…' } },
  second: {
    summary: 'A second, for three quarters of the runs',
    value: { provider: 'ai-tutor', secret: 'sk_…', label: 'large-account', weight: 3 },
  },
} as const satisfies Examples;
