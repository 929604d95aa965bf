import type { JsonObject } from '../core/json.ts';
import { readPlan, type Plan, type Trait } from './faults.ts';
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
  const record = { kind: desk.kind, workflow, runId: null, clientRunId: null, began: false, body: null };
  if (plan.start?.kind === 'cut' && plan.start.at === 'on-accept') {
    desk.starts.record(record);
    return { reply: NOTHING_TO_SAY, damage: plan.start, concerns: 'start' };
  }
  const body = await call.readBody();
  const input = desk.read(call, body);
  const begun = plan.begins ? desk.begin(input, { workflow, plan, bytes: body.length }) : null;
  desk.starts.record({
    ...record,
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
