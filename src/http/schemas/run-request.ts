import * as z from 'zod';
import { isJsonObject, type JsonObject } from '../../core/json.ts';
import { WEBHOOK_EVENTS } from '../../runs/model.ts';
import type { RunRequest } from '../../runs/run-service.ts';
import {
  METADATA_KEY_LENGTH_MAX,
  METADATA_PAIRS_MAX,
  METADATA_VALUE_LENGTH_MAX,
  NAME_LENGTH_MAX,
  TAG_LENGTH_MAX,
} from './run-limits.ts';
import { isLonger } from './parts.ts';
import { webhookSchema } from './webhook.ts';

const METADATA_KEY = new RegExp(`^[^\\p{Cc}\\p{Cs}]{1,${METADATA_KEY_LENGTH_MAX}}$`, 'u');
/** No control character, no lone surrogate, nothing that can end a path segment. */
const NAME = /^[^\p{Cc}\p{Cs}/\\]+$/u;
const TAG = /^[^\p{Cc}\p{Cs}]+$/u;

const name = z
  .string()
  .min(1)
  .max(NAME_LENGTH_MAX)
  .regex(NAME, 'must not contain a slash, a backslash or a control character')
  .refine((text) => !text.includes('..') && text !== '.', 'must not contain `..`');

// Not copied by the schema: the parser made it, and copying would lose a key named `__proto__`.
export const jsonObject = z
  .custom<JsonObject>(isJsonObject, 'must be an object')
  .meta({ type: 'object', additionalProperties: true });

const metadata = z
  .custom<Record<string, string>>(isJsonObject, { message: 'must be an object', abort: true })
  .superRefine((value, context) => {
    const fault = metadataFault(value);
    if (fault) context.addIssue({ code: 'custom', ...fault });
  })
  .meta({
    type: 'object',
    maxProperties: METADATA_PAIRS_MAX,
    additionalProperties: { type: 'string', maxLength: METADATA_VALUE_LENGTH_MAX },
  });

function metadataFault(value: Readonly<Record<string, unknown>>): { path: string[]; message: string } | null {
  const keys = Object.keys(value);
  if (keys.length > METADATA_PAIRS_MAX) return { path: [], message: `at most ${METADATA_PAIRS_MAX} pairs` };
  for (const key of keys) {
    const text = value[key];
    if (!METADATA_KEY.test(key) || key === '__proto__') {
      return {
        path: [key],
        message: `a key has 1 to ${METADATA_KEY_LENGTH_MAX} characters, none of them a control character`,
      };
    }
    if (typeof text !== 'string' || isLonger(text, METADATA_VALUE_LENGTH_MAX)) {
      return { path: [key], message: `must be a string of at most ${METADATA_VALUE_LENGTH_MAX} characters` };
    }
  }
  return null;
}

/** The body of `POST /runs`, checked for form; what exists and what a vendor takes is checked by runs. */
export const runRequestSchema = z.strictObject({
  workflow: name.meta({
    description: 'With `provider`: the vendor’s own id; without: a name from `rungate.yaml`. Without `..` in it.',
  }),
  provider: name.optional().meta({ description: 'A configured provider’s name.' }),
  inputs: jsonObject.optional().meta({ description: 'Rungate shapes it for the vendor. Default: `{}`.' }),
  options: jsonObject.optional().meta({ description: 'What only this vendor knows: `GET /providers` has its schema.' }),
  metadata: metadata.optional().meta({ description: 'The caller’s: up to 32 pairs. Returned, and a filter of lists.' }),
  tags: z
    .array(z.string().min(1).max(TAG_LENGTH_MAX).regex(TAG, 'must not contain a control character'))
    .max(16)
    .optional()
    .meta({ description: 'The caller’s. Returned, and a filter of lists.' }),
  timeout_s: z.int().min(1).max(86_400).optional().meta({
    description: 'Time for the run, queueing in, waiting for people out. A registered workflow’s own is the most.',
  }),
  waiting_timeout_s: z.int().min(1).max(2_592_000).optional().meta({
    description: 'How long the run may stay `waiting`. Default: 604800.',
  }),
  on_disconnect: z.enum(['continue', 'cancel']).optional().meta({
    description:
      '`cancel`: the run is cancelled when the last open `POST` of it was dropped by its caller and for 5 s nobody comes back by `POST` or follows its events; never once one was answered. Default: `continue`.',
  }),
  webhook: webhookSchema.optional().meta({
    description: 'Where signed messages about the run are posted. Its messages are at `GET /runs/{id}/deliveries`.',
  }),
});

export type RunRequestBody = z.infer<typeof runRequestSchema>;

/** The body as runs takes it. */
export function toRunRequest(body: RunRequestBody): RunRequest {
  const { workflow, provider, inputs = {}, options = {}, metadata = {}, tags = [], on_disconnect: onDisconnect } = body;
  return {
    workflow,
    inputs,
    options,
    metadata,
    tags,
    onDisconnect: onDisconnect ?? 'continue',
    webhook: body.webhook === undefined ? null : toWebhook(body.webhook),
    ...(provider === undefined ? {} : { provider }),
    ...(body.timeout_s === undefined ? {} : { timeoutS: body.timeout_s }),
    ...(body.waiting_timeout_s === undefined ? {} : { waitingTimeoutS: body.waiting_timeout_s }),
  };
}

/** The order of the events says nothing, so it does not tell requests apart. */
function toWebhook({
  url,
  events = [...WEBHOOK_EVENTS],
}: NonNullable<RunRequestBody['webhook']>): RunRequest['webhook'] {
  return { url, events: WEBHOOK_EVENTS.filter((event) => events.includes(event)) };
}
