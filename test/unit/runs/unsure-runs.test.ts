import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../../src/core/errors.ts';
import type { RunId } from '../../../src/core/ids.ts';
import { createUnsureRuns } from '../../../src/runs/unsure-runs.ts';

const NONE = { peek: async () => null };

function ids(count: number, name: string): RunId[] {
  return Array.from({ length: count }, (_, i) => `run_${name}_${i}` as RunId);
}

describe('runs that a failed write may have changed', () => {
  it('are all looked at, some at a time', async () => {
    const unsure = createUnsureRuns({ store: NONE });
    const changed = ids(600, 'changed');
    for (const id of changed) unsure.add(id);
    const looked: RunId[] = [];
    const turns: number[] = [];
    for (let next = unsure.next(); next.length > 0; next = unsure.next()) {
      turns.push(next.length);
      for (const id of next) await unsure.peek(id);
      looked.push(...next);
    }
    expect(turns).toEqual([256, 256, 88]);
    expect(looked).toEqual(changed);
  });

  it('stay unsure while they cannot be read', async () => {
    let isDown = true;
    const peek = async () => (isDown ? Promise.reject(new GatewayError('store_unavailable')) : null);
    const unsure = createUnsureRuns({ store: { peek } });
    const [known, changed] = ['run_known', 'run_changed'] as [RunId, RunId];
    unsure.add(changed);
    for (const id of [known, changed])
      await expect(unsure.peek(id)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(unsure.next()).toEqual([changed]);
    isDown = false;
    await unsure.peek(changed);
    expect(unsure.next()).toEqual([]);
  });
});

describe('runs that a failed write may have begun', () => {
  it('are kept as long as there are few, and keep no other out', async () => {
    const unsure = createUnsureRuns({ store: NONE });
    const begun = ids(10_000, 'begun');
    for (const id of begun) unsure.addNew(id);
    const changed = ids(1, 'changed');
    for (const id of changed) unsure.add(id);
    const kept = unsure.next();
    expect(kept).toEqual(begun.slice(0, 256));
    for (const id of kept) await unsure.peek(id);
    expect(unsure.next()).toEqual(changed);
    unsure.addNew(begun[9_999]!);
    expect(unsure.next()).toEqual([...changed, begun[9_999]]);
  });
});
