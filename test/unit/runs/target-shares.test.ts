import { describe, expect, it } from 'vitest';
import { createTargetShares, type TargetPlace } from '../../../src/runs/target-shares.ts';

function takeAll(shares: ReturnType<typeof createTargetShares>, origin: string): TargetPlace[] {
  const places: TargetPlace[] = [];
  for (let taken = shares.take(origin); 'place' in taken; taken = shares.take(origin)) places.push(taken.place);
  return places;
}

describe('the share of a target', () => {
  it('is most of the places, never all of them', () => {
    const shares = createTargetShares(32);
    expect(takeAll(shares, 'https://a.example')).toHaveLength(24);
    expect(takeAll(shares, 'https://b.example')).toHaveLength(24);
  });

  it('is one place where there is only one', () => {
    expect(takeAll(createTargetShares(1), 'https://a.example')).toHaveLength(1);
  });

  it('is small while the target is silent, and whole again with its next answer', () => {
    const shares = createTargetShares(32);
    for (const place of takeAll(shares, 'https://a.example')) place.leave(false);
    const few = takeAll(shares, 'https://a.example');
    expect(few).toHaveLength(4);
    for (const place of few) place.leave(true);
    expect(takeAll(shares, 'https://a.example')).toHaveLength(24);
  });

  it('leaves half of the places to others, however many targets are silent', () => {
    const shares = createTargetShares(32);
    const dead = Array.from({ length: 20 }, (_, i) => `https://dead-${i}.example`);
    for (const origin of dead) for (const place of takeAll(shares, origin)) place.leave(false);
    expect(dead.flatMap((origin) => takeAll(shares, origin))).toHaveLength(16);
  });

  it('does not shrink by a try that was given up by us', () => {
    const shares = createTargetShares(32);
    for (const place of takeAll(shares, 'https://a.example')) place.leave(null);
    expect(takeAll(shares, 'https://a.example')).toHaveLength(24);
  });
});
