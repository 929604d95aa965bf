import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import type { Json, JsonObject } from '../../../src/core/json.ts';
import type { StreamFrame } from '../../../src/core/outbound.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import aiTutor from '../../../src/providers/catalog/ai-tutor.ts';
import interactly from '../../../src/providers/catalog/interactly.ts';
import type { AnyProviderKind, StreamOperation, StreamSignal } from '../../../src/providers/define-provider.ts';
import type { Outcome } from '../../../src/providers/outcome.ts';
import { kindFixtures, type StreamFixture } from '../../support/kind-fixtures.ts';

const OPERATIONS = ['startStream', 'follow'] as const;

type OperationName = (typeof OPERATIONS)[number];

interface Reading {
  signals: StreamSignal[];
  end: Outcome | null | 'unreadable' | 'ended before';
}

/** Reads as the engine does: to the first outcome, to a complaint, or to the end. */
function readAll(
  operation: StreamOperation<never>,
  head: StreamFixture['head'],
  frames: readonly StreamFrame[],
): Reading {
  const reader = operation.open(head);
  const signals: StreamSignal[] = [];
  for (const frame of frames) {
    try {
      signals.push(...reader.read(frame));
    } catch {
      return { signals, end: 'unreadable' };
    }
    if (signals.some(({ is }) => is === 'outcome')) return { signals, end: 'ended before' };
  }
  try {
    return { signals, end: reader.end() };
  } catch {
    return { signals, end: 'unreadable' };
  }
}

/** What matters of a reading however the bytes were cut: the whole text, every other signal, and the end. */
function gist({ signals, end }: Reading) {
  return { text: textOf(signals), others: signals.filter(({ is }) => is !== 'delta'), end };
}

function textOf(signals: readonly StreamSignal[]): string {
  return signals.map((signal) => (signal.is === 'delta' ? signal.text : '')).join('');
}

/** Every text character by character; other frames cannot be cut. */
function cutSmall(frames: readonly StreamFrame[]): StreamFrame[] {
  return frames.flatMap((frame): StreamFrame[] =>
    frame.kind === 'text' ? Array.from(frame.text, (text) => ({ kind: 'text' as const, text })) : [frame],
  );
}

function joined(frames: readonly StreamFrame[]): StreamFrame[] {
  const texts = frames.map((frame) => (frame.kind === 'text' ? frame.text : null));
  return texts.includes(null) ? [...frames] : [{ kind: 'text', text: texts.join('') }];
}

function operationOf(kind: AnyProviderKind, name: OperationName): StreamOperation<never> {
  const operation = kind[name] as StreamOperation<never> | undefined;
  if (!operation) throw new Error(`${kind.kind} has no ${name}`);
  return operation;
}

const streaming = PROVIDER_KINDS.filter((kind) => OPERATIONS.some((name) => kind[name]));

describe.each(streaming.map((kind) => [kind.kind, kind] as const))('the streams of %s', (name, kind) => {
  const fixtures = kindFixtures(name);
  const streams = fixtures.streams.map((fixture) => [fixture.name, fixture] as const);

  it('have fixtures of a request and of streams', () => {
    for (const operation of OPERATIONS.filter((operation) => kind[operation])) {
      expect(fixtures.streamRequests.map((fixture) => fixture.operation)).toContain(operation);
      expect(fixtures.streams.filter((fixture) => fixture.operation === operation).length).toBeGreaterThan(3);
      if (kind[operation]?.token) expect(fixtures.tokens.some(({ token }) => token !== null)).toBe(true);
    }
  });

  it.each(fixtures.streamRequests.map((fixture) => [fixture.name, fixture] as const))(
    'are opened as %s',
    (_, fixture) => {
      const { context, operation: name, request, token_request: tokenRequest } = fixture;
      const operation = operationOf(kind, name);
      const given = { ...context, options: kind.options.parse(context.options) as JsonObject } as never;
      expect(operation.request(given)).toEqual(request);
      expect(operation.token?.request(given)).toEqual(tokenRequest);
    },
  );

  it.each(fixtures.tokens.map((fixture) => [fixture.name, fixture] as const))('take a token from %s', (_, fixture) => {
    const read = () => operationOf(kind, fixture.operation).token?.read(fixture.token_answer);
    if (fixture.token === null) expect(read).toThrow(z.ZodError);
    else expect(read()).toBe(fixture.token);
  });

  it.each(streams)('are read whole: %s', (_, fixture) => {
    const operation = operationOf(kind, fixture.operation);
    expect(operation.format(fixture.head)).toBe(fixture.format);
    const { signals, end } = readAll(operation, fixture.head, fixture.frames);
    expect(signals).toEqual(fixture.signals);
    expect(end).toEqual(fixture.unreadable ? 'unreadable' : fixture.end === undefined ? 'ended before' : fixture.end);
  });

  it.each(streams.filter(([, fixture]) => !fixture.unreadable))(
    'say the same however they are cut: %s',
    (_, fixture) => {
      const operation = operationOf(kind, fixture.operation);
      const whole = gist(readAll(operation, fixture.head, fixture.frames));
      expect(gist(readAll(operation, fixture.head, cutSmall(fixture.frames)))).toEqual(whole);
      expect(gist(readAll(operation, fixture.head, joined(fixture.frames)))).toEqual(whole);
    },
  );

  it('never claim an end, or a run, of frames that mean nothing', () => {
    const anything = fc.jsonValue() as fc.Arbitrary<Json>;
    const frame: fc.Arbitrary<StreamFrame> = fc.oneof(
      fc.record({ kind: fc.constant('event' as const), event: fc.string(), data: fc.json() }),
      fc.record({ kind: fc.constant('line' as const), value: anything }),
      fc.record({ kind: fc.constant('message' as const), value: anything }),
      fc.constant({ kind: 'unreadable' as const }),
    );
    for (const name of OPERATIONS.filter((name) => kind[name])) {
      fc.assert(
        fc.property(fc.array(frame, { maxLength: 5 }), (frames) => {
          const { signals } = readAll(operationOf(kind, name), { headers: {} }, frames);
          const claims = signals.filter(({ is }) => is === 'outcome' || is === 'named');
          expect(claims.filter((claim) => claim.is !== 'outcome' || claim.outcome.is !== 'failed')).toEqual([]);
        }),
      );
    }
  });
});

describe('the stream of ai-tutor', () => {
  const format = (headers: Record<string, string>) => aiTutor.startStream?.format({ headers });

  it.each([
    ['text/plain; charset=utf-8', 'text'],
    ['application/octet-stream', 'text'],
    ['Text/Event-Stream; charset=utf-8', 'sse'],
    ['application/x-ndjson', 'ndjson'],
    ['application/jsonl', 'ndjson'],
    ['application/json', null],
    ['application/problem+json', null],
    ['text/html; charset=utf-8', null],
  ])('of the content type %s is read as %s', (type, expected) => {
    expect(format({ 'content-type': type })).toBe(expected);
  });

  it('is what Vercel’s headers say, whatever the content type', () => {
    expect(format({})).toBe('text');
    expect(format({ 'content-type': 'text/event-stream', 'x-vercel-ai-data-stream': 'v1' })).toBe('text');
    expect(format({ 'content-type': 'text/plain', 'x-vercel-ai-ui-message-stream': 'v1' })).toBe('sse');
  });
});

describe('an answer in chunks that no document describes', () => {
  const operation = aiTutor.startStream as unknown as StreamOperation<never>;
  const read = (...chunks: Json[]) => {
    const frames = chunks.map((chunk): StreamFrame => ({
      kind: 'event',
      event: 'message',
      data: chunk === '[DONE]' ? chunk : JSON.stringify(chunk),
    }));
    return readAll(operation, { headers: { 'content-type': 'text/event-stream' } }, frames);
  };

  it.each<[string, Json[], string]>([
    [
      'as OpenAI writes them',
      [{ choices: [{ delta: { role: 'x' } }] }, { choices: [{ delta: { content: 'Once' } }] }],
      'Once',
    ],
    ['as the call without a stream', [{ success: true, result: 'Once upon' }], 'Once upon'],
    ['as both, which are not said twice', [{ text: 'Once ' }, { text: 'upon' }, { result: 'Once upon' }], 'Once upon'],
    ['and nothing', [], ''],
    [
      'with types of their own',
      [
        { type: 'text', text: 'Once ' },
        { type: 'token', content: 'upon' },
      ],
      'Once upon',
    ],
    [
      'between those of Vercel’s that hold none',
      [
        { type: 'start', messageId: 'm' },
        { type: 'reasoning-delta', delta: 'thinking' },
        { type: 'text-delta', delta: 'Once' },
        { type: 'tool-output-available', text: 'found' },
      ],
      'Once',
    ],
  ])('is read %s', (_what, chunks, text) => {
    const reading = read(...chunks, '[DONE]');
    expect([textOf(reading.signals), reading.end]).toEqual([text, 'ended before']);
    expect(reading.signals.at(-1)).toMatchObject({ outcome: { is: 'succeeded', output: { text } } });
  });

  it.each<[string, Json[]]>([
    ['of no type', [{ novel: 'Once upon a time' }]],
    ['of a type of their own', [{ type: 'chapter', novel: 'Once upon a time' }, { type: 'chapter' }]],
  ])('is no empty answer: %s', (_what, chunks) => {
    expect(read(...chunks, '[DONE]').end).toBe('unreadable');
    expect(read(...chunks).end).toBe('unreadable');
  });

  it('has no piece in a chunk that was cut', () => {
    const frames = ['{"text":"ok"}', '{"text":"Hel'].map((data): StreamFrame => ({
      kind: 'event',
      event: 'message',
      data,
    }));
    const { signals, end } = readAll(operation, { headers: { 'content-type': 'text/event-stream' } }, frames);
    expect([textOf(signals), end]).toEqual(['ok', 'unreadable']);
  });

  it('may be words with a brace among them', () => {
    const frames = ['function f() ', '{', ' return 1; ', '}'].map((data): StreamFrame => ({
      kind: 'event',
      event: 'message',
      data,
    }));
    const { end } = readAll(operation, { headers: { 'content-type': 'text/event-stream' } }, frames);
    expect(end).toMatchObject({ is: 'succeeded', output: { text: 'function f() { return 1; }' } });
  });

  it('has no end without its mark where a message has begun as Vercel begins one', () => {
    const chunks = [{ type: 'text-delta', delta: 'Half' }];
    expect(read(...chunks).end).toMatchObject({ is: 'succeeded' });
    expect(read({ type: 'start' }, ...chunks).end).toBeNull();
    expect(read({ type: 'text-start', id: '1' }, ...chunks, { type: 'finish' }).end).toBe('ended before');
  });
});

describe('an answer in text of which nothing is declared', () => {
  const operation = aiTutor.startStream as unknown as StreamOperation<never>;
  const head = { headers: { 'content-type': 'text/plain; charset=utf-8' } };
  const read = (text: string, cut: typeof cutSmall = joined) => readAll(operation, head, cut([{ kind: 'text', text }]));

  describe.each([
    ['in one piece', joined],
    ['character by character', cutSmall],
  ])('%s', (_how, cut) => {
    it.each([
      ['lines of a data stream of the oldest kind', '0:"Once "\n0:"upon"\n', 'Once upon'],
      ['the only line of one', '0:"Once"', 'Once'],
      [
        'a line of one in which a text has lines of its own',
        '0:"Once\u2028upon\u2029a"\n0:" time"\n',
        'Once\u2028upon\u2029a time',
      ],
      ['a story that begins like one', '0: the fool\n1: the magician', '0: the fool\n1: the magician'],
      ['a line that is none of its', '0:"Once\nupon', '0:"Once\nupon'],
      ['a single character', '0', '0'],
      ['a ratio', '3:2\n\nDivide both.', '3:2\n\nDivide both.'],
      ['a time', '9:30\nis when it leaves.', '9:30\nis when it leaves.'],
      ['a list in JSON', '[1,2]', '[1,2]'],
      ['an object in JSON', '{"success":true}', '{"success":true}'],
    ])('is %s', (_what, text, whole) => {
      expect(read(text, cut).end).toMatchObject({ is: 'succeeded', output: { text: whole } });
    });

    it.each([
      ['broken off, where the version marks its end', 'f:{"messageId":"m"}\n0:"Once"\n', null],
      [
        'the vendor’s error behind an empty line',
        '\n{"success":false,"error":"No."}',
        { is: 'failed', message: 'No.' },
      ],
      ['the vendor’s error', '{"success":false,"error":"No credits."}', { is: 'failed', message: 'No credits.' }],
      ['nothing', '', null],
    ])('is %s', (_what, text, end) => {
      const reading = read(text, cut);
      if (end === null) expect(reading.end).toBeNull();
      else expect(reading.end).toMatchObject(end);
    });

    it('is failed by a data stream’s error', () => {
      const { signals } = read('0:"Half"\n3:"Model failed"\n', cut);
      expect(signals.at(-1)).toMatchObject({ is: 'outcome', outcome: { is: 'failed', message: 'Model failed' } });
    });
  });

  it('is not kept waiting for the end of a long first line', () => {
    expect(textOf(read(`0:"${'x'.repeat(5_000)}`).signals)).toHaveLength(5_003);
  });
});

describe('the stream of interactly', () => {
  it('is not for a start that brings its own state, which the vendor refuses there', () => {
    expect(interactly.startStream?.suits?.({ options: {} })).toBe(true);
    expect(interactly.startStream?.suits?.({ options: { initial_state: { node: 'a' } } })).toBe(false);
  });

  const ACCEPTED: Json = { message: 'accepted' };
  const NAMED: Json = { message: 'accepted', workflow_run_id: '5eb7cf5a86d9755df3a6c593' };
  const SAID: Json = { type: 'assistant_response', content: 'Once' };
  const OUTPUTS: Json = {
    type: 'end_workflow_iteration',
    run_input_output_pair: { run_output: { thread_to_node_outputs: {} } },
  };
  const ENDED = { type: 'end_workflow' };
  const readEvents = (...values: Json[]) => {
    const operation = interactly.startStream as unknown as StreamOperation<never>;
    const frames = values.map((value): StreamFrame => ({ kind: 'message', value }));
    return readAll(operation, { headers: {} }, frames);
  };

  it.each(['paused', 'waiting_for_user_input', 'running', 'started', 'not_started', 'Completed', 'done', ''])(
    'takes an end that calls itself %j for no success, whatever was said',
    (status) => {
      const { signals, end } = readEvents(ACCEPTED, SAID, OUTPUTS, { ...ENDED, status });
      expect(signals.at(-1)).toEqual({ is: 'progress', name: 'end_workflow', data: { status } });
      expect(end).toBeNull();
      const { signals: named } = readEvents(NAMED, SAID, OUTPUTS, { ...ENDED, status });
      expect(named.at(-1)).toMatchObject({ outcome: { is: 'running', runId: '5eb7cf5a86d9755df3a6c593' } });
    },
  );

  it.each([
    ['completed', 'succeeded'],
    ['failed', 'failed'],
    ['aborted_looping_risk', 'failed'],
    ['cancelled', 'cancelled'],
  ])('takes the word %s of a run without a name', (status, is) => {
    expect(readEvents(ACCEPTED, { ...ENDED, status }).signals).toMatchObject([{ outcome: { is, status } }]);
  });

  it('takes an end without a status for a success only where the run has brought something', () => {
    for (const brought of [SAID, OUTPUTS]) {
      expect(readEvents(ACCEPTED, brought, ENDED).signals.at(-1)).toMatchObject({ outcome: { is: 'succeeded' } });
    }
    expect(readEvents(ACCEPTED, ENDED)).toMatchObject({ signals: [{ is: 'progress' }], end: null });
    expect(readEvents(ACCEPTED, { ...SAID, content: ' ' }, ENDED).end).toBeNull();
  });
});
