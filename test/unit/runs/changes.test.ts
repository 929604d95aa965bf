import { describe, expect, it } from 'vitest';
import { errorBody } from '../../../src/core/errors.ts';
import type { RunId } from '../../../src/core/ids.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { afterStart } from '../../../src/runs/after-start.ts';
import { applyOutcome, COMMAND_DUE_IN_MS, endAtDeadline, type Moment } from '../../../src/runs/changes.ts';
import type { Care, Run } from '../../../src/runs/model.ts';
import { newAttempt, openAttempt } from '../../../src/runs/open-attempt.ts';
import { newRun } from '../../contract/store/sample-run.ts';

const NOW = 1_800_000_000_000;
const OWNER = newRun('run_01k9zq00000000000000000000' as RunId, NOW).owner;
const kind = PROVIDER_KINDS.find((one) => one.kind === 'b3os');
if (!kind || OWNER === null) throw new Error('no B3OS, or nobody who owns the run');
const random = createSystemRandom();
const moment: Moment = { nowMs: NOW, random, kind, rateLimit: null, followed: false };
const RUNNING = { is: 'running', status: 'executing' } as const;

function runThat(changes: Partial<Run>): Run {
  const fresh = newRun('run_01k9zq00000000000000000000' as RunId, NOW);
  return { ...fresh, version: 1, seq: 2, startedAt: NOW, deadlineAt: NOW + 330_000, ...changes } as Run;
}

const polled = (tries: number): Care => ({ step: 'poll', tries, notFound: 0 });

describe('a run that its vendor calls running', () => {
  it('is asked less and less often, every 15 s in the end', () => {
    const waits: number[] = [];
    let care = polled(0);
    for (let i = 0; i < 12; i++) {
      const change = applyOutcome(runThat({ care }), RUNNING, moment);
      waits.push(change.dueInMs ?? 0);
      care = change.patch.care ?? care;
    }
    const [first = 0, , , fourth = 0] = waits;
    expect([first < 1_200, fourth > 2_500, (waits.at(-1) ?? 0) > 13_000, Math.max(...waits) <= 16_500]).toEqual([
      true,
      true,
      true,
      true,
    ]);
  });

  it('is not asked before the vendor’s limit is reset, and no later than at its deadline', () => {
    const limited = (reset: number): Moment => ({
      ...moment,
      rateLimit: { limit: 10, remaining: 0, reset, observedAt: NOW },
    });
    const dueInMs = (reset: number) => applyOutcome(runThat({ care: polled(1) }), RUNNING, limited(reset)).dueInMs;
    expect([dueInMs(NOW + 20_000), dueInMs(NOW + 3_600_000)]).toEqual([20_000, 330_000]);
  });

  it('has what was left of its time, where somebody has resumed it at the vendor', () => {
    const waiting = runThat({ status: 'waiting', waiting: { for: 'input', hint: null }, remainingMs: 5_000 } as never);
    const change = applyOutcome({ ...waiting, care: polled(1) }, RUNNING, moment);
    expect(change).toMatchObject({ status: 'running', patch: { deadlineAt: NOW + 5_000, remainingMs: null } });
    expect(change.events.map(({ type }) => type)).toEqual(['run.resumed']);
  });
});

describe('a cancel that could not be sent before the vendor had named the run', () => {
  const cancelling = runThat({ status: 'cancelling', care: { step: 'start' } });

  it('goes before all that is overdue', () => {
    const change = applyOutcome(cancelling, RUNNING, moment);
    expect(change).toMatchObject({ patch: { care: { step: 'cancel' } }, dueInMs: COMMAND_DUE_IN_MS });
  });

  it('waits for the vendor’s limit, as everything else does', () => {
    const rateLimit = { limit: 10, remaining: 0, reset: NOW + 20_000, observedAt: NOW };
    expect(applyOutcome(cancelling, RUNNING, { ...moment, rateLimit }).dueInMs).toBe(20_000);
  });
});

describe('a run whose time is up', () => {
  it('says that its vendor refused to tell how it went, where that is so', () => {
    const message = (changes: Partial<Run>) => endAtDeadline(runThat(changes), null, NOW).patch.error?.message;
    const pollError = errorBody('upstream_auth_failed', { provider: 'b3os' });
    const plain = 'The run did not end within its timeout_s.';
    const upstream = { ...runThat({}).upstream, pollError };
    expect(message({ care: polled(3) })).toBe(plain);
    expect(message({ care: polled(3), upstream })).toBe(
      `${plain} The vendor refused to tell how it went (upstream_auth_failed).`,
    );
    // Of a cancel that it refused, or where we could not ask it, that would not be true.
    const cancel: Care = { step: 'cancel', next: 'look', tries: 1, notFound: 0, from: 'running' };
    expect(message({ care: cancel, upstream })).toBe(plain);
    const ours = { ...upstream, pollError: errorBody('vault_unavailable', { provider: 'b3os' }) };
    expect(message({ care: polled(3), upstream: ours })).toBe(plain);
  });
});

describe('a run that its vendor calls cancelled', () => {
  it('was stopped for us only where we had asked for it', () => {
    const stopped = (status: 'running' | 'cancelling') =>
      applyOutcome(runThat({ status, care: polled(1) }), { is: 'cancelled', status: 'cancelled' }, moment).patch
        .upstream?.stopped;
    expect([stopped('running'), stopped('cancelling')]).toEqual([null, true]);
  });
});

describe('a start that was held back', () => {
  it('ends a run that was cancelled meanwhile: nothing has left', () => {
    const parts = { kindOf: () => kind, clock: { now: () => NOW } as never, random, isFollowed: () => false };
    const attempts = [
      newAttempt({ ...runThat({}), origin: 'https://vendor.example', number: 1, credentialId: 'c' }, 'start', NOW),
    ];
    const run = runThat({ status: 'cancelling', care: { step: 'start' }, attempts });
    expect(afterStart(parts, run, { is: 'held_back' })).toMatchObject({
      status: 'cancelled',
      patch: { attempts: [{ state: 'not_begun' }] },
    });
  });
});

describe('the next attempt', () => {
  const parts = { clock: { now: () => NOW }, owner: OWNER };
  const attempt = (number: number) =>
    newAttempt({ ...runThat({}), origin: 'https://vendor.example', number, credentialId: 'c' }, 'start', NOW);
  const sent = runThat({ status: 'running', care: { step: 'start' }, attempts: [attempt(1)] });

  it('is opened behind the one that began nothing', () => {
    expect(openAttempt(parts, sent, { step: 'start', from: sent, at: NOW })).toMatchObject({
      patch: { attempts: [{ state: 'not_begun' }, { number: 2, state: 'open' }] },
    });
  });

  it('is opened once where the answer to its own write was lost', () => {
    const change = openAttempt(parts, sent, { step: 'start', from: sent, at: NOW });
    const written = { ...sent, ...change?.patch, version: sent.version + 1 };
    const again = openAttempt(parts, written, { step: 'start', from: sent, at: NOW });
    expect(again?.patch.attempts).toEqual(written.attempts);
  });

  it.each<[string, Partial<Run>]>([
    ['another was opened since', { attempts: [attempt(1), { ...attempt(2), at: NOW + 1 }] }],
    ['the vendor has named the run', { upstream: { ...sent.upstream, runId: 'vendor-1' } }],
    ['the run is being cancelled', { status: 'cancelling' }],
    ['somebody else has it', { owner: null }],
  ])('is not opened where %s', (_what, changes) => {
    expect(openAttempt(parts, { ...sent, ...changes }, { step: 'start', from: sent, at: NOW })).toBeNull();
  });
});
