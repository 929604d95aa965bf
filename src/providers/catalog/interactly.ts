import * as z from 'zod';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { bearer } from '../auth/bearer.ts';
import { defineProvider, get, path, post, type InboundOperation, type VendorRequest } from '../define-provider.ts';
import {
  cancelled,
  failed,
  running,
  succeeded,
  waiting,
  type Answer,
  type Outcome,
  type RunOutput,
} from '../outcome.ts';
import { readDetailedFault } from '../readers/detailed-fault.ts';
import { createInteractlyEventReader, errorReason, loopingReason } from '../readers/interactly-events.ts';
import { pieceOf, SpokenEvent, textOf } from '../readers/interactly-said.ts';
import {
  anyJson,
  anyJsonObject,
  firstId,
  HINT_CHARACTERS_MAX,
  lenient,
  refusedBeforeStart,
  shortText,
} from '../reading.ts';

const START_TIMEOUT_MS = 300_000;
const SAFE_HEADER = /^[A-Za-z0-9._:@-]{1,100}$/;

const objectId = z
  .string()
  .regex(/^[0-9a-fA-F]{24}$/, 'expected 24 hexadecimal digits, such as 5eb7cf5a86d9755df3a6c593');

/** Taken as it came and not copied: names are the caller's own. */
const callersObject = (description: string) =>
  (z.unknown() as z.ZodType<JsonObject>)
    .refine(isJsonObject, 'expected an object')
    .meta({ type: 'object', description })
    .optional();

const headerValue = (description: string) =>
  z.string().regex(SAFE_HEADER, 'expected letters, digits or . _ : @ -').optional().describe(description);

const Settings = z.strictObject({
  teamid: headerValue('Team, sent as the header of this name.'),
  uuid: headerValue('User on whose behalf runs are made, sent as the header of this name.'),
  api_version: z
    .string()
    .regex(/^\d{4}-\d{2}-\d{2}$/, 'expected a date such as 2026-04-01')
    .optional()
    .describe('Sent as X-Interactly-API-Version. Default: no such header.'),
});
type Settings = z.infer<typeof Settings>;

const threadInputs = callersObject('Node inputs by thread id; the main thread is "0".');

const Options = z.strictObject({
  runtime_variables: callersObject('Values for the `[[…]]` placeholders.'),
  miscellaneous: callersObject('Further data of the run, as the workflow expects it.'),
  version_number: z.int().min(0).optional().describe('Version of the workflow; 0 is the initial one.'),
  start_node_logical_id: z.string().min(1).max(200).optional().describe('Node to begin at.'),
  initial_state: z.unknown().describe('State to begin with, as the workflow expects it.').optional(),
  thread_to_node_inputs: threadInputs,
});
type Options = z.infer<typeof Options>;

const ResumeOptions = z.strictObject({ thread_to_node_inputs: threadInputs });

const Event = SpokenEvent.extend({
  error_message: lenient(z.string()),
  error: lenient(z.string()),
  next_input_hint: lenient(anyJson),
});
type Event = z.infer<typeof Event>;

const Pair = z.object({
  run_output: z
    .object({ events: z.array(Event.catch({})).catch([]), thread_to_node_outputs: lenient(anyJsonObject) })
    .catch({ events: [] }),
});
type Pair = z.infer<typeof Pair>;

const Run = z.object({
  status: z.enum([
    'not_started',
    'started',
    'running',
    'paused',
    'waiting_for_user_input',
    'completed',
    'failed',
    'cancelled',
    'aborted_looping_risk',
  ]),
  termination_source: lenient(z.string()),
  next_input_hint: lenient(anyJson),
  input_output_pairs: z.array(Pair.catch({ run_output: { events: [] } })).catch([]),
});
type Run = z.infer<typeof Run>;

const Answered = z.object({ workflow_run: z.object({ _id: lenient(objectId), workflow_run: Run }) });
const Started = z.object({ workflow_run: z.object({ _id: objectId }) });
const Listed = z.object({ workflow_runs: z.array(anyJsonObject) });

/** The vendor's client begins a stream so: a start over a WebSocket that names no thread is refused. */
const MAIN_THREAD: JsonObject = { '0': { node_run_inputs: [] } };

/** The form of a message is not documented; these are the names that the run's id has in its other documents. */
const INBOUND_RUN_ID_PLACES = ['', 'payload', 'data']
  .map((outer) => (outer === '' ? [] : [outer]))
  .flatMap((outer) => [
    [...outer, 'workflow_run_id'],
    [...outer, 'run_id'],
    [...outer, 'runId'],
    [...outer, 'workflow_run', '_id'],
  ]);

/** Only the body is signed, so the time guards against nothing more than an honest repetition. */
const inbound: InboundOperation = {
  signature: {
    header: 'x-interactly-signature',
    timestamp: { header: 'x-interactly-timestamp', toleranceS: 300 },
  },
  read(body) {
    const runId = firstId(body, INBOUND_RUN_ID_PLACES, objectId);
    return runId === null ? null : { runId };
  },
};

/**
 * Interactly (interactly.ai): one endpoint takes the five commands start, data, resume, pause and stop, and every
 * answer is the whole run. Whether a command is answered at once or when the run's turn is over is not documented,
 * so any answer may be final, waiting or still going.
 */
export default defineProvider<Options, Settings>({
  kind: 'interactly',
  title: 'Interactly',
  docsUrl: 'https://docs-qa.interactly.ai',
  baseUrl: 'https://api.interactly.ai/workflows',
  auth: bearer,
  options: Options,
  settings: Settings,
  workflowId: objectId,
  repeat: 'never',
  notStarted: refusedBeforeStart,
  startTimeoutMs: START_TIMEOUT_MS,
  start: {
    request: ({ workflow, inputs, options, settings }) => command(settings, startBody(workflow, inputs, options)),
    read(answer) {
      Started.parse(answer.body);
      return readRun(answer);
    },
  },
  startStream: {
    via: 'websocket',
    // A start that brings its state is refused over a WebSocket (close code 4006).
    suits: ({ options }) => options.initial_state === undefined,
    request: ({ workflow, inputs, options, settings }) => ({
      ...withHeaders(settings, get(path`/v1/workflow-runs/ws`)),
      body: { ...startBody(workflow, inputs, options), thread_to_node_inputs: threadsOf(options) },
    }),
    format: () => null,
    open: createInteractlyEventReader,
  },
  poll: {
    request: ({ runId, settings }) => withHeaders(settings, get(path`/v1/workflow-runs/${runId}`)),
    read: readRun,
  },
  cancel: {
    request: ({ workflow, runId, settings }) =>
      command(settings, { command: 'stop', workflow_id: workflow, workflow_run_id: runId }),
    read: readRun,
  },
  pause: {
    request: ({ workflow, runId, settings }) =>
      command(settings, { command: 'pause', workflow_id: workflow, workflow_run_id: runId }),
    read: readRun,
  },
  resume: {
    request: ({ workflow, runId, inputs, resumeOptions, waitingFor, settings }) =>
      command(settings, {
        command: waitingFor === 'input' ? 'data' : 'resume',
        workflow_id: workflow,
        workflow_run_id: runId,
        dynamic_variables: inputs,
        ...resumeOptions,
      }),
    read: readRun,
  },
  resumeOptions: ResumeOptions as z.ZodType<JsonObject>,
  inbound,
  verify: {
    request: (settings) => withHeaders(settings, get(path`/v1/workflow-runs`, { size: '1' })),
    good: ({ status, body }) => status === 200 && Listed.safeParse(body).success,
  },
  readError: readDetailedFault,
});

function command(settings: Settings, body: JsonObject): VendorRequest {
  return withHeaders(settings, post(path`/v1/workflow-runs`, body));
}

function startBody(workflow: string, inputs: JsonObject, options: Options): JsonObject {
  return { command: 'start', workflow_id: workflow, dynamic_variables: inputs, ...sent(options) };
}

/** The vendor's own example is an object without threads, which is refused as none is. */
function threadsOf({ thread_to_node_inputs: given = {} }: Options): JsonObject {
  return Object.keys(given).length === 0 ? MAIN_THREAD : given;
}

/** The options have the vendor's own names; what the caller left out is left out. */
function sent(options: Options): JsonObject {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as JsonObject;
}

function withHeaders({ teamid, uuid, api_version: version }: Settings, request: VendorRequest): VendorRequest {
  const headers = {
    ...(teamid === undefined ? {} : { teamid }),
    ...(uuid === undefined ? {} : { uuid }),
    ...(version === undefined ? {} : { 'x-interactly-api-version': version }),
  };
  return Object.keys(headers).length === 0 ? request : { ...request, headers };
}

function readRun({ body, headers }: Answer): Outcome {
  const { _id: runId, workflow_run: run } = Answered.parse(body).workflow_run;
  const requestId = shortText(headers['x-request-id'], 100);
  const seen = {
    status: run.status,
    ...(runId === undefined ? {} : { runId }),
    ...(requestId === null ? {} : { requestId }),
  };
  switch (run.status) {
    case 'not_started':
    case 'started':
    case 'running':
      return running(seen);
    case 'waiting_for_user_input':
      return waiting({ for: 'input', hint: hintOf(run) }, seen);
    case 'paused':
      return waiting({ for: 'resume', hint: null }, seen);
    case 'completed':
      return succeeded(outputOf(run), seen);
    case 'failed':
    case 'aborted_looping_risk':
      return failed({ message: reasonOf(run), code: run.termination_source ?? null, output: anyOutputOf(run) }, seen);
    case 'cancelled':
      return cancelled(seen);
  }
}

function lastPairOf({ input_output_pairs: pairs }: Run): Pair['run_output'] {
  return pairs.at(-1)?.run_output ?? { events: [] };
}

/** What the run says in its last turn; earlier turns were answers to earlier inputs. */
function outputOf(run: Run): Partial<RunOutput> {
  const { events, thread_to_node_outputs: outputs } = lastPairOf(run);
  return { text: saidIn(events), data: outputs ?? {} };
}

function anyOutputOf(run: Run): Partial<RunOutput> | null {
  const output = outputOf(run);
  return output.text === null && Object.keys(output.data as JsonObject).length === 0 ? null : output;
}

function saidIn(events: readonly Event[]): string | null {
  return textOf(events.map(pieceOf).filter((piece) => piece !== null));
}

/** What the vendor says of the input it waits for, else what the assistant asked last. */
function hintOf(run: Run): Json {
  const { events } = lastPairOf(run);
  const hints = [run.next_input_hint, ...events.map((event) => event.next_input_hint).toReversed()];
  const hint = hints.find((one) => one !== undefined && one !== null);
  if (hint !== undefined && JSON.stringify(hint).length <= HINT_CHARACTERS_MAX) return hint;
  return shortText(saidIn(events), HINT_CHARACTERS_MAX);
}

function reasonOf(run: Run): string | null {
  const errors = run.input_output_pairs
    .flatMap(({ run_output: output }) => output.events)
    .filter(({ type }) => type === 'workflow_error');
  const reason = errors.map(errorReason).findLast((text) => text !== null);
  return reason ?? loopingReason(run.status);
}
