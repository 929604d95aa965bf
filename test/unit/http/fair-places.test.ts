import { expect, it } from 'vitest';
import { createFairPlaces } from '../../../src/http/plugins/fair-places.ts';

/** As many keys as are remembered. */
const KEYS = 1_000;

it('forgets the key that was silent for longest, and none that has a place', () => {
  const places = createFairPlaces();
  const full = (now: number) => ({ bound: KEYS, inside: KEYS, now });
  for (let i = 0; i < KEYS; i++) {
    places.enter(`key-${i}`, i);
    if (i > 0) places.leave(`key-${i}`);
  }
  // Two that came early are heard of again.
  places.enter('key-1', KEYS);
  places.leave('key-1');
  expect(places.mayExceed({ key: 'key-2', proven: false }, full(KEYS))).toBe(true);
  places.enter('new-1', KEYS + 1);
  places.enter('new-2', KEYS + 1);
  // Who is not known gets no place, unless a stranger's turn has come.
  expect(places.mayExceed({ key: 'stranger', proven: false }, full(KEYS + 1))).toBe(true);
  const isKnown = (key: string) => places.mayExceed({ key, proven: false }, full(KEYS + 1));
  expect(['key-0', 'key-1', 'key-2', 'key-3', 'key-4', 'key-5'].map(isKnown)).toEqual([
    true,
    true,
    true,
    false,
    false,
    true,
  ]);
});
