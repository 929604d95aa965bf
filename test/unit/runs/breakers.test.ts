import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { createBreakers, type Breakers, type BreakerTicket } from '../../../src/runs/breakers.ts';

const LIMITS = { callsMin: 4, failureShare: 0.5, windowMs: 30_000, openMs: 15_000 };
const HOUR_MS = 3_600_000;

let nowMs: number;
let changes: string[];
let breakers: Breakers;

beforeEach(() => {
  nowMs = 1_000.5;
  changes = [];
  breakers = createBreakers({
    clock: { monotonic: () => nowMs },
    limits: LIMITS,
    onChange: (provider, credentialId, state) => changes.push(`${provider} ${credentialId} ${state}`),
  });
});

const enter = () => breakers.enter('vendor', 'key');
const retryAfterMs = () => breakers.retryAfterMs('vendor', 'key');
const state = () => breakers.states().find(({ provider }) => provider === 'vendor')?.state;

function fail(times: number): void {
  for (let i = 0; i < times; i++) enter().failed();
}

function succeed(times: number): void {
  for (let i = 0; i < times; i++) enter().succeeded();
}

/** Opens the breaker, and lets its time pass. */
function waitForProbe(): void {
  fail(4);
  nowMs += 15_000;
}

describe('a closed breaker', () => {
  it('lets starts through before it has seen any', () => {
    expect([retryAfterMs(), breakers.states()]).toEqual([0, []]);
  });

  it('stays so below the least number of calls, even if all of them failed', () => {
    fail(3);
    expect([retryAfterMs(), state()]).toEqual([0, 'closed']);
  });

  it('stays so while fewer than the share failed', () => {
    succeed(6);
    fail(5);
    expect(state()).toBe('closed');
  });

  it('opens with the failure that makes it the share', () => {
    succeed(6);
    fail(6);
    expect([state(), retryAfterMs(), changes]).toEqual(['open', 15_000, ['vendor key open']]);
  });

  it('does not count calls of which nothing was learnt', () => {
    for (let i = 0; i < 10; i++) enter().dropped();
    fail(3);
    expect(state()).toBe('closed');
  });

  it('forgets failures that have left the window', () => {
    fail(3);
    nowMs += LIMITS.windowMs;
    fail(3);
    expect(state()).toBe('closed');
  });

  it('slides: what failed early in the window goes before what failed late', () => {
    fail(2);
    nowMs += 20_000;
    fail(1);
    nowMs += 15_000;
    fail(2);
    expect(state()).toBe('closed');
    fail(1);
    expect(state()).toBe('open');
  });

  it('is one for each credential', () => {
    fail(4);
    expect(breakers.retryAfterMs('vendor', 'other')).toBe(0);
    expect(breakers.retryAfterMs('other', 'key')).toBe(0);
  });

  it('hears of each call once', () => {
    const ticket = enter();
    for (let i = 0; i < 10; i++) ticket.failed();
    ticket.succeeded();
    fail(2);
    expect(state()).toBe('closed');
  });
});

describe('an open breaker', () => {
  it('holds starts back until its time is over, and says how long that is', () => {
    fail(4);
    nowMs += 14_999.2;
    expect([retryAfterMs(), state()]).toEqual([1, 'open']);
    nowMs += 0.8;
    expect([retryAfterMs(), state()]).toEqual([0, 'half_open']);
  });

  it('does not listen to calls that were sent before it opened', () => {
    const early = [enter(), enter(), enter()];
    fail(4);
    early[0]?.succeeded();
    early[1]?.failed();
    nowMs += 15_000;
    const probe = enter();
    early[2]?.failed();
    probe.succeeded();
    expect([state(), changes.length]).toEqual(['closed', 3]);
  });

  it('does not listen to a start that left without asking', () => {
    fail(4);
    enter().succeeded();
    expect(state()).toBe('open');
  });
});

describe('a half-open breaker', () => {
  it('lets one start through and holds the others back', () => {
    waitForProbe();
    enter();
    expect([retryAfterMs(), state()]).toEqual([1_000, 'half_open']);
  });

  it('closes with an empty window when the probe succeeds', () => {
    waitForProbe();
    enter().succeeded();
    expect([state(), retryAfterMs()]).toEqual(['closed', 0]);
    fail(3);
    expect(state()).toBe('closed');
    expect(changes).toEqual(['vendor key open', 'vendor key half_open', 'vendor key closed']);
  });

  it('opens for twice as long with each probe that fails, up to four times', () => {
    waitForProbe();
    const waits = [1, 2, 3].map(() => {
      enter().failed();
      const waitMs = retryAfterMs();
      nowMs += waitMs;
      return waitMs;
    });
    expect(waits).toEqual([30_000, 60_000, 60_000]);
    enter().succeeded();
    fail(4);
    expect(retryAfterMs()).toBe(15_000);
  });

  it('gives the place to the next start when the probe was dropped', () => {
    waitForProbe();
    enter().dropped();
    expect(retryAfterMs()).toBe(0);
    enter().succeeded();
    expect(state()).toBe('closed');
  });

  it('does not listen to a start that left beside the probe', () => {
    waitForProbe();
    const probe = enter();
    enter().failed();
    expect(state()).toBe('half_open');
    probe.succeeded();
    expect(state()).toBe('closed');
  });

  it('does not wait for ever for a start that lasts as long as its run', () => {
    waitForProbe();
    const slow = enter();
    nowMs += 60_000;
    expect(retryAfterMs()).toBe(0);
    enter();
    expect(retryAfterMs()).toBe(1_000);
    slow.succeeded();
    expect(state()).toBe('closed');
  });
});

describe('the breakers together', () => {
  it('forget closed ones that were not used within the window', () => {
    succeed(1);
    const open = breakers.enter('slow', 'key');
    nowMs += LIMITS.windowMs;
    expect(breakers.states()).toEqual([{ provider: 'slow', credentialId: 'key', state: 'closed' }]);
    open.succeeded();
    expect(breakers.states()).toEqual([]);
  });

  it('forget one that is not closed when nobody has asked for an hour, and say so', () => {
    fail(4);
    nowMs += HOUR_MS - 1;
    expect(state()).toBe('half_open');
    nowMs += 1;
    expect(breakers.states()).toEqual([]);
    expect(changes).toEqual(['vendor key open', 'vendor key closed']);
  });

  it('are as many as are used, however many credentials come and go', () => {
    for (let i = 0; i < 10_000; i++) {
      breakers.enter('vendor', `key-${i}`).succeeded();
      nowMs += 1_000;
    }
    expect(breakers.states().length).toBeLessThanOrEqual(30);
  });

  it('never let two probes through at a time, and never call while open, whatever happens', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('start' as const) }),
      fc.record({
        do: fc.constantFrom('succeeded' as const, 'failed' as const, 'dropped' as const),
        which: fc.nat({ max: 20 }),
      }),
      fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 20_000 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        let ms = 0;
        let opened = 0;
        let current = 'closed';
        const world = createBreakers({
          clock: { monotonic: () => ms },
          limits: { ...LIMITS, callsMin: 2 },
          onChange(_provider, _credentialId, next) {
            current = next;
            if (next === 'open') opened = ms;
          },
        });
        let flying: { ticket: BreakerTicket; probeAt: number | null }[] = [];
        for (const next of steps) {
          if (next.do === 'pass') ms += next.ms;
          else if (next.do === 'start') {
            if (world.retryAfterMs('vendor', 'key') > 0) continue;
            const wasClosed = current === 'closed';
            const ticket = world.enter('vendor', 'key');
            if (!wasClosed) {
              const others = flying.filter(({ probeAt }) => probeAt !== null && ms - probeAt < 4 * LIMITS.openMs);
              expect(others).toEqual([]);
              expect(ms - opened).toBeGreaterThanOrEqual(LIMITS.openMs);
            }
            flying.push({ ticket, probeAt: wasClosed ? null : ms });
          } else if (flying.length > 0) {
            const [ended] = flying.splice(next.which % flying.length, 1);
            ended?.ticket[next.do]();
            // Probes of before a change say nothing any more.
            if (current !== 'half_open') flying = flying.map(({ ticket }) => ({ ticket, probeAt: null }));
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
