import { beforeEach, describe, expect, it } from 'vitest';
import { createLoadShedder, type LoadShedder } from '../../../src/http/plugins/load-shedder.ts';
import { simulatedClock, type SimulatedClock } from '../../support/simulation/simulated-clock.ts';

const AT_ONCE_MAX = 100;

let clock: SimulatedClock;
let pressure: { storeQueue: number; memoryShare: number };
let lines: object[];
let shed: number;
let chance: number;
let shedder: LoadShedder;
beforeEach(() => {
  clock = simulatedClock();
  pressure = { storeQueue: 0, memoryShare: 0.3 };
  lines = [];
  shed = 0;
  chance = 0;
  shedder = createLoadShedder({
    clock,
    random: { float: () => chance },
    log: { warn: (fields) => void lines.push(fields) },
    signals: { storeQueue: () => pressure.storeQueue, memoryShare: () => pressure.memoryShare },
    limits: { delayMs: 5, atOnceMax: AT_ONCE_MAX, storeQueueMax: 50, memoryShareMax: 0.85 },
    onShed: () => void (shed += 1),
  });
});

/** Time passes, with timers on time. */
async function pass(ms: number): Promise<void> {
  const endsAt = clock.monotonic() + ms;
  while (clock.monotonic() < endsAt && (await clock.step()));
  clock.skip(endsAt - clock.monotonic());
}

/** As many as are let in now. */
function admitAll(): Array<() => void> {
  const leaves: Array<() => void> = [];
  while (shedder.refusal('key') === null) leaves.push(shedder.admit('key'));
  return leaves;
}

/** More come than may, and each takes so long; again and again. Returns how many were let in the last time. */
async function flood(tookMs: number, times: number): Promise<number> {
  let admitted = 0;
  for (let i = 0; i < times; i++) {
    const leaves = admitAll();
    admitted = leaves.length;
    await pass(tookMs);
    for (const leave of leaves) leave();
  }
  return admitted;
}

/** Is asked and lets one in, so that it looks around. */
async function lookAround(): Promise<void> {
  if (shedder.refusal('key') === null) shedder.admit('key')();
  await pass(100);
}

describe('shedding load', () => {
  it('lets in as many as there may be at once, then refuses with a time to come back', () => {
    const leaves = admitAll();
    chance = 0.99;

    expect(leaves).toHaveLength(AT_ONCE_MAX);
    expect(() => shedder.admit('key')).toThrow(
      expect.objectContaining({ code: 'overloaded', details: { retryAfterS: 4 } }),
    );
    expect(shed).toBe(2);
    leaves[0]?.();
    expect(shedder.refusal('key')).toBeNull();
  });

  it('lets in fewer while too many come and are written late, and all again when it is over', async () => {
    for (let i = 0; i < 20; i++) await lookAround();
    expect(await flood(40, 40)).toBe(16);

    await pass(1_000);
    for (let i = 0; i < 20; i++) await lookAround();
    expect(admitAll()).toHaveLength(AT_ONCE_MAX);
  });

  it('lets in fewer while its own timers are very late', async () => {
    for (let i = 0; i < 10; i++) {
      const leaves = Array.from({ length: 17 }, () => (shedder.refusal('key') ? null : shedder.admit('key')));
      clock.skip(450);
      await clock.step();
      for (const leave of leaves) leave?.();
    }
    expect(admitAll().length).toBeLessThan(20);
  });

  it('sees a flood within 54 ms, before all are in that may be', async () => {
    for (let i = 0; i < 20; i++) await lookAround();
    for (let i = 0; i < 3; i++) {
      const leaves = Array.from({ length: 70 }, () => (shedder.refusal('key') ? null : shedder.admit('key')));
      clock.skip(18);
      await clock.step();
      for (const leave of leaves) leave?.();
    }
    expect(admitAll().length).toBeLessThan(70);
  });

  it('refuses everybody while more writes wait than should', async () => {
    pressure.storeQueue = 51;
    await lookAround();
    expect(shedder.refusal('key')).not.toBeNull();
    await pass(10_000);
    expect(shedder.refusal('key')).not.toBeNull();

    pressure.storeQueue = 50;
    await lookAround();
    expect(shedder.refusal('key')).toBeNull();
  });

  it('lets one in from time to time while memory is short, and everybody when it has fallen well below', async () => {
    pressure.memoryShare = 0.86;
    await lookAround();
    expect(shedder.refusal('key')).toBeNull();
    shedder.admit('key')();
    expect(shedder.refusal('key')).not.toBeNull();

    pressure.memoryShare = 0.83;
    await lookAround();
    shedder.admit('key')();
    expect(shedder.refusal('key')).not.toBeNull();

    pressure.memoryShare = 0.79;
    await lookAround();
    expect(admitAll()).toHaveLength(AT_ONCE_MAX);
  });

  it('writes one line for all refusals of a second', async () => {
    const leaves = admitAll();
    for (let i = 0; i < 999; i++) shedder.refusal('key');
    await pass(60);
    for (let i = 0; i < 10; i++) shedder.refusal('key');
    await pass(500);
    expect(lines).toEqual([expect.objectContaining({ refused: 1_000, reason: 'delay' })]);

    for (const leave of leaves) leave();
    await pass(2_000);
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatchObject({ refused: 10 });
  });

  it('watches nothing while nobody comes', async () => {
    expect(await clock.step()).toBe(false);
    shedder.admit('key')();
    await pass(2_000);

    expect(await clock.step()).toBe(false);
  });
});

describe('a key that wants every place', () => {
  it('keeps no other key out', () => {
    while (shedder.refusal('flood') === null) shedder.admit('flood');
    expect(() => shedder.admit('flood')).toThrow(expect.objectContaining({ code: 'overloaded' }));

    expect(shedder.refusal('other')).toBeNull();
    const leave = shedder.admit('other');
    expect(shedder.refusal('other')).toBeNull();
    shedder.admit('other');
    leave();
    expect(shedder.refusal('flood')).not.toBeNull();
  });

  it('leaves each of several its equal part, and half as much again in all at most', async () => {
    const keys = ['a', 'b', 'c'];
    for (const key of keys) shedder.admit(key)();
    const places = { a: 0, b: 0, c: 0 } as Record<string, number>;
    while (shedder.refusal('a') === null) places['a'] = (shedder.admit('a'), (places['a'] ?? 0) + 1);
    await pass(50);
    for (const key of ['b', 'c']) {
      while (shedder.refusal(key) === null) places[key] = (shedder.admit(key), (places[key] ?? 0) + 1);
    }

    expect(places).toEqual({ a: AT_ONCE_MAX, b: Math.floor(AT_ONCE_MAX / 3), c: 17 });
  });

  it('lets those by whom nobody has proven, one at a time', () => {
    while (shedder.refusal('flood') === null) shedder.admit('flood');
    const made = (i: number) => `made-up-${i}`;

    expect(shedder.refusal(made(0))).toBeNull();
    for (let i = 1; i < 1_000; i++) expect(shedder.refusal(made(i))).not.toBeNull();
    clock.skip(10);
    expect(shedder.refusal(null)).toBeNull();
    expect(shedder.refusal(made(1))).not.toBeNull();
  });
});
