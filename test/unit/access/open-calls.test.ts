import { beforeEach, describe, expect, it } from 'vitest';
import { createOpenCalls, type OpenCalls } from '../../../src/access/open-calls.ts';

const token = (expiresAt: number) => ({ id: `t${expiresAt}`, runsMax: null, expiresAt, origin: null });
const key = (keyId: string) => ({ keyId, token: null });

let nowMs: number;
let timers: { at: number; fn: () => void }[];
let revoked: Set<string>;
/** Ids of tokens. */
let distrusted: Set<string>;
let asked: string[];
let failure: Error | null;
let told: string[];
let parts: Parameters<typeof createOpenCalls>[0];
let calls: OpenCalls;
beforeEach(() => {
  nowMs = 0;
  timers = [];
  revoked = new Set();
  distrusted = new Set();
  asked = [];
  failure = null;
  told = [];
  parts = {
    async isValid(keyId) {
      asked.push(keyId);
      if (failure) throw failure;
      return !revoked.has(keyId);
    },
    isTrusted: ({ id }) => !distrusted.has(id),
    clock: {
      now: () => nowMs,
      monotonic: () => nowMs,
      after(ms, fn) {
        const timer = { at: nowMs + ms, fn };
        timers.push(timer);
        return () => void (timers = timers.filter((other) => other !== timer));
      },
    },
    log: { warn: (_, message) => void told.push(message), error: (_, message) => void told.push(message) },
  };
  calls = createOpenCalls(parts);
});

/** Lets time pass, timer by timer, and everything settle that follows from each. */
async function pass(ms: number): Promise<void> {
  const untilMs = nowMs + ms;
  for (;;) {
    const next = timers.filter(({ at }) => at <= untilMs).toSorted((left, right) => left.at - right.at)[0];
    if (next === undefined) break;
    timers = timers.filter((other) => other !== next);
    nowMs = next.at;
    next.fn();
    await new Promise((resolve) => setImmediate(resolve));
  }
  nowMs = untilMs;
}

describe('an open call', () => {
  it('is ended within a second of its key’s revocation, once, and no other is', async () => {
    const ended: string[] = [];
    calls.hold(key('a'), () => ended.push('a1'));
    calls.hold(key('b'), () => ended.push('b'));
    calls.hold(key('a'), () => ended.push('a2'));
    await pass(1_000);
    expect(ended).toEqual([]);
    revoked.add('a');
    await pass(900);
    expect(ended).toEqual(['a1', 'a2']);
    await pass(2_000);
    expect(ended).toEqual(['a1', 'a2']);
  });

  it('is ended when its token expires, though its key is good', async () => {
    const ended: string[] = [];
    calls.hold({ keyId: 'a', token: token(3_000) }, () => ended.push('late'));
    calls.hold({ keyId: 'a', token: token(2_000) }, () => ended.push('early'));
    calls.hold(key('a'), () => ended.push('key'));
    await pass(1_999);
    expect(ended).toEqual([]);
    await pass(800);
    expect(ended).toEqual(['early']);
    await pass(1_000);
    expect(ended).toEqual(['early', 'late']);
  });

  it('is ended when the configuration trusts its token’s issuer no more', async () => {
    const ended: string[] = [];
    const [theirs, ours] = [token(90_000), token(80_000)];
    calls.hold({ keyId: 'a', token: theirs }, () => ended.push('theirs'));
    calls.hold({ keyId: 'a', token: ours }, () => ended.push('ours'));
    calls.hold(key('a'), () => ended.push('key'));
    distrusted.add(theirs.id);
    await pass(1_000);
    expect(ended).toEqual(['theirs']);
  });

  it('is left alone once it is over', async () => {
    const release = calls.hold(key('a'), () => expect.unreachable('it is over'));
    calls.hold(key('a'), () => {});
    release();
    release();
    revoked.add('a');
    await pass(1_000);
    expect(asked.length).toBeGreaterThan(0);
  });

  it('costs no look-up of its own: keys are looked up', async () => {
    for (let i = 0; i < 10_000; i++) calls.hold(key(i % 2 === 0 ? 'a' : 'b'), () => {});
    await pass(250);
    expect(asked.toSorted()).toEqual(['a', 'b']);
  });

  it('lets others have their turn while very many keys are looked up, and ends it all the same', async () => {
    let ended = 0;
    for (let i = 0; i < 1_000; i++) calls.hold(key(`key_${i}`), () => ended++);
    revoked = new Set(['key_0', 'key_999']);
    await pass(1_000);
    expect(ended).toBe(2);
  });

  it('stays where the store cannot say, which is told, and is ended when it can', async () => {
    let ended = 0;
    calls.hold(key('a'), () => ended++);
    revoked.add('a');
    failure = new Error('disk');
    await pass(1_000);
    expect([ended, told.length]).toEqual([0, 4]);
    failure = null;
    await pass(500);
    expect(ended).toBe(1);
  });

  it('keeps no other from its end by failing to end', async () => {
    let ended = 0;
    calls.hold(key('a'), () => {
      throw new Error('a bug');
    });
    calls.hold(key('a'), () => ended++);
    revoked.add('a');
    await pass(1_000);
    expect([ended, told]).toEqual([1, ['an open call could not be ended']]);
  });
});

describe('the register of open calls', () => {
  it('has one timer while there are any, and none otherwise', async () => {
    expect(timers).toHaveLength(0);
    const releases = Array.from({ length: 100 }, () => calls.hold(key('a'), () => {}));
    expect(timers).toHaveLength(1);
    await pass(600);
    expect(timers).toHaveLength(1);
    for (const release of releases) release();
    await pass(250);
    expect(timers).toHaveLength(0);
    calls.hold(key('a'), () => {});
    expect(timers).toHaveLength(1);
  });

  it('asks for no key whose calls are over', async () => {
    const releases = [calls.hold(key('a'), () => {}), calls.hold(key('a'), () => {})];
    calls.hold(key('b'), () => {});
    releases[0]?.();
    await pass(250);
    expect(asked.splice(0).toSorted()).toEqual(['a', 'b']);
    releases[1]?.();
    await pass(250);
    expect(asked).toEqual(['b']);
  });

  it('ends nothing when it stops', async () => {
    calls.hold(key('a'), () => expect.unreachable('a drain has its own way'));
    revoked.add('a');
    calls.stop();
    expect(timers).toHaveLength(0);
    calls.hold(key('a'), () => {});
    expect(timers).toHaveLength(0);
    // Stopped while a key was looked up.
    const stopping = createOpenCalls({ ...parts, isValid: async () => (stopping.stop(), false) });
    for (const id of ['a', 'b']) stopping.hold(key(id), () => told.push('ended'));
    await pass(1_000);
    expect([timers.length, told]).toEqual([0, []]);
  });
});
