import { describe, expect, it } from 'vitest';
import { createPlaces } from '../../../src/runs/places.ts';

describe('places for starts', () => {
  it('are as many as there are, and are free again once each', () => {
    const freed: number[] = [];
    const places = createPlaces(2, () => freed.push(places.left()));
    const first = places.take();
    places.take();
    expect([places.take(), places.left()]).toEqual([null, 0]);
    first?.free();
    first?.free();
    first?.giveBack();
    expect([places.left(), freed]).toEqual([1, [1]]);
  });

  it('tell nobody where nothing was sent from them: who found no room would look again at once, for ever', () => {
    let told = 0;
    const places = createPlaces(1, () => told++);
    const place = places.take();
    place?.giveBack();
    place?.free();
    expect([places.left(), told]).toEqual([1, 0]);
  });
});
