import * as z from 'zod';
import type { JsonObject } from '../../core/json.ts';
import type { StreamFormat } from '../../core/outbound.ts';
import { bearer } from '../auth/bearer.ts';
import {
  defineProvider,
  get,
  nothing,
  path,
  plainWorkflowId,
  post,
  type StreamOperation,
  type StreamReader,
} from '../define-provider.ts';
import { succeeded, type Answer, type Outcome } from '../outcome.ts';
import { createDataStreamReader } from '../readers/data-stream.ts';
import { createMessageChunksReader } from '../readers/message-chunks.ts';
import { createTextStreamReader } from '../readers/text-stream.ts';
import { anyJson, lenient, mediaType, readFault, refusedBeforeStart } from '../reading.ts';

/** The documents allow a run 300 s; the rest is for the way there and back. */
const START_TIMEOUT_MS = 310_000;
const RUN_TIMEOUT_S = 330;

/** A token is spent at once; the vendor's default. */
const TOKEN_TTL_S = 60;

const DATA_STREAM_HEADER = 'x-vercel-ai-data-stream';
const MESSAGE_STREAM_HEADER = 'x-vercel-ai-ui-message-stream';
const NDJSON_TYPES = ['application/x-ndjson', 'application/ndjson', 'application/jsonl', 'application/x-jsonlines'];
/** A 2xx of these types is an answer, or somebody's error page, and no stream. */
const ANSWER_TYPE = /^(application\/(.+\+)?json|text\/html|application\/xhtml\+xml)$/;

const Finished = z.object({
  success: z.literal(true),
  result: z.string(),
  citations: lenient(z.array(anyJson)),
});

const Balance = z.object({ success: z.literal(true) });

const Token = z.object({ success: z.literal(true), token: z.string().regex(/^[\x21-\x7e]{1,500}$/) });

/** The stream shows a token of its own, so that browsers can open it; the format of its body is not documented. */
const startStream: StreamOperation<{ workflow: string; inputs: JsonObject }> = {
  via: 'http',
  token: {
    request: () => get(path`/api/v1/token`, { ttl: String(TOKEN_TTL_S) }),
    read: ({ body }) => Token.parse(body).token,
    query: 'token',
  },
  request: ({ workflow, inputs }) => post(path`/api/v1/run/${workflow}/stream`, inputs),
  format: ({ headers }) => formatOf(headers),
  open: ({ headers }) => readerOf(headers),
};

/**
 * AI Tutor API (MyApps.ai): one call that blocks until the text is there, or streams it. Its documents name no run id,
 * status, cancel, list or idempotency key, so the record of a run is ours alone.
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
  startStream,
  verify: {
    request: () => get(path`/api/v1/balance`),
    good: ({ status, body }) => status === 200 && Balance.safeParse(body).success,
  },
  readError: readFault,
});

/** `success: false` may come with a 200; it is no documented answer of a run that worked, so it throws. */
function readFinished({ body }: Answer): Outcome {
  const { result, citations = [] } = Finished.parse(body);
  const { success: _, ...data } = body as JsonObject;
  return succeeded({ text: result, data, citations: citations.filter((source) => typeof source === 'string') });
}

/** Vercel's headers first: its data stream has lines of its own, under whatever content type. */
function formatOf(headers: Readonly<Record<string, string>>): StreamFormat | null {
  if (headers[DATA_STREAM_HEADER] !== undefined) return 'text';
  if (headers[MESSAGE_STREAM_HEADER] !== undefined) return 'sse';
  const type = mediaType(headers);
  if (type === 'text/event-stream') return 'sse';
  if (NDJSON_TYPES.includes(type)) return 'ndjson';
  return ANSWER_TYPE.test(type) ? null : 'text';
}

function readerOf(headers: Readonly<Record<string, string>>): StreamReader {
  if (headers[DATA_STREAM_HEADER] !== undefined) return createDataStreamReader(streamed, { declared: true });
  if (formatOf(headers) === 'text') return createTextStreamReader(streamed);
  return createMessageChunksReader(streamed, { declared: headers[MESSAGE_STREAM_HEADER] !== undefined });
}

/** As `readFinished` has it; a stream brings no citations. */
function streamed(text: string): Outcome {
  return succeeded({ text, data: { result: text } });
}
