import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { busyShareOfLoop, releaseStartMemory } from '../../../src/app/release-start-memory.ts';
import { reviveJson } from '../../../src/core/json.ts';

/** Each look finds the next share. */
function watch(shares: readonly number[]) {
  const left = [...shares];
  const due: { ms: number; fn: () => void }[] = [];
  let collected = 0;
  releaseStartMemory({
    clock: { after: (ms, fn) => (due.push({ ms, fn }), () => undefined) },
    busyShare: () => left.shift() ?? Number.NaN,
    collect: () => collected++,
  });
  return { due, collected: () => collected, look: () => due.shift()?.fn() };
}

describe('the memory that the start needed', () => {
  it('is given back after a second of rest, once', () => {
    const { due, collected, look } = watch([0.01]);
    expect(due.map(({ ms }) => ms)).toEqual([1_000]);
    expect(collected()).toBe(0);
    look();
    expect(collected()).toBe(1);
    expect(due).toEqual([]);
  });

  it('is kept while there is work', () => {
    const { due, collected, look } = watch([0.5, 0.06, 0.05]);
    look();
    look();
    expect(collected()).toBe(0);
    look();
    expect(collected()).toBe(1);
    expect(due).toEqual([]);
  });

  it('is kept where there is no rest for half a minute', () => {
    const { due, collected, look } = watch(Array.from({ length: 40 }, () => 0.5));
    for (let i = 0; i < 40; i++) look();
    expect(collected()).toBe(0);
    expect(due).toEqual([]);
  });

  it('is less then than it was', () => {
    const program = `
      import { collectGarbage } from '${new URL('../../../src/app/release-start-memory.ts', import.meta.url).href}';
      const kept = [];
      // As modules do: most of it stays for a while, so that V8 makes room.
      for (let i = 0; i < 400_000; i++) kept.push({ i });
      kept.length = 0;
      const before = process.memoryUsage.rss();
      collectGarbage();
      console.log(JSON.stringify({ before, after: process.memoryUsage.rss(), exposed: typeof gc }));
    `;
    const output = execFileSync(process.execPath, ['--input-type=module-typescript', '--eval', program], {
      encoding: 'utf8',
    });
    const { before, after, exposed } = reviveJson<{ before: number; after: number; exposed: string }>(output);
    // A plain collection gives back some 9 MB of it, this one 35.
    expect(before - after).toBeGreaterThan(15e6);
    expect(exposed).toBe('undefined');
  });
});

describe('the share of the event loop’s time', () => {
  it('counts from one look to the next', async () => {
    const share = busyShareOfLoop();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(share()).toBeLessThan(0.9);
    const until = performance.now() + 60;
    while (performance.now() < until);
    expect(share()).toBeGreaterThan(0.9);
  });
});
