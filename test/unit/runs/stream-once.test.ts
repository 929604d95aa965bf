import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import type { RunId } from '../../../src/core/ids.ts';
import { Secret } from '../../../src/core/secret.ts';
import interactly from '../../../src/providers/catalog/interactly.ts';
import type { AnyProviderKind, StreamReader, StreamSignal } from '../../../src/providers/define-provider.ts';
import type { AbortReason } from '../../../src/runs/call-once.ts';
import { lessonOf } from '../../../src/runs/lessons.ts';
import type { Run } from '../../../src/runs/model.ts';
import { streamOnce } from '../../../src/runs/stream-once.ts';
import type { VendorCalls } from '../../../src/runs/vendor-calls.ts';
import { createOutputScrub } from '../../../src/upstream/output-scrub.ts';
import { newRun } from '../../contract/store/sample-run.ts';

const CREDENTIAL = { id: 'cred_1', origin: 'https://vendor.example.com', open: async () => new Secret('sk_1') };
const done = () => Promise.resolve();
const quiet = () => undefined;

/** How a start ends whose stream says these signals, a frame each, and what is learnt of its vendor. */
async function endOf(
  signals: readonly StreamSignal[],
  { stale = false, abortedBy = null }: { stale?: boolean; abortedBy?: AbortReason | null } = {},
) {
  const run = newRun('run_1' as RunId, 0, { provider: 'mine', kind: 'interactly' }) as unknown as Run;
  const reader: StreamReader = {
    read: (frame) => (frame.kind === 'message' ? [frame.value as never] : []),
    end: () => null,
  };
  const kind = { ...interactly, startStream: { via: 'http', open: () => reader } } as unknown as AnyProviderKind;
  const controller = new AbortController();
  const flight = { vendorHeaders: {}, signal: controller.signal, upstreamMs: 0, asks: quiet, heard: quiet };
  const stream = {
    status: 200,
    headers: { 'x-ratelimit-limit': '100', 'x-ratelimit-remaining': '7' },
    scrub: createOutputScrub([new Secret('sk_1')], quiet),
    frames: (async function* () {
      for (const value of signals) {
        if (abortedBy) controller.abort(abortedBy);
        yield { kind: 'message', value } as const;
      }
    })(),
  };
  const output = { delta: quiet, progress: quiet, ready: done, flush: done, stale };
  const result = await streamOnce(
    {
      calls: { startStream: async () => ({ is: 'stream', stream }) } as unknown as VendorCalls,
      outputLogs: { open: () => output },
      heartbeatIsYoung: () => true,
      log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
      now: () => 0,
      openNextAttempt: async () => null,
      named: done,
    },
    { run, kind, inputs: {}, credential: CREDENTIAL },
    flight,
  );
  return { result, lesson: lessonOf(kind, run, result, systemClock.now()) };
}

const named: StreamSignal = { is: 'named', runId: 'r1' };
const ask: StreamSignal = { is: 'ask' };
const said = { is: 'delta', text: 'Hello' } as unknown as StreamSignal;

describe('a stream that we leave', () => {
  it.each([
    ['because a poll learns more', [named, ask], false],
    ['because nobody takes what it says any more', [named, said], true],
  ])('%s is not held against its vendor', async (_, signals, stale) => {
    const { result, lesson } = await endOf(signals, { stale });
    expect(result).toMatchObject({ is: 'left' });
    expect(lesson).toMatchObject({ error: null, rateLimit: { limit: 100, remaining: 7 } });
  });

  it.each<AbortReason>(['cancelled', 'deadline', 'drain'])('is given up where that is why (%s)', async (abortedBy) => {
    for (const given of [{ signals: [named, ask] }, { signals: [named, said], stale: true }]) {
      const { result, lesson } = await endOf(given.signals, { ...given, abortedBy });
      expect(result).toEqual({ is: 'aborted', reason: abortedBy, sent: true });
      expect(lesson).toBeNull();
    }
  });
});

it('is held against the vendor where the stream ends without a word on an unnamed run', async () => {
  const { result, lesson } = await endOf([said]);
  expect(result).toEqual({ is: 'unknown', cause: 'outcome_unknown' });
  expect(lesson?.error).toMatchObject({ code: 'outcome_unknown' });
});
