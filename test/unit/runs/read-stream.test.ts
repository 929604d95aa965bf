import { describe, expect, it } from 'vitest';
import type { OutboundStream } from '../../../src/core/outbound.ts';
import type { Json } from '../../../src/core/json.ts';
import { Secret } from '../../../src/core/secret.ts';
import type { StreamReader } from '../../../src/providers/define-provider.ts';
import type { Outcome } from '../../../src/providers/outcome.ts';
import { createInteractlyEventReader } from '../../../src/providers/readers/interactly-events.ts';
import { HINT_CHARACTERS_MAX } from '../../../src/providers/reading.ts';
import { readStream } from '../../../src/runs/read-stream.ts';
import { createOutputScrub } from '../../../src/upstream/output-scrub.ts';

const SECRET = 'sk-live-4fe1a09c33d7b8e2465f0a1c9d8e7b6a5f4c3d2e';

/** Reads a stream of these messages; what it said, and how it ended. */
async function readAll(messages: readonly Json[], reader: StreamReader) {
  const stream: OutboundStream = {
    status: 101,
    headers: {},
    frames: (async function* () {
      for (const value of messages) yield { kind: 'message', value } as const;
    })(),
    scrub: createOutputScrub([new Secret(SECRET)], () => {}),
  };
  const resolved = () => Promise.resolve();
  const said: string[] = [];
  const delta = (text: string) => void said.push(text);
  const end = await readStream(stream, reader, {
    log: { delta, progress() {}, ready: resolved, flush: resolved, stale: false },
    listener: { named: resolved, ask: () => Promise.resolve(true) },
    signal: new AbortController().signal,
  });
  return { end, said: said.join('') };
}

/** What a run that says these pieces and then waits for input gives as a hint. */
async function hintOf(...pieces: string[]): Promise<unknown> {
  const messages = [...pieces.map((content) => ({ type: 'say_text', content })), { type: 'workflow_ready_for_input' }];
  const { end } = await readAll(messages, createInteractlyEventReader());
  return end.is === 'outcome' && end.outcome.is === 'waiting' ? end.outcome.waiting.hint : end;
}

/** A vendor that puts its messages together in what it ends with. */
function gathering(outcomeOf: (text: string) => Outcome): StreamReader {
  let gathered = '';
  return {
    read(frame) {
      const text = frame.kind === 'message' && typeof frame.value === 'string' ? frame.value : '';
      gathered += text;
      return [{ is: 'delta', text }];
    },
    end: () => outcomeOf(gathered),
  };
}

describe('the hint of a run that waits', () => {
  it('is what the run said, cut where it is long', async () => {
    expect(await hintOf(' Which one? ')).toBe('Which one?');
    expect(await hintOf('  ')).toBeNull();
    expect(await hintOf('x'.repeat(3_000))).toBe(`${'x'.repeat(HINT_CHARACTERS_MAX - 1)}…`);
  });

  it('holds no part of a secret that came in pieces, wherever the cut is', async () => {
    for (let before = HINT_CHARACTERS_MAX - SECRET.length - 2; before <= HINT_CHARACTERS_MAX; before++) {
      const hint = await hintOf('x'.repeat(before) + SECRET.slice(0, 20), `${SECRET.slice(20)} and more`);
      expect(hint).not.toContain('sk-');
    }
  });
});

describe('what a stream ends with', () => {
  const pieces = ['so says ', SECRET.slice(0, 20), SECRET.slice(20), ' itself'];

  it.each<[string, (text: string) => Outcome]>([
    [
      'the text',
      (text) => ({ is: 'succeeded', output: { text, data: null, citations: [] }, partial: false, status: null }),
    ],
    [
      'the data',
      (text) => ({
        is: 'succeeded',
        output: { text: null, data: { text }, citations: [] },
        partial: false,
        status: null,
      }),
    ],
    [
      'a citation',
      (text) => ({
        is: 'succeeded',
        output: { text: null, data: null, citations: [text] },
        partial: false,
        status: null,
      }),
    ],
    ['the message of a failure', (message) => ({ is: 'failed', message, code: null, output: null, status: null })],
    ['the message of a vendor’s own time-out', (message) => ({ is: 'timed_out', message, status: null })],
  ])('holds no secret that came in pieces: %s', async (_where, outcomeOf) => {
    const { end, said } = await readAll(pieces, gathering(outcomeOf));
    expect(JSON.stringify(end)).toContain('so says [secret] itself');
    expect(said).toBe('so says [secret] itself');
  });

  it('is told to its last character, though it looked like the beginning of a secret', async () => {
    const { said } = await readAll(
      ['so says ', SECRET.slice(0, 20)],
      gathering(() => ({ is: 'cancelled', status: null })),
    );
    expect(said).toBe(`so says ${SECRET.slice(0, 20)}`);
  });
});
