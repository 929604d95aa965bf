import { describe, expect, it } from 'vitest';
import { createTargetShares, type TargetPlace } from '../../../src/runs/target-shares.ts';

function takeAll(shares: ReturnType<typeof createTargetShares>, origin: string): TargetPlace[] {
  const places: TargetPlace[] = [];
  for (let taken = shares.take(origin); 'place' in taken; taken = shares.take(origin)) places.push(taken.place);
  return places;
}

/** It has answered once. */
function prove(shares: ReturnType<typeof createTargetShares>, ...origins: string[]): void {
  for (const origin of origins) for (const place of takeAll(shares, origin)) place.leave(true);
}

const [A, B] = ['https://a.example', 'https://b.example'];

describe('the share of a target', () => {
  it('is most of the places, never all of them', () => {
    const shares = createTargetShares(32);
    prove(shares, A, B);
    expect(takeAll(shares, A)).toHaveLength(24);
    expect(takeAll(shares, B)).toHaveLength(24);
  });

  it('is a quarter of the places until its first try is over', () => {
    const shares = createTargetShares(32);
    expect(takeAll(shares, A)).toHaveLength(8);
    expect(takeAll(shares, B)).toHaveLength(8);
    expect(shares.take('https://c.example')).toEqual({ waitMs: 1_000 });
  });

  it('is one place where there is only one', () => {
    const shares = createTargetShares(1);
    expect(takeAll(shares, A)[0]?.leave(true)).toBeUndefined();
    expect(takeAll(shares, A)).toHaveLength(1);
  });

  it('is small while the target is silent, and whole again with its next answer', () => {
    const shares = createTargetShares(32);
    for (const place of takeAll(shares, A)) place.leave(false);
    const few = takeAll(shares, A);
    expect(few).toHaveLength(4);
    for (const place of few) place.leave(true);
    expect(takeAll(shares, A)).toHaveLength(24);
  });

  it('leaves half of the places to others, however many targets are silent', () => {
    const shares = createTargetShares(32);
    const dead = Array.from({ length: 20 }, (_, i) => `https://dead-${i}.example`);
    for (const origin of dead) for (const place of takeAll(shares, origin)) place.leave(false);
    expect(dead.flatMap((origin) => takeAll(shares, origin))).toHaveLength(16);
    expect(shares.take(dead[0] ?? '')).toEqual({ waitMs: 15_000 });
  });

  it('leaves half of the places to those that answer, however many nobody has heard of yet', () => {
    const shares = createTargetShares(32);
    prove(shares, A);
    const news = Array.from({ length: 50 }, (_, i) => `https://new-${i}.example`);
    const taken = news.map((origin) => shares.take(origin));
    expect(taken.filter((one) => 'place' in one)).toHaveLength(16);
    expect(taken.at(-1)).toEqual({ waitMs: 1_000 });
    expect(takeAll(shares, A)).toHaveLength(24);
  });

  it('does not shrink by a try that was given up by us', () => {
    const shares = createTargetShares(32);
    prove(shares, A);
    for (const place of takeAll(shares, A)) place.leave(null);
    expect(takeAll(shares, A)).toHaveLength(24);
  });

  it('is forgotten where a thousand others were heard of since', () => {
    const shares = createTargetShares(32);
    prove(shares, A);
    for (let i = 0; i < 999; i++) prove(shares, `https://other-${i}.example`);
    expect(takeAll(shares, A)).toHaveLength(24);
    const again = createTargetShares(32);
    prove(again, A);
    for (let i = 0; i < 1_000; i++) prove(again, `https://other-${i}.example`);
    expect(takeAll(again, A)).toHaveLength(8);
  });
});
