import { describe, expect, it } from 'vitest';
import { createAdmissionBound, type AdmissionBound } from '../../../src/http/plugins/admission-bound.ts';

const CALM = { lagMs: 0, calm: true };
const BUSY = { lagMs: 0, calm: false };

/** Lets in as many as want to, up to the bound, has them stay for so long, and decides. Returns how many were let in. */
function turn(
  bound: AdmissionBound,
  { want, tookMs, ...seen }: { want: number; tookMs: number } & typeof CALM,
): number {
  let entered = 0;
  while (entered < want && bound.hasRoom()) {
    bound.enter();
    entered += 1;
  }
  for (let i = 0; i < entered; i++) bound.leave(tookMs);
  bound.decide(seen);
  return entered;
}

function usually(tookMs: number): AdmissionBound {
  const bound = createAdmissionBound({ max: 200, delayMs: 5 });
  for (let i = 0; i < 100; i++) turn(bound, { want: 3, tookMs, ...CALM });
  return bound;
}

describe('how many new runs are let in at once', () => {
  it('is at first as many as there may be', () => {
    const bound = createAdmissionBound({ max: 200, delayMs: 5 });

    expect(turn(bound, { want: 500, tookMs: 2, ...CALM })).toBe(200);
  });

  it('stays so while fewer come, however long each takes', () => {
    const bound = usually(2);
    for (let i = 0; i < 50; i++) turn(bound, { want: 199, tookMs: 80, ...BUSY });

    expect(bound.current()).toBe(200);
  });

  it('falls once more come and those inside are late, and not below what shows that it is over', () => {
    const bound = usually(2);
    const letIn = Array.from({ length: 20 }, () => turn(bound, { want: 500, tookMs: 40, ...BUSY }));

    expect(letIn.slice(0, 3)).toEqual([200, 200, 40]);
    expect(letIn.at(-1)).toBe(16);
  });

  it('does not fall for one late moment', () => {
    const bound = usually(2);
    turn(bound, { want: 500, tookMs: 90, ...BUSY });
    turn(bound, { want: 500, tookMs: 2, ...BUSY });
    turn(bound, { want: 500, tookMs: 90, ...BUSY });

    expect(bound.current()).toBe(200);
  });

  it('takes a slow disk for what is usual', () => {
    const bound = usually(60);
    for (let i = 0; i < 20; i++) turn(bound, { want: 500, tookMs: 62, ...BUSY });

    expect(bound.current()).toBe(200);
  });

  it('does not take a queue for what is usual', () => {
    const bound = usually(2);
    // The delay grows with the number inside, as it does in a queue.
    for (let i = 0; i < 2_000; i++) turn(bound, { want: 500, tookMs: 2 + bound.current() * 0.25, ...BUSY });

    expect(bound.current()).toBeLessThan(30);
  });

  it('falls while the event loop is very late, though few come', () => {
    const bound = usually(2);
    for (let i = 0; i < 20; i++) turn(bound, { want: 20, tookMs: 2, lagMs: 450, calm: false });

    expect(bound.current()).toBe(16);
  });

  it('falls before it is reached, where a flood makes the event loop late', () => {
    const bound = usually(2);
    const flood = { want: 101, tookMs: 20, lagMs: 15, calm: true };
    turn(bound, flood);
    expect(bound.current()).toBe(200);
    turn(bound, flood);
    expect(bound.current()).toBeLessThan(50);
  });

  it('does not fall for the same delay while no more than half as many as may are inside', () => {
    const bound = usually(2);
    for (let i = 0; i < 20; i++) turn(bound, { want: 100, tookMs: 20, lagMs: 15, calm: true });
    expect(bound.current()).toBe(200);
  });

  it('does not fall for bursts with calm between them', () => {
    const bound = usually(2);
    for (let i = 0; i < 20; i++) {
      turn(bound, { want: 200, tookMs: 20, lagMs: 15, calm: true });
      turn(bound, { want: 10, tookMs: 3, ...CALM });
    }
    expect(bound.current()).toBe(200);
  });

  it('does not take it for relief that nobody has left yet, and is never more than there may be', () => {
    const bound = usually(2);
    turn(bound, { want: 500, tookMs: 40, ...BUSY });
    while (bound.hasRoom()) bound.enter();
    for (let i = 0; i < 20; i++) {
      bound.decide({ lagMs: 0.3, calm: false });
      expect(bound.current()).toBe(200);
    }
    while (bound.inside() > 0) bound.leave(40);
    expect(bound.hasRoom()).toBe(true);
    turn(bound, { want: 500, tookMs: 40, ...BUSY });
    expect(bound.current()).toBeLessThan(50);
  });

  it('takes two late looks with others between them for no flood', () => {
    const bound = usually(2);
    for (let i = 0; i < 150; i++) bound.enter();
    for (const lagMs of [26, 0, 0, 0, 26, 0.3, 30, 0]) bound.decide({ lagMs, calm: true });
    expect(bound.current()).toBe(200);
  });

  it('does not fall for a disk that is suddenly slow, however many are inside', () => {
    const bound = usually(20);
    for (let i = 0; i < 20; i++) turn(bound, { want: 199, tookMs: 100, lagMs: 3, calm: true });
    expect(bound.current()).toBe(200);
  });

  it('wants to be decided on soon while many are inside and it has not fallen', () => {
    const bound = usually(2);
    for (let i = 0; i < 100; i++) bound.enter();
    expect(bound.isCrowded()).toBe(false);
    bound.enter();
    expect(bound.isCrowded()).toBe(true);
    for (let i = 0; i < 101; i++) bound.leave(2);
    for (let i = 0; i < 20; i++) turn(bound, { want: 500, tookMs: 40, ...BUSY });
    for (let i = 0; i < 101; i++) bound.enter();
    expect(bound.isCrowded()).toBe(false);
  });

  it('stays where it is while the delay is about what it may be', () => {
    const bound = usually(2);
    for (let i = 0; i < 20; i++) turn(bound, { want: 500, tookMs: 40, ...BUSY });
    for (let i = 0; i < 20; i++) turn(bound, { want: 500, tookMs: 6, ...BUSY });

    expect(bound.current()).toBe(16);
  });

  it('rises step by step when nobody is late, and soon when nobody is refused', () => {
    const [slow, fast] = [usually(2), usually(2)];
    for (const bound of [slow, fast]) for (let i = 0; i < 20; i++) turn(bound, { want: 500, tookMs: 40, ...BUSY });
    for (let i = 0; i < 12; i++) {
      turn(slow, { want: 500, tookMs: 3, ...BUSY });
      turn(fast, { want: 3, tookMs: 3, ...CALM });
    }

    expect(slow.current()).toBeGreaterThan(20);
    expect(slow.current()).toBeLessThan(40);
    expect(fast.current()).toBe(200);
  });

  it('recovers from a stall on a machine that is always a little late', () => {
    const bound = createAdmissionBound({ max: 200, delayMs: 3 });
    const busy = (lagMs: number) => turn(bound, { want: 60, tookMs: 2, lagMs, calm: true });
    for (let i = 0; i < 3; i++) busy(400);
    expect(bound.current()).toBe(16);

    for (let i = 0; i < 20; i++) turn(bound, { want: 8, tookMs: 3, lagMs: 2, calm: true });
    expect(bound.current()).toBe(200);
  });

  it('recovers there while some are refused all the time', () => {
    const bound = createAdmissionBound({ max: 200, delayMs: 3 });
    for (let i = 0; i < 3; i++) turn(bound, { want: 60, tookMs: 2, lagMs: 400, calm: true });
    for (let i = 0; i < 600; i++) turn(bound, { want: 40, tookMs: 2, lagMs: 1, calm: false });
    expect(bound.current()).toBeGreaterThan(40);
  });

  it('is not moved by another process that had its turn', () => {
    const bound = createAdmissionBound({ max: 200, delayMs: 3 });
    for (let i = 0; i < 3; i++) turn(bound, { want: 60, tookMs: 2, lagMs: 200, calm: true });
    expect(bound.current()).toBe(200);
  });

  it('is one where only one may be in', () => {
    const bound = createAdmissionBound({ max: 1, delayMs: 5 });

    expect(turn(bound, { want: 3, tookMs: 90, ...BUSY })).toBe(1);
    expect(turn(bound, { want: 3, tookMs: 90, ...BUSY })).toBe(1);
  });
});
