import { describe, expect, it } from 'vitest';
import type { RunId } from '../../../src/core/ids.ts';
import { createWaits } from '../../../src/runs/waits.ts';

const RUN = 'run_1' as RunId;

function waitsAt() {
  const clock = { nowMs: 0 };
  const waits = createWaits({ clock: { monotonic: () => clock.nowMs } as never });
  return { clock, waits };
}

describe('callers who wait for a run', () => {
  it('are let go when their time is up, each at its own', async () => {
    const { clock, waits } = waitsAt();
    const gone: string[] = [];
    void waits.wait(RUN, 1_000, null).done.then(() => gone.push('first'));
    void waits.wait(RUN, 2_000, null).done.then(() => gone.push('second'));
    clock.nowMs = 1_000;
    waits.sweep();
    await Promise.resolve();
    expect(gone).toEqual(['first']);
    expect(waits.ids()).toEqual([RUN]);
    clock.nowMs = 2_000;
    waits.sweep();
    await Promise.resolve();
    expect(gone).toEqual(['first', 'second']);
    expect(waits.ids()).toEqual([]);
  });

  it('are woken together, and one that had left is not missed', async () => {
    const { waits } = waitsAt();
    const settled = { run: {} as never, output: null };
    const [left, stays] = [waits.wait(RUN, 1_000, null), waits.wait(RUN, 1_000, null)];
    left.stop();
    waits.wake(RUN, settled);
    expect(await left.done).toBeNull();
    expect(await stays.done).toBe(settled);
    left.stop();
    stays.stop();
    expect(waits.ids()).toEqual([]);
  });

  it('take nobody else with them who waits for the same run anew', () => {
    const { waits } = waitsAt();
    const before = waits.wait(RUN, 1_000, null);
    waits.wake(RUN, null);
    waits.wait(RUN, 1_000, null);
    before.stop();
    expect(waits.ids()).toEqual([RUN]);
  });

  it('may be very many of one run', async () => {
    const { clock, waits } = waitsAt();
    const all = Array.from({ length: 100_000 }, () => waits.wait(RUN, 1_000, null));
    clock.nowMs = 1_000;
    const before = process.cpuUsage();
    waits.sweep();
    const { user, system } = process.cpuUsage(before);
    await Promise.all(all.map(({ done }) => done));
    expect(waits.ids()).toEqual([]);
    // Some ten milliseconds; with a list for each run, more than a minute.
    expect((user + system) / 1e6).toBeLessThan(3);
  });
});
