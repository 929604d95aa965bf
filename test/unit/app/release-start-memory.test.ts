import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { processCpuMs, releaseStartMemory } from '../../../src/app/release-start-memory.ts';
import { reviveJson } from '../../../src/core/json.ts';

/** Each look finds what was used by then, in milliseconds; the first is the start. */
function watch(used: readonly number[]) {
  const left = [...used];
  const due: { ms: number; fn: () => void }[] = [];
  let collected = 0;
  releaseStartMemory({
    clock: { after: (ms, fn) => (due.push({ ms, fn }), () => undefined) },
    cpuMs: () => left.shift() ?? Number.NaN,
    collect: () => collected++,
  });
  return { due, collected: () => collected, look: () => due.shift()?.fn() };
}

describe('the memory that the start needed', () => {
  it('is given back after a second of rest, once', () => {
    const { due, collected, look } = watch([900, 910]);
    expect(due.map(({ ms }) => ms)).toEqual([1_000]);
    expect(collected()).toBe(0);
    look();
    expect(collected()).toBe(1);
    expect(due).toEqual([]);
  });

  it('is kept until there is a rest', () => {
    const { due, collected, look } = watch([900, 1_100, 1_151, 1_201]);
    look();
    look();
    expect(collected()).toBe(0);
    look();
    expect(collected()).toBe(1);
    expect(due).toEqual([]);
  });

  it('is kept for ever by a process that was in use', () => {
    const { due, collected, look } = watch([900, 1_200, 1_301, 1_302]);
    look();
    look();
    expect(due).toEqual([]);
    expect(collected()).toBe(0);
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

describe('what the process has used', () => {
  it('is CPU, in milliseconds', () => {
    const before = processCpuMs();
    while (processCpuMs() < before + 20);
    const { user, system } = process.cpuUsage();
    expect((user + system) / 1_000 - before).toBeGreaterThanOrEqual(20);
    expect((user + system) / 1_000 - before).toBeLessThan(2_000);
  });
});
