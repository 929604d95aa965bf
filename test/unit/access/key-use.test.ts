import { beforeEach, describe, expect, it } from 'vitest';
import { createKeyUse, type KeyUse } from '../../../src/access/key-use.ts';

type Uses = readonly { id: string; at: number }[];

let nowMs: number;
let timers: { ms: number; fn: () => void; cancelled: boolean }[];
let written: Uses[];
let warnings: number;
let failure: Error | null;
let disk: Promise<void>;
let use: KeyUse;
beforeEach(() => {
  nowMs = 1_000;
  timers = [];
  written = [];
  warnings = 0;
  failure = null;
  disk = Promise.resolve();
  use = createKeyUse({
    keys: {
      async used(uses) {
        if (failure) throw failure;
        await disk;
        written.push(uses);
      },
    },
    clock: {
      now: () => nowMs,
      after(ms, fn) {
        const timer = { ms, fn, cancelled: false };
        timers.push(timer);
        return () => (timer.cancelled = true);
      },
    },
    log: { warn: () => void warnings++ },
  });
});

async function fire(): Promise<void> {
  timers.shift()?.fn();
  await new Promise((resolve) => setImmediate(resolve));
}

describe('the last use of keys', () => {
  it('is written once a minute, all keys together, however often they are used', async () => {
    for (let i = 0; i < 1_000; i++) {
      nowMs = 1_000 + i;
      use.note(`key_${i % 2}`);
    }
    expect([timers.map(({ ms }) => ms), written]).toEqual([[60_000], []]);
    await fire();
    expect(written).toEqual([
      [
        { id: 'key_0', at: 1_998 },
        { id: 'key_1', at: 1_999 },
      ],
    ]);
  });

  it('needs no timer while no key is used', async () => {
    expect(timers).toEqual([]);
    use.note('a');
    await fire();
    expect(timers).toEqual([]);
    use.note('a');
    expect(timers).toHaveLength(1);
  });

  it('is written when the process stops, and never after', async () => {
    use.note('a');
    await use.stop();
    expect([written, timers[0]?.cancelled]).toEqual([[[{ id: 'a', at: 1_000 }]], true]);
    use.note('b');
    await use.stop();
    expect([written.length, timers.length]).toEqual([1, 1]);
  });

  it('is on disk when the process has stopped, what was being written too', async () => {
    const finish = Promise.withResolvers<void>();
    disk = finish.promise;
    use.note('a');
    await fire();
    let stopped = false;
    const stopping = use.stop().then(() => (stopped = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(stopped).toBe(false);
    finish.resolve();
    await stopping;
    expect(written).toHaveLength(1);
  });

  it('is written in batches that keep nobody waiting', async () => {
    for (let i = 0; i < 2_500; i++) use.note(`key_${i}`);
    await use.stop();
    expect(written.map(({ length }) => length)).toEqual([1_000, 1_000, 500]);
  });

  it('is lost where it cannot be written, which is told', async () => {
    failure = new Error('disk');
    use.note('a');
    await use.stop();
    expect([written, warnings]).toEqual([[], 1]);
  });
});
