import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../../src/core/json.ts';
import interactly from '../../../src/providers/catalog/interactly.ts';
import type { StreamSignal } from '../../../src/providers/define-provider.ts';
import type { Outcome } from '../../../src/providers/outcome.ts';
import { pieceOf, SpokenEvent, textOf } from '../../../src/providers/readers/interactly-said.ts';

const RUN_ID = '5eb7cf5a86d9755df3a6c593';
const NODE = { origin_thread_id: '0', origin_node_logical_id: 'node_a', origin_node_run_id: '1' };

function polled(status: string, events: Json[]): Outcome | undefined {
  const run = { status, input_output_pairs: [{ run_output: { events, thread_to_node_outputs: {} } }] };
  return interactly.poll?.read({
    status: 200,
    headers: {},
    body: { workflow_run: { _id: RUN_ID, workflow_run: run } },
  });
}

/** What the same events, and then `last`, come to where somebody listens. */
function streamed(events: Json[], last: JsonObject): readonly StreamSignal[] {
  const reader = interactly.startStream?.open({ headers: {} });
  const outputs = { run_input_output_pair: { run_output: { thread_to_node_outputs: {} } } };
  const iteration: Json = { type: 'end_workflow_iteration', ...outputs };
  const values: Json[] = [{ workflow_run_id: RUN_ID }, ...events, iteration, last];
  return values.flatMap((value) => reader?.read({ kind: 'message', value }) ?? []);
}

function shown(signals: readonly StreamSignal[]): string {
  return signals.map((signal) => (signal.is === 'delta' ? signal.text : '')).join('');
}

const say = (type: string, words: string, more: JsonObject = {}): JsonObject => ({
  type,
  message: { content: words },
  ...NODE,
  ...more,
});
const answer = (content: string, more: JsonObject = {}): JsonObject => ({
  type: 'assistant_response',
  content,
  ...NODE,
  ...more,
});
const response = (id: string | null): JsonObject => ({ llm_usage_info: { llm_response_id: id } });

describe('what an Interactly run says', () => {
  it.each<[string, Json[], string | null]>([
    ['an answer that a say node began', [say('say_llm', 'Hel'), say('say_llm', 'lo'), answer('Hello')], 'Hello'],
    ['an answer after other words', [say('say_static', 'Hi'), answer('Answer')], 'Answer'],
    ['an answer before other words', [answer('Answer'), say('say_static', 'Bye')], 'Answer'],
    ['an answer in pieces', [answer('Hel'), answer('lo'), answer(' '), answer('there')], 'Hello there'],
    [
      'answers of two nodes that both count their runs from 1',
      [answer('Hi! Welcome.'), answer('Goodbye!', { origin_node_logical_id: 'node_b' })],
      'Hi! Welcome.\n\nGoodbye!',
    ],
    ['answers of two runs of a node', [answer('One.'), answer('Two.', { origin_node_run_id: '2' })], 'One.\n\nTwo.'],
    [
      'answers of two threads, piece by piece',
      ['0', '0_companion_a', '0', '0_companion_a'].map((thread, i) =>
        answer('1a2b'[i] ?? '', { origin_thread_id: thread }),
      ),
      '12\n\nab',
    ],
    [
      'two responses of a model in one run of a node',
      [answer('Let me ', response('r1')), answer('look.', response('r1')), answer('Found.', response('r2'))],
      'Let me look.\n\nFound.',
    ],
    [
      'a response that only its last piece names, and another',
      [answer('Hel'), answer('lo, wor'), answer('ld', response('r1')), answer('Bye', response('r2'))],
      'Hello, world\n\nBye',
    ],
    [
      'pieces of a response that names no node',
      ['On', 'ce'].map((words) => ({ type: 'assistant_response', content: words, ...response('r1') })),
      'Once',
    ],
    [
      'say nodes alone',
      [say('say_llm', 'Wel'), say('say_llm', 'come.'), say('say_static', 'Bye.')],
      'Welcome.\n\nBye.',
    ],
    ['say nodes and an empty answer', [say('say_static', 'Hi'), answer(' ')], 'Hi'],
    ['nothing', [answer(''), say('say_static', ' '), { type: 'worker_llm', message: 'thinks' }], null],
  ])('is the same polled and streamed: %s', (_what, events, text) => {
    expect(polled('completed', events)).toMatchObject({ is: 'succeeded', output: { text } });
    expect(streamed(events, { type: 'end_workflow', status: 'completed' }).at(-1)).toMatchObject({
      outcome: { is: 'succeeded', output: { text } },
    });
    expect(polled('waiting_for_user_input', events)).toMatchObject({ waiting: { hint: text } });
    expect(streamed(events, { type: 'workflow_ready_for_input' }).at(-1)).toMatchObject({
      outcome: { waiting: { hint: text } },
    });
  });

  it('is shown as it comes, with blank lines between nodes that both count their runs from 1', () => {
    const events = [say('say_static', 'Hi'), answer('Hi'), answer('Bye', { origin_node_logical_id: 'node_b' })];
    expect(shown(streamed(events, { type: 'end_workflow' }))).toBe('Hi\n\nBye');
  });

  it('is an answer for each event of a record that tells nothing of its place, and one piece by piece in a stream', () => {
    const events = ['One', 'Two'].map((content): Json => ({ type: 'assistant_response', content }));
    expect(polled('completed', events)).toMatchObject({ output: { text: 'One\n\nTwo' } });
    expect(streamed(events, { type: 'end_workflow', status: 'completed' }).at(-1)).toMatchObject({
      outcome: { output: { text: 'OneTwo' } },
    });
  });

  it('is found in events of odd forms', () => {
    const odd = { ...answer('Still.'), origin_node_run_id: 7, origin_thread_id: null, llm_usage_info: 'none' };
    const pieces = [odd, { type: 5 }, {}].map((event) => pieceOf(SpokenEvent.parse(event)));
    expect(pieces).toEqual([
      { type: 'assistant_response', words: 'Still.', nodeRun: null, source: null, response: null },
      null,
      null,
    ]);
    expect(textOf([])).toBeNull();
  });
});
