import * as z from 'zod';
import { anyObject } from './parts.ts';

const jsonSchema = anyObject.meta({ description: 'A JSON Schema (2020-12).' });

const capabilitiesSchema = z
  .object({
    start: z.enum(['blocking', 'async']).meta({
      description: '`blocking`: the vendor answers when it is done. `async`: it answers at once and is polled.',
    }),
    stream: z.boolean().meta({
      description: 'Whether what the vendor says while it works becomes events, where somebody follows them.',
    }),
    cancel: z.boolean(),
    pause: z.boolean(),
    resume: z.boolean(),
    webhooks: z.boolean().meta({
      description: 'Whether the vendor’s own webhooks are taken, at `POST /inbound/{provider}`.',
    }),
  })
  .meta({
    description: 'What the vendor can do. To cancel, pause or resume where it cannot is 422 `unsupported_operation`.',
  });

const resumeOptionsSchema = jsonSchema
  .nullable()
  .meta({ description: 'A JSON Schema (2020-12) of a resume’s `options`; null: there is none to resume.' });

const CREDENTIAL_STATES = ['present', 'missing'] as const;

/** The word for whether there is a credential. */
export function credentialState(present: boolean): (typeof CREDENTIAL_STATES)[number] {
  return present ? 'present' : 'missing';
}

const credentialSchema = z
  .enum(CREDENTIAL_STATES)
  .meta({ description: 'Whether a run could be started: without a credential it is 503 `no_credential`.' });

const breakerSchema = z.enum(['closed', 'open', 'half_open']).meta({
  description:
    'The circuit breaker. `closed`: starts go out. `open`: too many have failed, so they are held back. `half_open`: one is let through, to see. Of several credentials the worst.',
});

const startLimits = {
  concurrency: z.int().nullable().meta({ description: 'Runs that are begun and neither ended nor waiting.' }),
  requests_per_minute: z.int().nullable().meta({ description: 'Starts in any 60 s.' }),
};

const limitsSchema = z
  .object({
    ...startLimits,
    per_credential: z.object(startLimits).meta({ description: 'The same for each of its credentials.' }),
  })
  .meta({ description: 'What the provider is sent at most; null: no bound. Runs beyond it wait, or are refused.' });

export const providerSchema = z
  .object({
    name: z.string(),
    kind: z.string(),
    title: z.string(),
    docs_url: z.string().meta({ description: 'The vendor’s documents.' }),
    capabilities: capabilitiesSchema,
    timeout_s: z.int().meta({ description: 'A run’s `timeout_s` where it names none.' }),
    workflow_id: jsonSchema.meta({ description: 'A JSON Schema (2020-12) of the vendor’s workflow ids.' }),
    options: jsonSchema.meta({ description: 'A JSON Schema (2020-12) of `options`.' }),
    resume_options: resumeOptionsSchema,
    credential: credentialSchema,
    breaker: breakerSchema,
    limits: limitsSchema,
  })
  .meta({ description: 'A configured upstream.' });

export const workflowSchema = z
  .object({
    name: z.string(),
    description: z.string().nullable(),
    provider: z.string().meta({
      description:
        'Where its runs go. Of several targets the first, whose vendor the rest describes: a run may go to another.',
    }),
    capabilities: capabilitiesSchema,
    inputs: jsonSchema
      .nullable()
      .meta({ description: 'A JSON Schema (2020-12) that a form can be built from; null: any object will do.' }),
    options: jsonSchema.meta({ description: 'A JSON Schema (2020-12) of `options`.' }),
    resume_options: resumeOptionsSchema,
    defaults: anyObject.meta({ description: 'Merged under the caller’s inputs.' }),
    timeout_s: z
      .int()
      .meta({ description: 'A run’s `timeout_s` where it names none; where the operator set one, the most.' }),
    credential: credentialSchema,
  })
  .meta({ description: 'A name from `rungate.yaml` for a vendor’s workflow.' });

export const providerListSchema = z.object({ data: z.array(providerSchema) });
export const workflowListSchema = z.object({ data: z.array(workflowSchema) });
