import { createHmac } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import type { Random } from '../../core/random.ts';
import { obeys } from '../damages.ts';
import type { Trait } from '../plan.ts';
import { json, jsonObjectIn, Refusal, requireBearer, type Call } from '../http-kit.ts';
import { randomHex, sentenceAbout } from '../made-up.ts';
import { receiveStart, type BegunRun, type StartDesk } from '../receive-start.ts';
import { createRunBook, watched, type BookedRun, type Phase, type RunBook } from '../run-book.ts';
import {
  defineVendorSandbox,
  type ErrorDetail,
  type Route,
  type Sending,
  type Vendor,
  type VendorParts,
  type WebhookForm,
} from '../vendor.ts';
import { eventOf, runStream, statusOf } from './b3os-stream.ts';

const TRAITS: readonly Trait[] = [
  'poll',
  'cancel',
  'client-run-id',
  'waiting',
  'partial',
  'vendor-cancel',
  'archive',
  'stream',
  'follow',
];
const RETRY_AFTER_S = 1;

/** A key of this ending has the scope `read` only. */
const READ_ONLY = '_read_only';

const BODY_FIELDS: Readonly<Record<string, { expected: string; fits(value: Json): boolean }>> = {
  chatMessageId: { expected: 'a string', fits: (value) => typeof value === 'string' },
  dustTest: { expected: 'a boolean', fits: (value) => typeof value === 'boolean' },
  payload: { expected: 'an object', fits: isJsonObject },
  runId: {
    expected: 'a string that starts with "run_"',
    fits: (value) => typeof value === 'string' && /^run_[A-Za-z0-9_-]{1,200}$/.test(value),
  },
  simulate: { expected: 'a boolean', fits: (value) => typeof value === 'boolean' },
  version: { expected: 'an integer', fits: (value) => Number.isSafeInteger(value) },
};

type Facts = JsonObject;

/** B3OS, as docs.b3os.org describes it: the client may choose the run's id, runs can wait and be cancelled. */
export const b3os = defineVendorSandbox({
  kind: 'b3os',
  title: 'B3OS',
  basePath: '',
  demoKey: 'b3sk_sandbox_demo_key',
  ordinaryRunMs: 300,
  traits: TRAITS,
  create,
});

function create(parts: VendorParts): Vendor {
  const { random, key } = parts;
  const book = createRunBook<Facts>(parts.clock, parts);
  const errorReply = createErrorReply(random);
  const desk: StartDesk<BegunRun> = {
    kind: 'b3os',
    traits: TRAITS,
    starts: parts.starts,
    read: readBody,
    clientRunId: ({ runId }) => (typeof runId === 'string' ? runId : null),
    // A repeated id is not documented to deduplicate, so it begins another run, which takes the id.
    begin(input, { workflow, plan, bytes }) {
      const runId = typeof input.runId === 'string' ? input.runId : `run_${randomHex(random, 6)}`;
      book.begin({ id: runId, workflow, plan, bytes: bytes + 500, facts: input });
      parts.watch(watched(book, runId));
      return { runId };
    },
    reply: ({ runId }) => json(200, envelope(random, { runId })),
  };
  const routes: Route[] = [
    {
      method: 'POST',
      path: '/v1/workflows/:id/run',
      async handle(call, workflow) {
        requireScope(call, key, 'write');
        return receiveStart(desk, call, workflow);
      },
    },
    {
      method: 'GET',
      path: '/v1/runs/:id',
      async handle(call, id) {
        requireScope(call, key, 'read');
        const run = findRun(book, id);
        const damage = book.damageOfRead(run);
        const data = runObject(book, run, readView(call));
        return { reply: json(200, envelope(random, data)), damage, concerns: 'poll' };
      },
    },
    {
      method: 'GET',
      path: '/v1/runs/:id/stream',
      async handle(call, id) {
        requireScope(call, key, 'read');
        const run = findRun(book, id);
        return { reply: runStream(book, run, call), damage: book.damageOfStream(run), concerns: 'poll' };
      },
    },
    {
      method: 'POST',
      path: '/v1/runs/:id/cancel',
      async handle(call, id) {
        requireScope(call, key, 'write');
        return cancelRun(book, id, random);
      },
    },
  ];
  return {
    routes,
    webhooks: hooks(parts, book),
    errorReply,
    unsuccessful: () => ({ code: 500, message: 'internal error', requestId: requestId(random) }),
    credentialOf: (call) => (call.header('authorization') ?? '').replace(/^bearer +/i, ''),
    reset: () => book.reset(),
  };
}

/** The body is not documented; each event has an id, and names its type and its run. */
function hooks({ clock, random }: VendorParts, book: RunBook<Facts>): WebhookForm {
  return {
    message(runId) {
      const run = book.find(runId);
      const phase = run === null ? 'success' : book.phaseOf(run);
      return {
        id: `evt_${randomHex(random, 8)}`,
        type: eventOf(phase),
        createdAt: new Date(clock.now()).toISOString(),
        data: { runId, workflowId: run?.workflow ?? null, status: statusOf(phase) },
      };
    },
    sign: (body, secret) => ({ 'x-b3os-signature': createHmac('sha256', secret).update(body).digest('hex') }),
  };
}

function requireScope(call: Call, key: string, scope: 'read' | 'write'): void {
  const shown = requireBearer(call, [key, key + READ_ONLY], 'Invalid or missing API key');
  if (scope === 'write' && shown !== key) throw new Refusal(403, 'This API key has the scope read only');
}

function requestId(random: Random): string {
  return `req-${randomHex(random, 6)}`;
}

function envelope(random: Random, data: Json): JsonObject {
  return { code: 200, data, message: 'success', requestId: requestId(random) };
}

/** The reference does not show an error body; this is its envelope without data. `older`: the introduction's shape. */
function createErrorReply(random: Random): Vendor['errorReply'] {
  return (status, { message, older, concerns }: ErrorDetail = {}) => {
    const missing = concerns === 'poll' || concerns === 'cancel' ? 'Run not found' : 'Workflow not found';
    const text = message ?? (status === 404 ? missing : (STATUS_CODES[status] ?? 'Error'));
    const headers: Record<string, string> =
      status === 429 || status === 503 ? { 'retry-after': String(RETRY_AFTER_S) } : {};
    if (!older) return json(status, { code: status, message: text, requestId: requestId(random) }, headers);
    const code = (STATUS_CODES[status] ?? 'Error').toUpperCase().replaceAll(/[^A-Z]+/g, '_');
    return json(status, { success: false, error: { message: text, code } }, headers);
  };
}

/** The whole body is optional; `simulate` and `dustTest` exclude each other. */
function readBody(call: Call, body: Buffer): JsonObject {
  if (body.length === 0) return {};
  const input = jsonObjectIn(call, body);
  for (const [name, value] of Object.entries(input)) {
    const field = Object.hasOwn(BODY_FIELDS, name) ? BODY_FIELDS[name] : undefined;
    if (field === undefined) throw new Refusal(400, `Unknown field ${name}`);
    if (!field.fits(value)) throw new Refusal(400, `${name} must be ${field.expected}`);
  }
  if (input.simulate === true && input.dustTest === true) {
    throw new Refusal(400, 'simulate and dustTest are mutually exclusive');
  }
  return input;
}

function findRun(book: RunBook<Facts>, id: string): BookedRun<Facts> {
  const run = book.find(id);
  if (run === null) throw new Refusal(404, 'Run not found');
  return run;
}

interface View {
  summary: boolean;
  /** Null: every node. */
  nodeIds: readonly string[] | null;
}

function readView({ query }: Call): View {
  const summary = query.get('summary') ?? 'false';
  if (summary !== 'true' && summary !== 'false') throw new Refusal(400, 'summary must be true or false');
  return { summary: summary === 'true', nodeIds: query.get('nodeIds')?.split(',') ?? null };
}

function cancelRun(book: RunBook<Facts>, id: string, random: Random): Sending {
  const run = findRun(book, id);
  const damage = book.damageOfCancel(run);
  if (obeys(damage) && !book.cancel(run)) throw new Refusal(409, 'Run cannot be cancelled');
  const data = runObject(book, run, { summary: false, nodeIds: null });
  return { reply: json(200, envelope(random, data)), damage, concerns: 'cancel' };
}

function runObject(book: RunBook<Facts>, run: BookedRun<Facts>, view: View): JsonObject {
  const { id, workflow, facts } = run;
  const phase = book.phaseOf(run);
  const endedAt = book.endedAt(run);
  return {
    id,
    status: statusOf(phase),
    workflowId: workflow,
    workflowVersion: facts.version ?? 1,
    organizationId: 'org_sandbox',
    startedAt: new Date(run.startedAt).toISOString(),
    finishedAt: endedAt === null ? null : new Date(endedAt).toISOString(),
    ...(view.summary ? {} : details(run, phase, view)),
    propValues: {},
    triggerSource: 'api',
    triggeredBy: 'user_sandbox',
    sourceRunId: null,
    isDustTest: facts.dustTest === true,
    isSimulation: facts.simulate === true,
    simulationMode: facts.simulate === true ? 'dry-run' : null,
    simulationForks: [],
    totalCu: endedAt === null ? 0 : 3,
  };
}

/** What `summary=true` leaves out: each node's result under the node's id, the trigger under `root`. */
function details({ facts, workflow }: BookedRun<Facts>, phase: Phase, { nodeIds }: View): JsonObject {
  const payload = isJsonObject(facts.payload) ? facts.payload : {};
  const state: JsonObject = { root: payload };
  if (phase !== 'running') state.describe = { text: sentenceAbout(workflow, payload) };
  if (phase === 'success') state.send = { sent: facts.simulate !== true };
  if (phase === 'failure') state.send = { error: 'Insufficient balance' };
  if (phase === 'partial') state.send = { skipped: true };
  const shown = Object.entries(state).filter(([node]) => nodeIds === null || nodeIds.includes(node));
  const nodes = ['root', 'describe', 'send'].map((node) => ({ id: node }));
  return { executionState: Object.fromEntries(shown), workflowDefinition: { nodes } };
}
