import { createHmac } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import { isJsonObject, type JsonObject } from '../../core/json.ts';
import { obeys, takesEffect, type Damage } from '../damages.ts';
import type { Concern, Trait } from '../plan.ts';
import { json, jsonObjectIn, Refusal, requireBearer, type Call } from '../http-kit.ts';
import { randomHex } from '../made-up.ts';
import { receiveStartInBody, type BegunRun, type StartDesk } from '../receive-start.ts';
import { createRunBook, watched, type BookedRun, type RunBook } from '../run-book.ts';
import {
  defineVendorSandbox,
  type ErrorDetail,
  type Route,
  type Sending,
  type Vendor,
  type VendorParts,
  type WebhookForm,
} from '../vendor.ts';
import { createHexNames, isHexId } from '../workflow-names.ts';
import { readOrder, type Order } from './interactly-input.ts';
import { renderInteractlyRun, statusOf, type InteractlyFacts } from './interactly-run.ts';
import { talkOverSocket } from './interactly-socket.ts';

const TRAITS: readonly Trait[] = [
  'poll',
  'cancel',
  'waiting',
  'asking',
  'pause',
  'resume',
  'vendor-cancel',
  'loop-guard',
  'stream',
  'socket',
];
const PAGE_SIZE = 100;

/** `{message, error}`: the category, then the rule. That statuses other than 400 have the same shape is inferred. */
const MESSAGES: Readonly<Record<number, string>> = { 401: 'Invalid API key', 403: 'No access to this team' };

interface Desk {
  parts: VendorParts;
  book: RunBook<InteractlyFacts>;
  starts: StartDesk<BegunRun>;
}

/** Interactly, as docs-qa.interactly.ai and its SDK describe it: one endpoint for five commands, runs that ask. */
export const interactly = defineVendorSandbox({
  kind: 'interactly',
  title: 'Interactly',
  basePath: '/workflows',
  demoKey: 'interactly-sandbox-demo-key',
  ordinaryRunMs: 300,
  traits: TRAITS,
  createNames: createHexNames,
  create,
});

function create(parts: VendorParts): Vendor {
  const book = createRunBook<InteractlyFacts>(parts.clock, parts);
  const desk: Desk = { parts, book, starts: startDesk(parts, book) };
  const socket = { parts, book, traits: TRAITS, starts: desk.starts };
  const errorReply = createErrorReply(parts);
  const authorized =
    (handle: Route['handle']): Route['handle'] =>
    async (call, id) => {
      requireBearer(call, [parts.key]);
      call.response.setHeader('x-request-id', randomHex(parts.random, 8));
      return handle(call, id);
    };
  const routes: Route[] = [
    {
      method: 'POST',
      path: '/workflows/v1/workflow-runs',
      handle: authorized(async (call) => {
        const body = await call.readBody();
        return follow(desk, call, readOrder(call, body));
      }),
    },
    {
      method: 'GET',
      path: '/workflows/v1/workflow-runs',
      handle: authorized(async (call) => listRuns(book, call)),
    },
    {
      method: 'GET',
      path: '/workflows/v1/workflow-runs/:id',
      handle: authorized(async (_call, id) => {
        if (!isHexId(id)) throw new Refusal(422, 'Input should be a string of 24 hexadecimal digits', { code: 'id' });
        const run = findRun(book, id);
        return runSending(book, run, book.damageOfRead(run), 'poll');
      }),
    },
  ];
  return {
    routes,
    sockets: [
      {
        path: '/workflows/v1/workflow-runs/ws',
        admit: (call) => void requireBearer(call, [parts.key]),
        talk: (client) => talkOverSocket(socket, client),
      },
    ],
    webhooks: webhookForm(parts, book),
    errorReply,
    unsuccessful: () => ({ workflow_run: null }),
    credentialOf: (call) => (call.header('authorization') ?? '').replace(/^bearer +/i, ''),
    reset: () => book.reset(),
  };
}

/** The body is not documented; the fields are those that the list of sent messages shows. */
function webhookForm({ clock, random }: VendorParts, book: RunBook<InteractlyFacts>): WebhookForm {
  return {
    message(runId) {
      const run = book.find(runId);
      return {
        event_id: `evt_${randomHex(random, 8)}`,
        action: 'workflow_run_completed',
        workflow_id: run?.facts.turns[0]?.workflow_id ?? null,
        workflow_run_id: runId,
        workflow_run_status: run === null ? 'completed' : statusOf(book.phaseOf(run)),
        payload: run === null ? {} : { workflow_run: renderInteractlyRun(book, run) },
      };
    },
    sign: (body, secret) => ({
      'x-interactly-signature': createHmac('sha256', secret).update(body).digest('hex'),
      'x-interactly-timestamp': String(Math.floor(clock.now() / 1000)),
    }),
  };
}

function startDesk({ random, starts, watch }: VendorParts, book: RunBook<InteractlyFacts>): StartDesk<BegunRun> {
  return {
    kind: 'interactly',
    traits: TRAITS,
    starts,
    read: jsonObjectIn,
    begin(input, { workflow, plan, bytes }) {
      const runId = randomHex(random, 12);
      book.begin({ id: runId, workflow, plan, bytes: bytes + 500, facts: { turns: [input] } });
      watch(watched(book, runId));
      return { runId };
    },
    reply: ({ runId }) => {
      const run = findRun(book, runId ?? '');
      return json(200, { workflow_run: renderInteractlyRun(book, run, { justBegun: true }) });
    },
  };
}

function createErrorReply({ random }: VendorParts): Vendor['errorReply'] {
  return (status, { message, code, concerns }: ErrorDetail = {}) => {
    const headers = { 'x-request-id': randomHex(random, 8) };
    if (status === 422) {
      const loc = code === null || code === undefined ? ['body'] : ['body', code];
      return json(status, { detail: [{ loc, msg: message ?? 'Input is not valid', type: 'value_error' }] }, headers);
    }
    const missing = concerns === 'start' ? 'Workflow not found' : 'Workflow run not found';
    const text = message ?? (status === 404 ? missing : MESSAGES[status]) ?? 'The request was refused';
    return json(status, { message: STATUS_CODES[status] ?? 'Error', error: text }, headers);
  };
}

async function follow(desk: Desk, call: Call, order: Order): Promise<Sending> {
  const { input, body, command } = order;
  if (command === 'start') {
    if (typeof input.workflow_id !== 'string') throw new Refusal(400, 'workflow_id is required to start a workflow');
    const workflow = desk.parts.names.nameOf(input.workflow_id);
    return receiveStartInBody(desk.starts, call, { workflow, body, input });
  }
  if (typeof input.workflow_run_id !== 'string') throw new Refusal(400, `workflow_run_id is required to ${command}`);
  const run = findRun(desk.book, input.workflow_run_id);
  switch (command) {
    case 'data':
    case 'resume':
      return resumeRun(desk, call, run, { ...order, command });
    case 'pause':
      return change(desk.book, run, 'pause');
    case 'stop':
      return change(desk.book, run, 'cancel');
  }
}

/** Recorded before anything of an answer leaves, as a start is. */
async function resumeRun(
  { parts, book }: Desk,
  call: Call,
  run: BookedRun<InteractlyFacts>,
  { input, body, command }: Order & { command: 'data' | 'resume' },
): Promise<Sending> {
  const from = command === 'data' ? 'asking' : 'waiting';
  const fits = book.phaseOf(run) === from;
  const damage = fits ? book.damageOfResume(run) : null;
  const goesOn = fits && takesEffect(damage) && book.resume(run, from);
  if (goesOn) run.facts.turns.push(input);
  const { workflow, id: runId } = run;
  parts.resumes.record({ kind: 'interactly', command, workflow, runId, clientRunId: null, began: goesOn, body });
  if (!fits) throw new Refusal(409, `The run does not wait for ${command === 'data' ? 'input' : 'a resume'}`);
  await call.delay(run.plan.slowMs);
  return runSending(book, run, damage, 'resume');
}

function change(
  book: RunBook<InteractlyFacts>,
  run: BookedRun<InteractlyFacts>,
  concerns: 'pause' | 'cancel',
): Sending {
  const damage = concerns === 'pause' ? book.damageOfPause(run) : book.damageOfCancel(run);
  if (obeys(damage) && !book[concerns](run)) {
    throw new Refusal(409, `The run cannot be ${concerns === 'pause' ? 'paused' : 'stopped'}`);
  }
  return runSending(book, run, damage, concerns);
}

function runSending(
  book: RunBook<InteractlyFacts>,
  run: BookedRun<InteractlyFacts>,
  damage: Damage | null,
  concerns: Concern,
): Sending {
  return { reply: json(200, { workflow_run: renderInteractlyRun(book, run) }), damage, concerns };
}

function findRun(book: RunBook<InteractlyFacts>, id: string): BookedRun<InteractlyFacts> {
  const run = book.find(id.toLowerCase());
  if (run === null) throw new Refusal(404, 'Workflow run not found');
  return run;
}

/** The short form of runs, newest first. */
function listRuns(book: RunBook<InteractlyFacts>, { query }: Call): Sending {
  const [size, page] = [positive(query, 'size', PAGE_SIZE), positive(query, 'page', 1)];
  const { runs, total } = book.list({ skip: (page - 1) * size, limit: size });
  const shown = runs.map((run) => {
    const { workflow_run: whole, ...rest } = renderInteractlyRun(book, run);
    const { logical_id, workflow_id, status } = isJsonObject(whole) ? whole : {};
    return { ...rest, workflow_run: { logical_id, workflow_id, status } } as JsonObject;
  });
  return { reply: json(200, { workflow_runs: shown, total }), damage: null, concerns: 'poll' };
}

function positive(query: URLSearchParams, name: string, usual: number): number {
  const text = query.get(name);
  if (text === null) return usual;
  const number = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (number < 1) throw new Refusal(422, 'Input should be a whole number from 1', { code: name });
  return number;
}
