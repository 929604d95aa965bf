import { beforeEach, describe, expect, it } from 'vitest';
import { createOriginCheck, type ServesOrigin } from '../../../src/access/origins.ts';

const OURS = 'https://app.example.com';

let nowMs: number;
let named: Set<string>;
let configured: Set<string>;
let asked: string[];
let serves: ServesOrigin;
beforeEach(() => {
  nowMs = 1_000;
  named = new Set([OURS]);
  configured = new Set();
  asked = [];
  serves = createOriginCheck({
    keys: {
      async servesOrigin(origin) {
        asked.push(origin);
        return named.has(origin);
      },
    },
    configured: () => configured,
    clock: { now: () => nowMs, monotonic: () => nowMs },
  });
});

describe('an origin', () => {
  it('is served while a valid key names it, and for half a second more at most', async () => {
    expect(await serves(OURS)).toBe(true);
    named.delete(OURS);
    nowMs += 499;
    expect([await serves(OURS), asked.length]).toEqual([true, 1]);
    nowMs += 1;
    expect([await serves(OURS), asked.length]).toEqual([false, 2]);
    expect(await serves(OURS)).toBe(false);
  });

  it('is served at once when a key is made that names it', async () => {
    expect(await serves('https://new.example')).toBe(false);
    named.add('https://new.example');
    expect(await serves('https://new.example')).toBe(true);
  });

  it('is served while the configuration names it, without asking the store', async () => {
    configured = new Set(['https://other.example']);
    expect([await serves('https://other.example'), asked]).toEqual([true, []]);
    configured = new Set();
    expect(await serves('https://other.example')).toBe(false);
  });

  it.each(['null', '*', `${OURS}/`, 'HTTPS://APP.EXAMPLE.COM', `${OURS}:443`, `${OURS}, ${OURS}`])(
    'is not served in another spelling: %s',
    async (origin) => {
      await serves(OURS);
      expect(await serves(origin)).toBe(false);
    },
  );

  it('is not forgotten because others are made up', async () => {
    await serves(OURS);
    for (let i = 0; i < 5_000; i++) await serves(`https://made-up-${i}.example`);
    asked = [];
    expect([await serves(OURS), asked]).toEqual([true, []]);
  });

  it('is forgotten first where it was asked for the longest ago, of more than a thousand', async () => {
    const origins = Array.from({ length: 1_001 }, (_, i) => `https://app-${i}.example`);
    for (const origin of origins) named.add(origin);
    const ask = async (from: number, to: number) => {
      for (const origin of origins.slice(from, to)) await serves(origin);
    };
    await ask(0, 1);
    nowMs += 500;
    await ask(1, 999);
    await ask(0, 1);
    await ask(999, 1_001);
    asked = [];
    await ask(0, 1);
    await ask(2, 1_001);
    expect(asked).toEqual([]);
    await ask(1, 2);
    expect(asked).toEqual([origins[1]]);
  });

  it('is not believed where the store cannot say', async () => {
    const broken = createOriginCheck({
      keys: { servesOrigin: () => Promise.reject(new Error('disk')) },
      configured: () => configured,
      clock: { now: () => nowMs, monotonic: () => nowMs },
    });
    await expect(broken(OURS)).rejects.toThrow('disk');
  });
});
