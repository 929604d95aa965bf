import { describe, expect, it } from 'vitest';
import type { RunId } from '../../../src/core/ids.ts';
import { pacePolls } from '../../../src/runs/paced-polls.ts';
import type { Run } from '../../../src/runs/model.ts';

const PACE_MS = 15_000;

/** A clock whose time passes when it is told to. */
function setUp(poll: (count: number) => Promise<{ run: Run; dueInMs: number } | null>) {
  let now = 0;
  let timers: { at: number; fn: () => void }[] = [];
  const polledAt: number[] = [];
  const over = new AbortController();
  let lost = 0;
  const run = { id: 'run_1' as RunId } as Run;
  const polls = pacePolls(run, {
    poll(_run, { before }) {
      polledAt.push(now);
      return Promise.resolve(before?.()).then(() => poll(polledAt.length));
    },
    clock: {
      now: () => now,
      monotonic: () => now,
      after(ms, fn) {
        const timer = { at: now + ms, fn };
        timers.push(timer);
        return () => void (timers = timers.filter((one) => one !== timer));
      },
    },
    output: { flush: async () => {} },
    closing: new AbortController().signal,
    onLost: () => lost++,
  });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return {
    run,
    polls,
    polledAt,
    over,
    lost: () => lost,
    pass: async (ms: number) => {
      const until = now + ms;
      for (;;) {
        await settle();
        const [next] = timers.toSorted((a, b) => a.at - b.at);
        if (next === undefined || next.at > until) break;
        timers = timers.filter((one) => one !== next);
        now = next.at;
        next.fn();
      }
      now = until;
      await settle();
    },
  };
}

describe('the polls of a run that is followed', () => {
  const goesOn = async () => ({ run: { id: 'run_1' as RunId } as Run, dueInMs: PACE_MS });

  it('come when the stream is opened, and then at the usual pace', async () => {
    const { polls, polledAt, over, pass } = setUp(goesOn);
    const done = polls.until(over.signal);
    await pass(2 * PACE_MS);
    expect(polledAt).toEqual([0, PACE_MS, 2 * PACE_MS]);
    over.abort();
    expect(await done).toMatchObject({ id: 'run_1' });
  });

  it('come at once where something hints at news, but not twice a second for that, and no hint is lost', async () => {
    const { polls, polledAt, over, pass } = setUp(goesOn);
    const done = polls.until(over.signal);
    await pass(100);
    polls.hint();
    await pass(100);
    polls.hint();
    polls.hint();
    await pass(100);
    expect(polledAt).toEqual([0, 100]);
    await pass(2_000);
    expect(polledAt).toEqual([0, 100, 1_100]);
    await pass(PACE_MS);
    expect(polledAt).toEqual([0, 100, 1_100, 1_100 + PACE_MS]);
    over.abort();
    await done;
  });

  it('are a second apart at least where a run is due at once, as at its deadline', async () => {
    const { polls, polledAt, over, pass, run } = setUp(async () => ({ run, dueInMs: 0 }));
    const done = polls.until(over.signal);
    await pass(2_500);
    expect(polledAt).toEqual([0, 1_000, 2_000]);
    over.abort();
    await done;
  });

  it('end where the run is not ours any more', async () => {
    const { polls, over, pass, lost } = setUp(async () => null);
    const done = polls.until(over.signal);
    await pass(0);
    expect([await done, lost()]).toEqual([null, 1]);
  });

  it('let go of the stream where one goes wrong, and leave nothing that nobody handles', async () => {
    const { polls, over, pass, lost } = setUp(() => Promise.reject(new Error('a mistake')));
    const done = polls.until(over.signal);
    await pass(PACE_MS);
    expect(lost()).toBe(1);
    await expect(done).rejects.toThrow('a mistake');
  });
});
