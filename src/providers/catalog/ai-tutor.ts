import * as z from 'zod';
import type { JsonObject } from '../../core/json.ts';
import { bearer } from '../auth/bearer.ts';
import { defineProvider, get, nothing, path, plainWorkflowId, post } from '../define-provider.ts';
import { succeeded, type Answer, type Outcome } from '../outcome.ts';
import { anyJson, lenient, readFault, refusedBeforeStart } from '../reading.ts';

/** The documents allow a run 300 s; the rest is for the way there and back. */
const START_TIMEOUT_MS = 310_000;
const RUN_TIMEOUT_S = 330;

const Finished = z.object({
  success: z.literal(true),
  result: z.string(),
  citations: lenient(z.array(anyJson)),
});

/**
 * AI Tutor API (MyApps.ai): one call that blocks until the text is there. Its documents name no run id, status,
 * cancel, list or idempotency key, so the record of a run is ours alone.
 */
export default defineProvider({
  kind: 'ai-tutor',
  title: 'AI Tutor',
  docsUrl: 'https://support.myapps.ai/aitutor-api/aitutor-api-docs',
  baseUrl: 'https://aitutor-api.vercel.app',
  auth: bearer,
  options: nothing,
  settings: nothing,
  workflowId: plainWorkflowId,
  repeat: 'never',
  notStarted: refusedBeforeStart,
  startTimeoutMs: START_TIMEOUT_MS,
  defaultTimeoutS: RUN_TIMEOUT_S,
  // `x-ratelimit-limit` and `-remaining` are documented; a reset is not.
  rateLimitReset: 'none',
  start: {
    request: ({ workflow, inputs }) => post(path`/api/v1/run/${workflow}`, inputs),
    read: readFinished,
  },
  verify: { request: () => get(path`/api/v1/balance`), good: ({ status }) => status === 200 },
  readError: readFault,
});

/** `success: false` may come with a 200; it is no documented answer of a run that worked, so it throws. */
function readFinished({ body }: Answer): Outcome {
  const { result, citations = [] } = Finished.parse(body);
  const { success: _, ...data } = body as JsonObject;
  return succeeded({ text: result, data, citations: citations.filter((source) => typeof source === 'string') });
}
