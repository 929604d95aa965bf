import * as z from 'zod';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { apiKeyHeader } from '../auth/api-key-header.ts';
import { defineProvider, get, nothing, path, plainWorkflowId, post } from '../define-provider.ts';
import { cancelled, failed, running, succeeded, type Answer, type Outcome, type RunOutput } from '../outcome.ts';
import {
  anyJson,
  exactNumber,
  lenient,
  readFault,
  reasonText,
  refusedBeforeStart,
  shortText,
  vendorId,
} from '../reading.ts';

/** Answered instead of 200 while a run is going, without `data`. */
const STILL_RUNNING = 250;

/** No run has this id, so asking for it shows whether the key is good and changes nothing. */
const NO_RUN = '00000000-0000-0000-0000-000000000000';

const Started = z.object({ success: z.literal(true), data: z.object({ id: vendorId }) });

/** The documents show texts; a step must not be lost for a number. */
const nodeName = lenient(
  z.union([z.string(), z.number().transform(String), exactNumber.transform(({ rawJSON }) => rawJSON)]),
);

const CompletedStep = z.object({
  step_id: nodeName,
  node_id: nodeName,
  downloadable_output: lenient(z.boolean()),
  output: lenient(anyJson),
});
type CompletedStep = z.infer<typeof CompletedStep>;

const FailedStep = z.object({ error: lenient(anyJson) });

const Run = z.object({
  state: z.enum(['DONE', 'FAILED', 'USER_ABORTED']),
  error: lenient(anyJson),
  completed_steps: z.array(CompletedStep.catch({})).catch([]),
  failed_steps: z.array(FailedStep.catch({})).catch([]),
});
type Run = z.infer<typeof Run>;

/**
 * Draft & Goal (dng.ai): a start is always accepted to run in the background and then asked for. Its documents
 * name no list, cancel, stream, webhook, idempotency key or rate-limit header.
 */
export default defineProvider({
  kind: 'draft-and-goal',
  title: 'Draft & Goal',
  docsUrl: 'https://docs.dng.ai/api-reference/getting-started',
  baseUrl: 'https://agents-api.prod.dng.ai/api',
  auth: apiKeyHeader('x-api-key'),
  options: nothing,
  settings: nothing,
  workflowId: plainWorkflowId,
  repeat: 'never',
  notStarted: refusedBeforeStart,
  start: {
    request: ({ workflow, inputs }) => post(path`/v1/workflows/${workflow}/run`, { inputs: asTextInputs(inputs) }),
    read: ({ body }) => running({ runId: Started.parse(body).data.id }),
  },
  poll: {
    // Without this parameter the steps before the last ones may be missing from `completed_steps`.
    request: ({ runId }) => get(path`/v1/workflow-runs/${runId}`, { all_completed_steps: 'true' }),
    accepts: [200, STILL_RUNNING],
    read: readRun,
  },
  // No harmless call is documented; that a good key gets 404 here is inferred.
  verify: {
    request: () => get(path`/v1/workflow-runs/${NO_RUN}`),
    good: ({ status, body }) => status === 404 && isError(body),
  },
  readError: readFault,
});

/** `{value, type: "text"}` is the only documented form of an input, so every other JSON value goes as its text. */
function asTextInputs(inputs: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(inputs).map(([nodeId, value]) => [nodeId, isTextInput(value) ? value : asTextInput(value)]),
  );
}

function asTextInput(value: Json): JsonObject {
  return { value: typeof value === 'string' ? value : JSON.stringify(value), type: 'text' };
}

function isTextInput(value: Json): boolean {
  return (
    isJsonObject(value) && Object.keys(value).length === 2 && value.type === 'text' && typeof value.value === 'string'
  );
}

function readRun({ status, body }: Answer): Outcome {
  if (status === STILL_RUNNING || isStillRunning(body)) return running();
  const run = z.object({ success: z.literal(true), data: Run }).parse(body).data;
  switch (run.state) {
    case 'DONE':
      return succeeded(outputOf(run), { status: run.state, partial: hasFailedInside(run) });
    case 'FAILED':
      return failed(
        { message: reasonOf(run), output: run.completed_steps.length > 0 ? outputOf(run) : null },
        { status: run.state },
      );
    case 'USER_ABORTED':
      return cancelled({ status: run.state });
  }
}

function hasFailedInside(run: Run): boolean {
  return run.failed_steps.length > 0 || reasonText(run.error) !== null;
}

/** The words of a 250, as the documents show them; an error may have no more than a message either. */
const ON_THE_WAY = /\bon (the|its) way\b/i;

/** What stands for 250 where something between us makes a plain 200 of it: the same words and no state. */
function isStillRunning(body: Json): boolean {
  if (!isJsonObject(body) || body.success === false || body.type === 'error') return false;
  const state = isJsonObject(body.data) ? body.data.state : undefined;
  return (
    (state === undefined || state === null) &&
    (body.success === true || (typeof body.message === 'string' && ON_THE_WAY.test(body.message)))
  );
}

/** Documented as `{type: "error", error: {message}}`; other messages of the vendor have theirs at the top. */
function isError(body: Json | undefined): boolean {
  return isJsonObject(body) && (body.type === 'error' || shortText(body.message) !== null);
}

/** There is no output of the run as a whole: `data` has each node's, as a list where a node ran more than once. */
function outputOf({ completed_steps: steps }: Run): Partial<RunOutput> {
  const byNode = new Map<string, Json[]>();
  for (const step of steps) {
    const node = step.node_id ?? step.step_id;
    if (node === undefined) continue;
    const outputs = byNode.get(node) ?? [];
    outputs.push(step.output ?? null);
    byNode.set(node, outputs);
  }
  const data = Object.fromEntries([...byNode].map(([node, outputs]) => [node, onlyOr(outputs)]));
  return { text: textOf(steps), data };
}

function onlyOr(outputs: Json[]): Json {
  return outputs.length === 1 ? (outputs[0] ?? null) : outputs;
}

/** Several downloadable texts have no order that a reader could rely on, so none of them is the answer. */
function textOf(steps: readonly CompletedStep[]): string | null {
  const texts = steps.flatMap((step) =>
    step.downloadable_output === true && typeof step.output === 'string' ? [step.output] : [],
  );
  return texts.length === 1 ? (texts[0] ?? null) : null;
}

function reasonOf(run: Run): string | null {
  const reasons = [run.error, ...run.failed_steps.map((step) => step.error)].map(reasonText);
  return reasons.find((reason) => reason !== null) ?? null;
}
