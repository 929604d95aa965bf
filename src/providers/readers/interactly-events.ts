import * as z from 'zod';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import type { StreamReader, StreamSignal } from '../define-provider.ts';
import { cancelled, failed, running, succeeded, waiting, type Outcome, type RunOutput } from '../outcome.ts';
import {
  anyJson,
  anyJsonObject,
  firstId,
  HINT_CHARACTERS_MAX,
  lenient,
  progress,
  shortText,
  valueAt,
} from '../reading.ts';
import { pieceOf, SpokenEvent, textOf, type Piece } from './interactly-said.ts';

const objectId = z.string().regex(/^[0-9a-fA-F]{24}$/);

/** Which event names the run is not documented; these are the names that its id has elsewhere. */
const RUN_ID_PLACES = [
  ['workflow_run_id'],
  ['run_id'],
  ['workflow_run', '_id'],
  ['data', 'workflow_run_id'],
  ['data', 'run_id'],
  ['run_input_output_pair', 'run_input', 'workflow_run_id'],
];

const OUTPUTS_PLACE = ['run_input_output_pair', 'run_output', 'thread_to_node_outputs'];

/** What a step may show: where the run is. Inputs, states, traces and requests of nodes can hold anybody's secrets. */
const STEP_FIELDS = [
  'logical_id',
  'timestamp',
  'origin_thread_id',
  'thread_reference_id',
  'origin_node_logical_id',
  'origin_node_name',
  'node_id',
  'edge_name',
  'source_node_name',
  'destination_node_name',
  'iteration_number',
  'status',
  'warning_message',
  'outcome',
  'total_attempts',
];

const Event = SpokenEvent.extend({
  status: lenient(z.string()),
  error_message: lenient(z.string()),
  error: lenient(z.string()),
  next_input_hint: lenient(anyJson),
});
type Event = z.infer<typeof Event>;

interface Seen {
  runId: string | null;
  said: Said;
  /** The outputs of the last turn, where an event had them. */
  outputs: JsonObject | null;
}

/**
 * Reads the events of a run's WebSocket. The vendor's documents: `workflow_error` and `end_workflow` are the end,
 * `workflow_ready_for_input` is the caller's turn, and clients must bear types that they do not know. `end_workflow`
 * alone does not show whether the run was stopped, so where the run's id is known and no event told its status, the
 * record of the run is asked. Where the id is not known either, only `completed`, or an end without a status after words
 * or outputs, is a success; what became of any other run is left unknown.
 */
export function createInteractlyEventReader(): StreamReader {
  const seen: Seen = { runId: null, said: createSaid(), outputs: null };
  return {
    read(frame) {
      if (frame.kind !== 'message') throw new TypeError('expected a message of JSON');
      const parsed = Event.safeParse(frame.value);
      if (!parsed.success) return [];
      return [...named(seen, frame.value), ...readEvent(seen, parsed.data, frame.value)];
    },
    end: () => null,
  };
}

function named(seen: Seen, value: Json): readonly StreamSignal[] {
  if (seen.runId !== null) return [];
  seen.runId = firstId(value, RUN_ID_PLACES, objectId);
  return seen.runId === null ? [] : [{ is: 'named', runId: seen.runId }];
}

function readEvent(seen: Seen, event: Event, value: Json): readonly StreamSignal[] {
  const { type } = event;
  // The first message acknowledges the start and has no type.
  if (type === undefined) return [];
  const piece = pieceOf(event);
  if (piece !== null) return seen.said.add(piece);
  const outputs = anyJsonObject.safeParse(valueAt(value, OUTPUTS_PLACE));
  if (outputs.success) seen.outputs = outputs.data;
  switch (type) {
    case 'workflow_ready_for_input':
      return [outcome(waiting({ for: 'input', hint: hintOf(seen, event) }, at(seen, 'waiting_for_user_input')))];
    case 'workflow_error':
      return [outcome(failed({ message: errorReason(event), output: anyOutputOf(seen) }, at(seen, 'failed')))];
    case 'end_workflow': {
      const end = endOf(seen, event);
      // The stream's own end is then one without a word.
      return end === null ? [step(type, value)] : [outcome(end)];
    }
    case 'pause_event':
      return [step(type, value), { is: 'ask' }];
    default:
      return [step(type, value)];
  }
}

/** Null: nobody can tell, not even the vendor's record, since no event has told the run's name. */
function endOf(seen: Seen, { status }: Event): Outcome | null {
  if (status === 'cancelled') return cancelled(at(seen, status));
  if (status === 'failed' || status === 'aborted_looping_risk') {
    return failed({ message: loopingReason(status), output: anyOutputOf(seen) }, at(seen, status));
  }
  const told = status === 'completed' && seen.outputs !== null;
  // Whether it was stopped, and what its nodes put out, is in the vendor's record.
  if (seen.runId !== null && !told) return running({ runId: seen.runId });
  // The vendor's own recording of an end has no status. Any word but `completed` contradicts the end that it came with.
  const succeeds = status === 'completed' || (status === undefined && anyOutputOf(seen) !== null);
  return succeeds ? succeeded(outputOf(seen), at(seen, 'completed')) : null;
}

/** What a `workflow_error` says: its class has `error_message`, the vendor's client reads `error`. */
export function errorReason({ error_message: message, error }: Pick<Event, 'error_message' | 'error'>): string | null {
  return shortText(message) ?? shortText(error);
}

/** Why a run failed that has no error of its own. */
export function loopingReason(status: string): string | null {
  return status === 'aborted_looping_risk' ? 'The vendor stopped the run because it may loop.' : null;
}

function at({ runId }: Seen, status: string): { status: string; runId?: string } {
  return { status, ...(runId === null ? {} : { runId }) };
}

function outcome(of: Outcome): StreamSignal {
  return { is: 'outcome', outcome: of };
}

function outputOf({ said, outputs }: Seen): Partial<RunOutput> {
  return { text: said.text(), data: outputs ?? {} };
}

function anyOutputOf(seen: Seen): Partial<RunOutput> | null {
  const output = outputOf(seen);
  return output.text === null && seen.outputs === null ? null : output;
}

/** As text it is whole: `readStream` cuts it, once no secret can be cut with it. */
function hintOf({ said }: Seen, { next_input_hint: hint = null }: Event): Json {
  if (hint !== null && JSON.stringify(hint).length <= HINT_CHARACTERS_MAX) return hint;
  return said.text()?.trim() ?? null;
}

function step(type: string, value: Json): StreamSignal {
  const fields = isJsonObject(value) ? value : {};
  const shown = STEP_FIELDS.filter((name) => fields[name] !== undefined && fields[name] !== null);
  return progress(type, Object.fromEntries(shown.map((name) => [name, fields[name] ?? null])));
}

interface Said {
  /** What of it is shown as it comes. */
  add(piece: Piece): readonly StreamSignal[];
  /** Everything so far, by the rule that holds for the record of a run too. */
  text(): string | null;
}

/**
 * What the run says. Whether an answer comes whole or token by token is not documented, and what is shown cannot be taken
 * back: pieces of one node's run go together, those of the next one begin after a blank line. The same words from another
 * type of event are not shown twice.
 */
function createSaid(): Said {
  const pieces: Piece[] = [];
  let shown: Piece | null = null;
  return {
    add(piece) {
      // Taken apart, a secret that came in pieces would not be found: those that tell nothing go together, as shown.
      pieces.push({ ...piece, source: piece.source ?? piece.type });
      if (shown !== null && shown.type !== piece.type && shown.words.trim() === piece.words.trim()) return [];
      const another = shown !== null && areOfTwoRuns(shown, piece);
      shown = piece;
      return [{ is: 'delta', text: another ? `\n\n${piece.words}` : piece.words }];
    },
    text: () => textOf(pieces),
  };
}

function areOfTwoRuns(one: Piece, other: Piece): boolean {
  return one.nodeRun !== null && other.nodeRun !== null && one.nodeRun !== other.nodeRun;
}
