import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { piecesOf, sentenceAbout } from '../made-up.ts';
import type { BookedRun, Phase, RunBook } from '../run-book.ts';

/** What each turn of a run was given: the bodies of its start and of its resumes. */
export interface InteractlyFacts {
  turns: JsonObject[];
}

const STATUS_OF: Readonly<Record<Phase, string>> = {
  running: 'running',
  waiting: 'paused',
  asking: 'waiting_for_user_input',
  success: 'completed',
  partial: 'completed',
  failure: 'failed',
  looping: 'aborted_looping_risk',
  cancelled: 'cancelled',
  'user-aborted': 'cancelled',
};

/** The state of a run as the vendor calls it. */
export function statusOf(phase: Phase): string {
  return STATUS_OF[phase];
}

export const MAIN_THREAD = '0';

/** A run as the documents show it, one level below the answer: `_id` and times, and the run itself nested again. */
export function renderInteractlyRun(
  book: RunBook<InteractlyFacts>,
  run: BookedRun<InteractlyFacts>,
  { justBegun = false } = {},
): JsonObject {
  const phase = book.phaseOf(run);
  const first = run.facts.turns[0] ?? {};
  return {
    team_id: first.team_id ?? 'team_sandbox',
    created_by: 'user_sandbox',
    updated_by: 'user_sandbox',
    created_at: new Date(run.startedAt).toISOString(),
    updated_at: new Date(book.endedAt(run) ?? run.startedAt).toISOString(),
    _id: run.id,
    workflow_run: {
      logical_id: `workflow_run_${run.id}`,
      workflow_id: first.workflow_id ?? null,
      version_number: first.version_number ?? 0,
      status: justBegun && phase === 'running' ? 'not_started' : STATUS_OF[phase],
      termination_source: phase === 'failure' ? 'execution_error' : null,
      input_output_pairs: run.facts.turns.map((turn, i) => ({
        run_input: turn,
        run_output: outputOf(run, i, phaseAfter(run, i, phase)),
        evaluation: null,
        iteration_end_state_miscellaneous: {},
      })),
      run_by: first.run_by ?? null,
      comments: [],
    },
  };
}

/** How a turn ended: an earlier one with what the next one answered. */
function phaseAfter({ facts }: BookedRun<InteractlyFacts>, turn: number, now: Phase): Phase {
  const next = facts.turns[turn + 1];
  if (next === undefined) return now;
  return next.command === 'data' ? 'asking' : 'waiting';
}

function outputOf(run: BookedRun<InteractlyFacts>, turn: number, phase: Phase): JsonObject {
  const said = saidIn(run, turn, phase);
  const bodies: JsonObject[] = [
    { type: turn === 0 ? 'start_workflow' : 'continue_workflow' },
    { type: 'start_node_run', node_logical_id: 'node_answer' },
    ...(said === null ? [] : [{ type: 'worker_llm', tokens: 42 }, answerEvent(said)]),
    ...closingEvents(phase),
  ];
  const events = bodies.map((body, i): Json => ({
    logical_id: `event_${run.id}-${turn}-${i}`,
    timestamp: run.startedAt / 1000,
    origin_thread_id: MAIN_THREAD,
    ...body,
  }));
  const outputs = said === null ? {} : { [MAIN_THREAD]: [{ node_logical_id: 'node_answer', output: { text: said } }] };
  return { events, thread_to_node_outputs: outputs };
}

function answerEvent(content: string): JsonObject {
  return { type: 'assistant_response', content };
}

function saidIn({ facts, plan }: BookedRun<InteractlyFacts>, turn: number, phase: Phase): string | null {
  const heard = facts.turns.slice(0, turn + 1);
  if (phase === 'asking') {
    const asked = heard.filter(({ command }) => command === 'data').length + 1;
    return `Question ${asked}: what else should be known?`;
  }
  if (phase !== 'success') return null;
  const told = heard.flatMap(({ dynamic_variables: given }) => (isJsonObject(given) ? Object.entries(given) : []));
  const workflow = facts.turns[0]?.workflow_id;
  const sentence = sentenceAbout(typeof workflow === 'string' ? workflow : '', Object.fromEntries(told));
  return piecesOf(plan, sentence).join('');
}

/** What a run says at the end of its first turn, in the pieces in which it is streamed; none where it says nothing. */
export function firstTurnPieces(run: BookedRun<InteractlyFacts>): string[] {
  const { plan } = run;
  // A run that an error will end has begun to speak before it.
  const phase = plan.asks > 0 ? 'asking' : plan.stream.trouble?.is === 'error' ? 'success' : plan.end;
  const said = saidIn(run, 0, phase);
  return said === null ? [] : phase === 'asking' ? [said] : piecesOf(plan, said);
}

function closingEvents(phase: Phase): JsonObject[] {
  switch (phase) {
    case 'running':
      return [];
    case 'asking':
      return [{ type: 'end_node_run' }, { type: 'workflow_ready_for_input' }];
    case 'waiting':
      return [{ type: 'pause_event' }];
    case 'failure':
      return [{ type: 'workflow_error', error_message: 'The model did not answer.', stack_trace: 'Traceback: …' }];
    case 'success':
    case 'partial':
    case 'looping':
    case 'cancelled':
    case 'user-aborted':
      return [{ type: 'end_node_run' }, { type: 'end_workflow' }];
  }
}
