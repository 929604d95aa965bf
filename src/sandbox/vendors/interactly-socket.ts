import { isJsonObject, parseJson, type JsonObject } from '../../core/json.ts';
import { beatsOf } from '../beats.ts';
import { takesEffect, type Damage } from '../damages.ts';
import { readPlan } from '../faults.ts';
import { Refusal } from '../http-kit.ts';
import type { Trait } from '../plan.ts';
import type { BegunRun, StartDesk } from '../receive-start.ts';
import type { BookedRun, Phase, RunBook } from '../run-book.ts';
import type { VendorParts } from '../vendor.ts';
import type { ServerSocket } from '../web-socket.ts';
import { isWorkflowId } from '../vendor.ts';
import { checkOrder, type Order } from './interactly-input.ts';
import { firstTurnPieces, MAIN_THREAD, renderInteractlyRun, statusOf, type InteractlyFacts } from './interactly-run.ts';

/** Documented: the start brought its state; the token of a repeated run is no good. */
const STATE_REFUSED = 4006;
const RERUN_REFUSED = 4007;
/** RFC 6455: what is not documented is refused as a policy, and a fault of the server is one. */
const REFUSED = 1008;
const BROKEN = 1011;
const ORDERLY = 1000;

/** How long a broken connection is given to carry what was written before. */
const FLUSH_MS = 5;

interface SocketDesk {
  parts: VendorParts;
  book: RunBook<InteractlyFacts>;
  traits: readonly Trait[];
  starts: StartDesk<BegunRun>;
}

/** A start that is not to be: the code and the words of the close. */
class SocketRefusal extends Error {
  override readonly name = 'SocketRefusal';
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * One conversation, as the vendor's client leads it: the first message starts a workflow, then events come until the
 * run has ended and the vendor closes. Messages after the first are not simulated. The run goes on without its listener.
 */
export async function talkOverSocket(desk: SocketDesk, socket: ServerSocket): Promise<void> {
  const first = await socket.next();
  if (first === null) return;
  try {
    const { input, body, workflowId } = readStart(first);
    const workflow = desk.parts.names.nameOf(workflowId);
    if (!isWorkflowId(workflow)) throw new SocketRefusal(REFUSED, 'Workflow not found');
    await takeStart(desk, socket, { input, body, workflow });
  } catch (error) {
    if (!(error instanceof SocketRefusal)) throw error;
    await socket.close(error.code, error.message);
  }
}

function readStart(text: string): Order & { workflowId: string } {
  const parsed = parseJson(text);
  if (!parsed.ok || !isJsonObject(parsed.value)) throw new SocketRefusal(REFUSED, 'The message must be a JSON object');
  const { rerun_token: rerunToken, ...given } = parsed.value;
  if (given.initial_state !== undefined) throw new SocketRefusal(STATE_REFUSED, 'initial_state is not accepted');
  if (rerunToken !== undefined) throw new SocketRefusal(RERUN_REFUSED, 'The re-run token is not valid');
  const order = orderIn(given, Buffer.from(text));
  const { workflow_id: workflowId, thread_to_node_inputs: threads } = order.input;
  if (order.command !== 'start') throw new SocketRefusal(REFUSED, 'The first message must start a workflow');
  if (typeof workflowId !== 'string') throw new SocketRefusal(REFUSED, 'workflow_id is required to start a workflow');
  if (!isJsonObject(threads) || Object.keys(threads).length === 0) {
    throw new SocketRefusal(REFUSED, 'Found 0 threads in workflow input');
  }
  return { ...order, workflowId };
}

function orderIn(given: JsonObject, body: Buffer): Order {
  try {
    return checkOrder(given, body);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new SocketRefusal(REFUSED, `${error.code ?? 'body'}: ${error.message}`);
  }
}

async function takeStart(
  desk: SocketDesk,
  socket: ServerSocket,
  { input, body, workflow }: { input: JsonObject; body: Buffer; workflow: string },
): Promise<void> {
  const plan = readPlan(workflow, desk.traits);
  const { closeCode } = plan.stream;
  const begun =
    plan.begins && closeCode === null ? desk.starts.begin(input, { workflow, plan, bytes: body.length }) : null;
  const runId = begun?.runId ?? null;
  const began = begun !== null;
  desk.parts.starts.record({ kind: 'interactly', command: 'start', workflow, runId, clientRunId: null, began, body });
  await socket.delay(plan.slowMs);
  if (closeCode !== null) return socket.close(closeCode, 'The start was refused');
  if (plan.start !== null && !isOfBytes(plan.start)) return damage(socket, plan.start);
  const run = desk.book.find(runId ?? '');
  if (run !== null) await tell(desk, socket, run);
}

/** What concerns the bytes of an HTTP answer means nothing here. */
type OfBytes = Damage & { kind: 'interim' | 'drip' | 'duplicate-keys' };

function isOfBytes(fault: Damage): fault is OfBytes {
  return fault.kind === 'interim' || fault.kind === 'drip' || fault.kind === 'duplicate-keys';
}

/** What a fault of an HTTP answer is here: a refusal or a failure closes, a cut cuts, rubbish is a message. */
async function damage(socket: ServerSocket, fault: Exclude<Damage, OfBytes>): Promise<void> {
  switch (fault.kind) {
    case 'status':
      return takesEffect(fault) ? socket.close(BROKEN, 'Something went wrong') : socket.close(REFUSED, 'Refused');
    case 'cut':
      return socket.cut('end');
    case 'reset':
      return socket.cut('reset');
    case 'stall':
    case 'silence':
      await socket.next();
      return;
    case 'rubbish':
      if (!takesEffect(fault)) return socket.close(REFUSED, 'The start was refused');
      await socket.send('Workflow started, all is well');
      return socket.close(ORDERLY);
  }
}

/** The run's events until its end, or until the conversation is over for another reason. */
async function tell(desk: SocketDesk, socket: ServerSocket, run: BookedRun<InteractlyFacts>): Promise<void> {
  const { book } = desk;
  const { trouble, rubbish, unknown, named } = run.plan.stream;
  const said = firstTurnPieces(run);
  const event = createEvents(desk, run);
  await socket.send(
    JSON.stringify({ message: 'Workflow run accepted', ...(named ? { workflow_run_id: run.id } : {}) }),
  );
  await socket.send(event('start_workflow'));
  await socket.send(event('start_node_run', ANSWERING));
  const watching = { pieces: said.length, delay: (ms: number) => socket.delay(ms), gone: () => socket.gone };
  for await (const beat of beatsOf(book, run, watching)) {
    if (trouble !== null && (beat.is === 'phase' || beat.index >= trouble.after)) {
      return endEarly(socket, trouble.is, event);
    }
    if (beat.is === 'phase') {
      for (const text of phaseEvents(beat.phase, { book, run, event })) await socket.send(text);
      continue;
    }
    // In two parts, so that characters of several bytes are split between frames.
    await socket.send(event('assistant_response', { ...ANSWERING, content: said[beat.index] ?? '' }), {
      inParts: true,
    });
    if (rubbish) await socket.send('{"type":"assistant_response","content":');
    if (unknown) await socket.send(event('weather_changed', { sunny: true }));
    if (beat.index % 50 === 49) socket.ping();
  }
  await socket.close(ORDERLY);
}

async function endEarly(
  socket: ServerSocket,
  is: 'break' | 'stall' | 'error' | 'end',
  event: (type: string, fields?: JsonObject) => string,
): Promise<void> {
  switch (is) {
    case 'end':
      return socket.close(ORDERLY);
    case 'stall':
      await socket.next();
      return;
    case 'break':
      await socket.delay(FLUSH_MS);
      return socket.cut('end');
    case 'error':
      await socket.send(event('workflow_error', ERROR));
      return socket.close(ORDERLY);
  }
}

const ANSWERING: JsonObject = { origin_node_logical_id: 'node_answer', origin_node_run_id: 'node_run_1' };
const ERROR: JsonObject = { error_message: 'The model did not answer.', stack_trace: 'Traceback: …' };

function createEvents({ parts }: SocketDesk, run: BookedRun<InteractlyFacts>) {
  let count = 0;
  return (type: string, fields: JsonObject = {}): string => {
    const logicalId = `event_${run.id}-ws-${count++}`;
    const timestamp = parts.clock.now() / 1000;
    return JSON.stringify({ type, logical_id: logicalId, timestamp, origin_thread_id: MAIN_THREAD, ...fields });
  };
}

interface Told {
  book: RunBook<InteractlyFacts>;
  run: BookedRun<InteractlyFacts>;
  event: (type: string, fields?: JsonObject) => string;
}

function phaseEvents(phase: Phase, { book, run, event }: Told): string[] {
  const status = statusOf(phase);
  switch (phase) {
    case 'running':
      return [];
    case 'waiting':
      return [event('pause_event', ANSWERING)];
    case 'asking':
      return [event('end_node_run', ANSWERING), event('workflow_ready_for_input', { active_companion_thread_ids: [] })];
    case 'failure':
      return [event('workflow_error', ERROR)];
    case 'success':
    case 'partial':
    case 'looping':
    case 'cancelled':
    case 'user-aborted':
      return [event('end_node_run', ANSWERING), iteration(book, run, event), event('end_workflow', { status })];
  }
}

/** What one turn came to, in the form in which the record has it. */
function iteration(
  book: RunBook<InteractlyFacts>,
  run: BookedRun<InteractlyFacts>,
  event: (type: string, fields?: JsonObject) => string,
): string {
  const { workflow_run: inner } = renderInteractlyRun(book, run);
  const pairs = isJsonObject(inner) && Array.isArray(inner.input_output_pairs) ? inner.input_output_pairs : [];
  return event('end_workflow_iteration', {
    iteration_number: pairs.length,
    run_input_output_pair: pairs.at(-1) ?? null,
  });
}
