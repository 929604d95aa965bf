import * as z from 'zod';
import { anyObject } from './parts.ts';

const jsonSchema = anyObject.meta({ description: 'A JSON Schema (2020-12).' });

const capabilitiesSchema = z
  .object({
    start: z.enum(['blocking', 'async']).meta({
      description: '`blocking`: the vendor answers when it is done. `async`: it answers at once and is polled.',
    }),
    cancel: z.boolean(),
    resume: z.boolean(),
    pause: z.boolean(),
    stream: z.boolean(),
  })
  .meta({ description: 'What can be asked of the vendor; anything else is 422 `unsupported_operation`.' });

const credentialSchema = z
  .enum(['present', 'missing'])
  .meta({ description: 'Whether a run could be started: without a credential it is 503 `no_credential`.' });

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
    credential: credentialSchema,
  })
  .meta({ description: 'A configured upstream.' });

export const workflowSchema = z
  .object({
    name: z.string(),
    description: z.string().nullable(),
    provider: z.string(),
    capabilities: capabilitiesSchema,
    inputs: jsonSchema
      .nullable()
      .meta({ description: 'A JSON Schema (2020-12) that a form can be built from; null: any object will do.' }),
    options: jsonSchema.meta({ description: 'A JSON Schema (2020-12) of `options`.' }),
    defaults: anyObject.meta({ description: 'Merged under the caller’s inputs.' }),
    timeout_s: z
      .int()
      .meta({ description: 'A run’s `timeout_s` where it names none; where the operator set one, the most.' }),
    credential: credentialSchema,
  })
  .meta({ description: 'A name from `rungate.yaml` for a vendor’s workflow.' });

export const providerListSchema = z.object({ data: z.array(providerSchema) });
export const workflowListSchema = z.object({ data: z.array(workflowSchema) });
