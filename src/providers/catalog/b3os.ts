import * as z from 'zod';
import { parseRunId } from '../../core/ids.ts';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { bearer } from '../auth/bearer.ts';
import {
  defineProvider,
  get,
  path,
  plainWorkflowId,
  post,
  type InboundOperation,
  type RunContext,
  type StreamOperation,
  type VendorRequest,
} from '../define-provider.ts';
import { cancelled, failed, running, succeeded, waiting, type Answer, type Outcome } from '../outcome.ts';
import { createStepReader } from '../readers/step-stream.ts';
import {
  anyJson,
  anyJsonObject,
  firstId,
  lenient,
  mediaType,
  readFault,
  reasonText,
  refusedBeforeStart,
  shortText,
  vendorId,
} from '../reading.ts';

/** No run has this id, so asking for it shows whether the key is good and changes nothing. */
const NO_RUN = 'run_00000000000000000000000000';

const Settings = z.strictObject({
  org_id: z
    .string()
    .regex(/^org_[A-Za-z0-9_-]{1,100}$/, 'expected an organization id such as org_abc123')
    .optional()
    .describe('Organization, sent as X-Org-ID.'),
});
type Settings = z.infer<typeof Settings>;

const Options = z
  .strictObject({
    simulate: z.boolean().optional().describe('Dry run: nothing is moved.'),
    dust_test: z.boolean().optional().describe('Run with amounts of about 0.01 USD. Not together with `simulate`.'),
    version: z
      .int()
      .min(0)
      .optional()
      .describe('Version of the workflow. Without it the vendor takes the draft, where there is one.'),
    chat_message_id: z.string().min(1).max(200).optional().describe('Assistant message that launched this run.'),
    node_ids: z
      .array(z.string().regex(/^[A-Za-z0-9._:-]{1,100}$/, 'expected a node id without commas'))
      .min(1)
      .max(100)
      .optional()
      .describe('Nodes whose results `output.data` is to have. Default: all.'),
  })
  .refine((options) => !(options.simulate === true && options.dust_test === true), {
    path: ['dust_test'],
    message: 'simulate and dust_test exclude each other',
  });
type Options = z.infer<typeof Options>;

const Envelope = z.object({
  // Documented as 200 on success; an envelope that says otherwise under an HTTP 200 is no success.
  code: lenient(
    z.union([
      z.number(),
      z
        .string()
        .regex(/^\d{3}$/)
        .transform(Number),
    ]),
  ).refine((code) => code === undefined || (code >= 200 && code <= 299)),
  success: anyJson.optional().refine((success) => success !== false),
  requestId: lenient(z.string().max(200)),
});

const Started = Envelope.extend({ data: z.object({ runId: vendorId }) });

const Run = Envelope.extend({
  data: z.object({
    id: lenient(vendorId),
    // `partial` is documented by one list of runs only; taken where it comes.
    status: z.enum(['running', 'waiting', 'success', 'partial', 'failure', 'cancelled']),
    executionState: lenient(anyJsonObject),
    error: lenient(anyJson),
    message: lenient(anyJson),
  }),
});
type Run = z.infer<typeof Run>['data'];

/** Steps of the run while it goes on. Neither the events' names nor their data are documented, so none is believed. */
const follow: StreamOperation<RunContext<Options, Settings>> = {
  via: 'http',
  request: ({ runId, settings }) => inOrganization(settings, get(path`/v1/runs/${runId}/stream`)),
  format: ({ headers }) => (mediaType(headers) === 'text/event-stream' ? 'sse' : null),
  open: createStepReader,
};

/** The vendor's ids of runs, and ours, which it takes over. */
const runId = z.string().regex(/^run_[A-Za-z0-9_-]{1,196}$/);

/** The form of a message is not documented; these are the places where its other documents have a run's id. */
const RUN_ID_PLACES = [
  ['runId'],
  ['run_id'],
  ['data', 'runId'],
  ['data', 'run_id'],
  ['run', 'id'],
  ['data', 'run', 'id'],
  ['payload', 'runId'],
  ['data', 'id'],
];

/** The example of a receiver checks this header alone; a time is not among what is signed. */
const inbound: InboundOperation = {
  signature: { header: 'x-b3os-signature', timestamp: null },
  read(body) {
    const id = firstId(body, RUN_ID_PLACES, runId);
    if (id === null) return null;
    return parseRunId(id) === null ? { runId: id } : { clientRunId: id };
  },
};

/**
 * B3OS (b3os.org). A run moves real funds unless `simulate` or `dust_test` says otherwise, so nothing is set
 * that the caller did not set, and a start is never repeated: whether a repeated `runId` is refused is not
 * documented. Resuming a waiting run is not documented either.
 */
export default defineProvider<Options, Settings>({
  kind: 'b3os',
  title: 'B3OS',
  docsUrl: 'https://docs.b3os.org/api/introduction',
  baseUrl: 'https://api.b3os.org',
  auth: bearer,
  options: Options,
  settings: Settings,
  workflowId: plainWorkflowId,
  repeat: 'never',
  notStarted: refusedBeforeStart,
  start: {
    request: ({ workflow, inputs, options, clientRunId, settings }) =>
      inOrganization(settings, post(path`/v1/workflows/${workflow}/run`, startBody(inputs, options, clientRunId))),
    read: readStarted,
  },
  poll: { request: ({ runId, options, settings }) => getRun(runId, options, settings), read: readRun },
  follow,
  lookup: { request: ({ clientRunId, options, settings }) => getRun(clientRunId, options, settings), read: readRun },
  cancel: {
    request: ({ runId, settings }) => inOrganization(settings, post(path`/v1/runs/${runId}/cancel`)),
    read: readRun,
  },
  inbound,
  // No harmless call is documented; that a good key gets 404 here is inferred.
  verify: {
    request: (settings) => inOrganization(settings, get(path`/v1/runs/${NO_RUN}`, { summary: 'true' })),
    good: ({ status, body }) => status === 404 && isError(body),
  },
  readError: readFault,
});

function startBody(inputs: JsonObject, options: Options, clientRunId: string): JsonObject {
  return {
    payload: inputs,
    runId: clientRunId,
    ...(options.simulate === undefined ? {} : { simulate: options.simulate }),
    ...(options.dust_test === undefined ? {} : { dustTest: options.dust_test }),
    ...(options.version === undefined ? {} : { version: options.version }),
    ...(options.chat_message_id === undefined ? {} : { chatMessageId: options.chat_message_id }),
  };
}

/** Never with `summary`: it leaves out the results, and the answer that ends the run must have them. */
function getRun(runId: string, options: Options, settings: Settings): VendorRequest {
  const query = options.node_ids === undefined ? undefined : { nodeIds: options.node_ids.join(',') };
  return inOrganization(settings, get(path`/v1/runs/${runId}`, query));
}

function inOrganization(settings: Settings, request: VendorRequest): VendorRequest {
  return settings.org_id === undefined ? request : { ...request, headers: { 'x-org-id': settings.org_id } };
}

function readStarted({ body }: Answer): Outcome {
  const { data, requestId } = Started.parse(body);
  return running({ runId: data.runId, ...(requestId === undefined ? {} : { requestId }) });
}

function readRun({ body }: Answer): Outcome {
  const { data: run, requestId } = Run.parse(body);
  const seen = {
    status: run.status,
    ...(run.id === undefined ? {} : { runId: run.id }),
    ...(requestId === undefined ? {} : { requestId }),
  };
  switch (run.status) {
    case 'running':
      return running(seen);
    case 'waiting':
      return waiting({ for: 'resume', hint: null }, seen);
    case 'success':
      return succeeded({ data: run.executionState ?? {} }, seen);
    case 'partial':
      return succeeded({ data: run.executionState ?? {} }, { ...seen, partial: true });
    case 'failure':
      return failed({ message: reasonOf(run), output: run.executionState ? { data: run.executionState } : null }, seen);
    case 'cancelled':
      return cancelled(seen);
  }
}

/** The reference shows no error body: its envelope has a `message`, the older introduction an `error`. */
function isError(body: Json | undefined): boolean {
  if (!isJsonObject(body)) return false;
  return isJsonObject(body.error) || [body.error, body.message].some((text) => shortText(text) !== null);
}

/** Where a failed run says why is not documented: the run's own words first, then those of the first node that has any. */
function reasonOf(run: Run): string | null {
  const nodeErrors = Object.values(run.executionState ?? {}).map((node): Json | undefined =>
    isJsonObject(node) ? node.error : undefined,
  );
  const reasons = [run.error, ...nodeErrors].map(reasonText);
  return reasons.find((reason) => reason !== null) ?? shortText(run.message);
}
