import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { WeightedTarget } from '../../../src/providers/registry.ts';
import { chooseTarget } from '../../../src/runs/choose-target.ts';

const target = (workflow: string, weight: number): WeightedTarget => ({ provider: 'vendor', workflow, weight });

function chosen(targets: readonly WeightedTarget[], { value, share = 0 }: { value?: string; share?: number }): string {
  const workflow = { name: 'summarize-ticket', targets, stickyBy: 'user_id' };
  const metadata: Record<string, string> = value === undefined ? {} : { user_id: value };
  return chooseTarget(workflow, metadata, () => share).workflow;
}

const USERS = Array.from({ length: 2000 }, (_, i) => `user-${i}`);

function shareOf(workflow: string, targets: readonly WeightedTarget[]): number {
  return USERS.filter((value) => chosen(targets, { value }) === workflow).length / USERS.length;
}

describe('the target of a run', () => {
  it('is by chance each one as often as its weight has it', () => {
    const targets = [target('a', 2), target('off', 0), target('b', 1), target('c', 1)];
    const drawn = Array.from({ length: 100 }, (_, i) => chosen(targets, { share: i / 100 }));
    const count = (workflow: string) => drawn.filter((name) => name === workflow).length;
    expect([count('a'), count('b'), count('c'), count('off')]).toEqual([50, 25, 25, 0]);
  });

  it('is always one that has a weight', () => {
    const weights = fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 20 });
    const property = fc.property(
      weights.filter((all) => all.some((weight) => weight > 0)),
      fc.option(fc.string(), { nil: undefined }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (all, value, share) => {
        const targets = all.map((weight, i) => target(`w${i}`, weight));
        const name = chosen(targets, { share, ...(value === undefined ? {} : { value }) });
        expect(targets.find(({ workflow }) => workflow === name)?.weight).toBeGreaterThan(0);
      },
    );
    fc.assert(property);
  });

  it('is the same for the same value, in every process and in every version', () => {
    const targets = [target('a', 1), target('b', 1), target('c', 1)];
    const names = USERS.slice(0, 12).map((value) => chosen(targets, { value }));
    expect(names.join('')).toBe('accccaabcabc');
    expect(USERS.slice(0, 12).map((value) => chosen(targets.toReversed(), { value }))).toEqual(names);
  });

  it('is spread over values as the weights have it', () => {
    expect(shareOf('b', [target('a', 9), target('b', 1)])).toBeCloseTo(0.1, 1);
    expect(shareOf('b', [target('a', 1), target('b', 3)])).toBeCloseTo(0.75, 1);
  });

  it('changes for no more values than a changed weight makes it', () => {
    const before = [target('a', 8), target('b', 1), target('c', 1)];
    const after = [target('a', 8), target('b', 2), target('c', 1)];
    const moved = USERS.filter((value) => chosen(before, { value }) !== chosen(after, { value }));
    expect(moved.length).toBeGreaterThan(0);
    expect(moved.every((value) => chosen(after, { value }) === 'b')).toBe(true);
  });

  it('is by chance where the sticky key was not sent, even one that every object has', () => {
    const targets = [target('a', 1), target('b', 1)];
    expect([chosen(targets, { share: 0.1 }), chosen(targets, { share: 0.9 })]).toEqual(['a', 'b']);
    const workflow = { name: 'w', targets, stickyBy: 'constructor' };
    expect(chooseTarget(workflow, {}, () => 0.9).workflow).toBe('b');
  });
});
