import * as z from 'zod';
import { isJsonObject, type Json } from '../../core/json.ts';
import { anyJson, lenient } from '../reading.ts';

const id = lenient(z.string().min(1));

/**
 * What an event has that may be words, and what they are part of, in a record as in a stream. Types that are not listed
 * in the documents come too, and new ones will: nothing is asked of an event.
 */
export const SpokenEvent = z.object({
  type: lenient(z.string()),
  content: lenient(anyJson),
  message: lenient(anyJson),
  origin_thread_id: id,
  origin_node_logical_id: id,
  origin_node_run_id: id,
  llm_usage_info: lenient(z.object({ llm_response_id: id })),
});
export type SpokenEvent = z.infer<typeof SpokenEvent>;

/** What one event said: all of an answer, or a part of it. */
export interface Piece {
  type: string;
  words: string;
  /** The run of the node that said it; null where the event does not tell. */
  nodeRun: string | null;
  /** What the pieces of one answer have in common; null where the event does not tell. */
  source: string | null;
  /** The model's response that it belongs to; null where the event does not tell. */
  response: string | null;
}

/** What the assistant or a say node says with this event; null where it is another event, or says nothing. */
export function pieceOf(event: SpokenEvent): Piece | null {
  const { type = '' } = event;
  const words = isAssistants(type) || isSayNodes(type) ? wordsOf(event) : '';
  if (words === '') return null;
  const nodeRun = nodeRunOf(event);
  const response = event.llm_usage_info?.llm_response_id ?? null;
  const source = nodeRun ?? response;
  return { type, words, nodeRun, source: source === null ? null : JSON.stringify([type, source]), response };
}

/**
 * The assistant's answers, joined by blank lines; where there are none, what the say nodes said. Never both: they may be
 * the same words, whole or token by token. Null where nobody said anything.
 *
 * The documents call the words of `assistant_response` the full text, and also a streamed token; events with the same
 * `llm_response_id` they call chunks of one response. So the pieces of one node's run go together, unless they name
 * different responses. A piece that has no `source` is an answer by itself.
 */
export function textOf(pieces: readonly Piece[]): string | null {
  const answers = joinedAnswers(pieces.filter(({ type }) => isAssistants(type)));
  const texts = answers.length > 0 ? answers : joinedAnswers(pieces.filter(({ type }) => isSayNodes(type)));
  return texts.length === 0 ? null : texts.join('\n\n');
}

/** In the order in which they began: threads speak at the same time. */
function joinedAnswers(pieces: readonly Piece[]): string[] {
  const answers: { words: string[]; response: string | null }[] = [];
  const lastOf = new Map<string | Piece, (typeof answers)[number]>();
  for (const piece of pieces) {
    const source = piece.source ?? piece;
    const last = lastOf.get(source);
    // Often only the last piece of a response names it.
    if (last && (last.response === null || piece.response === null || last.response === piece.response)) {
      last.words.push(piece.words);
      last.response ??= piece.response;
      continue;
    }
    const next = { words: [piece.words], response: piece.response };
    answers.push(next);
    lastOf.set(source, next);
  }
  return answers.map(({ words }) => words.join('')).filter((text) => text.trim() !== '');
}

function isAssistants(type: string): boolean {
  return type === 'assistant_response';
}

function isSayNodes(type: string): boolean {
  return type.startsWith('say_');
}

/** In the vendor's own recording each node counts its runs from "1", so the number alone names none. */
function nodeRunOf(event: SpokenEvent): string | null {
  const { origin_thread_id: thread = null, origin_node_logical_id: node = null, origin_node_run_id: run } = event;
  return run === undefined ? null : JSON.stringify([thread, node, run]);
}

/**
 * The words of an event. The assistant's are its `content`; those of a say node are its `message`, which is a text, or an
 * object with `content`. Content may be a text, or a list of texts and of blocks, of which some have a `text`.
 */
function wordsOf({ content, message }: SpokenEvent): string {
  const own = textIn(content);
  return own === '' ? textIn(isJsonObject(message) ? message.content : message) : own;
}

function textIn(content: Json | undefined): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  const texts = content.map((block) => (isJsonObject(block) ? block.text : block));
  return texts.filter((text) => typeof text === 'string').join('');
}
