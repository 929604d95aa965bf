import { STATUS_CODES } from 'node:http';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { json, jsonObjectIn, Refusal, requireJsonType, type Call, type Reply } from '../http-kit.ts';
import { sentenceAbout, uuid } from '../made-up.ts';
import { receiveStart, type BegunRun, type StartDesk } from '../receive-start.ts';
import { createRunBook, isGoingOn, type BookedRun, type RunBook } from '../run-book.ts';
import {
  defineVendorSandbox,
  type ErrorDetail,
  type Route,
  type Sending,
  type Vendor,
  type VendorParts,
} from '../vendor.ts';
import type { Trait } from '../plan.ts';

const TRAITS: readonly Trait[] = ['poll', 'user-abort', 'steps'];

/** The pages of the API reference name 403 and 404 for each of the two calls. */
const MESSAGES: Readonly<Record<'start' | 'poll', Readonly<Record<number, string>>>> = {
  start: { 403: "You don't have access to this workflow", 404: 'Invalid workflow id' },
  poll: { 403: "You don't have access to this workflow run", 404: 'Invalid workflowrun id | Run deleted' },
};

const NO_ANSWER = 'LLM_0: the model did not answer';

/** How a run ends here; only the ends that the traits allow can be planned. */
const ENDS = {
  success: { state: 'DONE', error: null, failed: null },
  failure: { state: 'FAILED', error: NO_ANSWER, failed: { state: 'FAILED', error: NO_ANSWER } },
  'user-aborted': { state: 'USER_ABORTED', error: null, failed: { state: 'USER_ABORTED', error: null } },
} as const;

interface Facts {
  inputs: JsonObject;
  stepIds: string[];
}

/** Draft & Goal, as docs.dng.ai describes it: starts that answer at once, and a run that is asked for. */
export const draftAndGoal = defineVendorSandbox({
  kind: 'draft-and-goal',
  title: 'Draft & Goal',
  basePath: '/api',
  demoKey: 'dng-sandbox-demo-key',
  ordinaryRunMs: 300,
  traits: TRAITS,
  create,
});

function create(parts: VendorParts): Vendor {
  const book = createRunBook<Facts>(parts.clock, parts);
  const desk: StartDesk<BegunRun> = {
    kind: 'draft-and-goal',
    traits: TRAITS,
    starts: parts.starts,
    read: readInputs,
    begin(inputs, { workflow, plan, bytes }) {
      const runId = uuid(parts.random);
      const steps = Object.keys(inputs).length + Math.max(plan.outputs, 1);
      const stepIds = Array.from({ length: steps }, () => uuid(parts.random));
      book.begin({ id: runId, workflow, plan, bytes: bytes + 500, facts: { inputs, stepIds } });
      return { runId };
    },
    reply: ({ runId }) =>
      json(200, { success: true, data: { id: runId, message: 'Workflow is running in the background.' } }),
  };
  const routes: Route[] = [
    {
      method: 'POST',
      path: '/api/v1/workflows/:id/run',
      async handle(call, workflow) {
        requireKey(call, parts.key);
        return receiveStart(desk, call, workflow);
      },
    },
    {
      method: 'GET',
      path: '/api/v1/workflow-runs/:id',
      async handle(call, id) {
        requireKey(call, parts.key);
        requireJsonType(call);
        return readRun(book, call, id);
      },
    },
  ];
  return {
    routes,
    errorReply,
    unsuccessful: () => ({ success: false, data: null }),
    credentialOf: (call) => call.header('x-api-key') ?? '',
    reset: () => book.reset(),
  };
}

function requireKey(call: Call, key: string): void {
  if (call.header('x-api-key') !== key) throw new Refusal(401, 'Invalid API key');
}

function errorReply(status: number, { message, concerns }: ErrorDetail = {}): Reply {
  const known = MESSAGES[concerns === 'poll' ? 'poll' : 'start'][status];
  return json(status, { type: 'error', error: { message: message ?? known ?? STATUS_CODES[status] ?? 'Error' } });
}

/** `inputs` is required; each value is `{ value: <string>, type: "text" }` and nothing else. */
function readInputs(call: Call, body: Buffer): JsonObject {
  const { inputs, ...rest } = jsonObjectIn(call, body);
  const surplus = Object.keys(rest)[0];
  if (surplus !== undefined) throw new Refusal(400, `Unknown field ${surplus}`);
  if (!isJsonObject(inputs)) throw new Refusal(400, 'inputs is required and must be an object');
  for (const [node, input] of Object.entries(inputs)) {
    if (!isTextInput(input)) {
      throw new Refusal(400, `inputs.${node} must be an object with a string "value" and the "type" "text"`);
    }
  }
  return inputs;
}

function isTextInput(input: Json): boolean {
  if (!isJsonObject(input)) return false;
  return typeof input.value === 'string' && input.type === 'text' && Object.keys(input).length === 2;
}

function readRun(book: RunBook<Facts>, call: Call, id: string): Sending {
  const all = call.query.get('all_completed_steps') ?? 'false';
  if (all !== 'true' && all !== 'false') throw new Refusal(400, 'all_completed_steps must be true or false');
  const run = book.find(id);
  if (run === null) return { reply: errorReply(404, { concerns: 'poll' }), damage: null, concerns: 'poll' };
  const damage = book.damageOfRead(run);
  const reply = isGoingOn(book.phaseOf(run))
    ? json(250, { message: 'Workflow Run generation on the way. Please wait a few minutes.' })
    : json(200, { success: true, data: finishedRun(book, run, all === 'true') });
  return { reply, damage, concerns: 'poll' };
}

function finishedRun(book: RunBook<Facts>, run: BookedRun<Facts>, allSteps: boolean): Json {
  const times = { started_at: timestamp(run.startedAt), ended_at: timestamp(book.endedAt(run) ?? run.startedAt) };
  const steps = completedSteps(run, times).filter(({ downloadable_output }) => allSteps || downloadable_output);
  const end = run.plan.end;
  const how = ENDS[end === 'failure' || end === 'user-aborted' ? end : 'success'];
  const failed = how.failed && { step_id: run.facts.stepIds.at(-1) ?? '', node_id: 'LLM_0', ...how.failed, ...times };
  return {
    run_id: run.id,
    workflow_id: run.workflow,
    inputs: run.facts.inputs,
    state: how.state,
    error: how.error,
    ...times,
    completed_steps: steps,
    failed_steps: failed === null ? [] : [failed],
  };
}

/** One step for each input node, whose output cannot be downloaded, then the nodes that made something of them. */
function completedSteps({ facts, plan, workflow }: BookedRun<Facts>, times: { started_at: string; ended_at: string }) {
  const nodes = Object.keys(facts.inputs).map((node_id) => ({
    node_id,
    downloadable_output: false,
    output: null as Json,
  }));
  if (plan.end === 'success') {
    const values = Object.entries(facts.inputs).map(([node, input]) => [node, isJsonObject(input) ? input.value : '']);
    const text = sentenceAbout(workflow, Object.fromEntries(values) as JsonObject);
    for (let i = 0; i < plan.outputs; i++) {
      nodes.push({ node_id: `LLM_${i}`, downloadable_output: true, output: i === 0 ? text : `${text} (${i + 1})` });
    }
  }
  return nodes.map((node, i) => ({ step_id: facts.stepIds[i] ?? '', state: 'DONE', ...node, ...times }));
}

/** Microseconds and no time zone, as in the documents: `2025-02-17T13:33:45.575000`. */
function timestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, -1)}000`;
}
