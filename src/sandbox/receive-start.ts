import type { JsonObject } from '../core/json.ts';
import { readPlan } from './faults.ts';
import type { Plan, Trait } from './plan.ts';
import { Refusal, type Call, type Reply } from './http-kit.ts';
import type { StartRecorder } from './start-recorder.ts';
import { isWorkflowId, type Sending } from './vendor.ts';

/** What one vendor does with a start; the order of things is the same everywhere. */
export interface StartDesk<Begun extends BegunRun> {
  kind: string;
  traits: readonly Trait[];
  starts: StartRecorder;
  /** Checks and reads the body; throws `Refusal`. */
  read(call: Call, body: Buffer): JsonObject;
  /** Begins a run. */
  begin(input: JsonObject, run: { workflow: string; plan: Plan; bytes: number }): Begun;
  /** The client's own id of the run, where it chose one. */
  clientRunId?(input: JsonObject): string | null;
  /** The normal answer; a blocking vendor takes its time here. */
  reply(begun: Begun, call: Call): Promise<Reply> | Reply;
}

export interface BegunRun {
  /** Null at vendors that do not name runs. */
  runId: string | null;
}

const NOTHING_TO_SAY: Reply = { status: 200, headers: { 'content-type': 'application/json' }, body: '{}' };

/**
 * Takes a start whose credential was found good: the workflow, the body, then what the workflow's id
 * asks for. It is recorded before anything of an answer leaves, so that whoever saw one can count it.
 */
export async function receiveStart<Begun extends BegunRun>(
  desk: StartDesk<Begun>,
  call: Call,
  workflow: string,
): Promise<Sending> {
  if (!isWorkflowId(workflow)) throw new Refusal(404);
  const plan = readPlan(workflow, desk.traits);
  if (cutsOnAccept(plan)) return cutOnAccept(desk, workflow, plan);
  const body = await call.readBody();
  return takeStart(desk, call, { workflow, plan, body, input: desk.read(call, body) });
}

/** The same where the workflow stands in the body, which was therefore read and found good. */
export async function receiveStartInBody<Begun extends BegunRun>(
  desk: StartDesk<Begun>,
  call: Call,
  start: { workflow: string; body: Buffer; input: JsonObject },
): Promise<Sending> {
  const plan = readPlan(start.workflow, desk.traits);
  return cutsOnAccept(plan) ? cutOnAccept(desk, start.workflow, plan) : takeStart(desk, call, { ...start, plan });
}

function cutsOnAccept({ start }: Plan): boolean {
  return start?.kind === 'cut' && start.at === 'on-accept';
}

function cutOnAccept(
  { kind, starts }: Pick<StartDesk<BegunRun>, 'kind' | 'starts'>,
  workflow: string,
  { start }: Plan,
): Sending {
  starts.record({ kind, command: 'start', workflow, runId: null, clientRunId: null, began: false, body: null });
  return { reply: NOTHING_TO_SAY, damage: start, concerns: 'start' };
}

async function takeStart<Begun extends BegunRun>(
  desk: StartDesk<Begun>,
  call: Call,
  { workflow, plan, body, input }: { workflow: string; plan: Plan; body: Buffer; input: JsonObject },
): Promise<Sending> {
  const begun = plan.begins ? desk.begin(input, { workflow, plan, bytes: body.length }) : null;
  desk.starts.record({
    kind: desk.kind,
    command: 'start',
    workflow,
    body,
    began: begun !== null,
    runId: begun?.runId ?? null,
    clientRunId: desk.clientRunId?.(input) ?? null,
  });
  await call.delay(plan.slowMs);
  if (plan.archived) throw new Refusal(400, 'Workflow is archived');
  const reply = begun === null ? NOTHING_TO_SAY : await desk.reply(begun, call);
  return { reply, damage: plan.start, concerns: 'start' };
}
