import { describe, expect, it } from 'vitest';
import type { OutboundStream, StreamFrame } from '../../../src/core/outbound.ts';
import { Secret } from '../../../src/core/secret.ts';
import { createInteractlyEventReader } from '../../../src/providers/readers/interactly-events.ts';
import { HINT_CHARACTERS_MAX } from '../../../src/providers/reading.ts';
import { readStream } from '../../../src/runs/read-stream.ts';
import { createOutputScrub } from '../../../src/upstream/output-scrub.ts';

const SECRET = 'sk-live-4fe1a09c33d7b8e2465f0a1c9d8e7b6a5f4c3d2e';

/** What a run that says these pieces and then waits for input gives as a hint. */
async function hintOf(...pieces: string[]): Promise<unknown> {
  const messages: StreamFrame[] = [
    ...pieces.map((content) => ({ type: 'say_text', content })),
    { type: 'workflow_ready_for_input' },
  ].map((value) => ({ kind: 'message', value }));
  const stream: OutboundStream = {
    status: 101,
    headers: {},
    frames: (async function* () {
      yield* messages;
    })(),
    scrub: createOutputScrub([new Secret(SECRET)], () => {}),
  };
  const resolved = () => Promise.resolve();
  const end = await readStream(stream, createInteractlyEventReader(), {
    log: { delta() {}, progress() {}, ready: resolved, flush: resolved, stale: false },
    listener: { named: resolved, ask: () => Promise.resolve(true) },
    signal: new AbortController().signal,
  });
  return end.is === 'outcome' && end.outcome.is === 'waiting' ? end.outcome.waiting.hint : end;
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
