import { describe, expect, it } from 'vitest';
import type { RunId } from '../../../src/core/ids.ts';
import type { OutboundAnswer } from '../../../src/core/outbound.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { afterRead, type ReadResult } from '../../../src/runs/after-read.ts';
import type { Moment } from '../../../src/runs/changes.ts';
import type { Care, Run } from '../../../src/runs/model.ts';
import type { ReadOperation } from '../../../src/runs/vendor-calls.ts';
import { newRun } from '../../contract/store/sample-run.ts';

const NOW = 1_800_000_000_000;
const kind = PROVIDER_KINDS.find((one) => one.kind === 'b3os');
if (!kind) throw new Error('no B3OS');
const moment: Moment = { nowMs: NOW, random: createSystemRandom(), kind, rateLimit: null, followed: false };

function runThat(care: Care, changes: Partial<Run> = {}): Run {
  const fresh = newRun('run_01k9zq00000000000000000000' as RunId, NOW);
  return { ...fresh, version: 1, seq: 2, startedAt: NOW, deadlineAt: NOW + 330_000, care, ...changes } as Run;
}

const cancelling = (next: 'ask' | 'look', tries = 0): Run =>
  runThat({ step: 'cancel', next, tries, notFound: 0, from: 'running' }, { status: 'cancelling' });

function after(run: Run, operation: ReadOperation, reading: ReadResult['reading']) {
  return afterRead(run, { reading, answer: null, operation }, moment);
}

describe('a cancel that brought no answer', () => {
  it.each(['failed', 'cut_short'] as const)('is looked after before it is sent again: %s', (is) => {
    const reading = is === 'failed' ? { is, error: null } : { is };
    const change = after(cancelling('ask'), 'cancel', reading);
    expect(change).toMatchObject({
      status: 'cancelling',
      patch: { care: { next: 'look', tries: 1, from: 'running' } },
    });
    const looked = after(cancelling('look', 1), 'poll', { is: 'failed', error: null });
    expect(looked).toMatchObject({ status: 'cancelling', patch: { care: { next: 'ask', tries: 2 } } });
  });
});

describe('a cancel that the vendor answers with an error', () => {
  it.each([401, 402, 403, 404, 408, 429, 500, 503])('is not given up: %s', (status) => {
    const change = after(cancelling('ask'), 'cancel', { is: 'refused', status });
    expect(change).toMatchObject({ status: 'cancelling', patch: { care: { step: 'cancel' } } });
  });

  it.each([400, 409, 422])('is refused by it, and the run is polled at once: %s', (status) => {
    const change = after(cancelling('ask'), 'cancel', { is: 'refused', status });
    expect(change).toMatchObject({ status: 'running', dueInMs: 0, patch: { upstream: { stopped: false } } });
  });
});

describe('a read that was cut short', () => {
  it.each<[ReadOperation, Care]>([
    ['poll', { step: 'poll', tries: 3, notFound: 1 }],
    ['lookup', { step: 'lookup', cause: 'outcome_unknown', tries: 3, unknownSince: NOW - 1_000 }],
    ['pause', { step: 'pause', tries: 1 }],
  ])('has taught nothing: %s', (operation, care) => {
    const { status, patch, events } = after(runThat(care), operation, { is: 'cut_short' });
    expect([status, patch, events]).toEqual(['running', {}, []]);
  });
});

describe('a vendor that does not know the run', () => {
  it('is believed the third time in a row', () => {
    const refused = { is: 'refused', status: 404 } as const;
    const first = after(runThat({ step: 'poll', tries: 1, notFound: 0 }), 'poll', refused);
    expect(first).toMatchObject({ status: 'running', patch: { care: { notFound: 1 } } });
    const third = after(runThat({ step: 'poll', tries: 1, notFound: 2 }), 'poll', refused);
    expect(third).toMatchObject({ status: 'failed', patch: { error: { code: 'upstream_run_not_found' } } });
  });

  it('says so in its own words in the error', () => {
    const body = { kind: 'json', value: { message: 'Run deleted' } } as const;
    const answer: OutboundAnswer = { status: 404, headers: {}, body, durationMs: 1 };
    const result = { reading: { is: 'refused', status: 404 }, answer, operation: 'poll' } as const;
    const third = afterRead(runThat({ step: 'poll', tries: 1, notFound: 2 }), result, moment);
    expect(third.patch.error?.upstream).toMatchObject({ status: 404, message: 'Run deleted' });
  });

  it('is asked anew where another answer came between, while the run is cancelled too', () => {
    const asked = (next: 'ask' | 'look', operation: ReadOperation) =>
      after(
        runThat({ step: 'cancel', next, tries: 3, notFound: 2, from: 'running' }, { status: 'cancelling' }),
        operation,
        { is: 'refused', status: 500 },
      );
    expect(asked('look', 'poll')).toMatchObject({ patch: { care: { next: 'ask', notFound: 0 } } });
    const polled = after(runThat({ step: 'poll', tries: 2, notFound: 2 }), 'poll', { is: 'failed', error: null });
    expect(polled).toMatchObject({ patch: { care: { notFound: 0 } } });
    // A cancel that fails says nothing of whether the run is known.
    expect(asked('ask', 'cancel')).toMatchObject({ patch: { care: { next: 'look', notFound: 2 } } });
  });
});
