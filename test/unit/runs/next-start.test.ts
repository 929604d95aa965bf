import { describe, expect, it } from 'vitest';
import { errorBody } from '../../../src/core/errors.ts';
import type { RunId } from '../../../src/core/ids.ts';
import aiTutor from '../../../src/providers/catalog/ai-tutor.ts';
import type { Run } from '../../../src/runs/model.ts';
import { createNextStarts, type FailedStart } from '../../../src/runs/next-start.ts';
import { newRun } from '../../contract/store/sample-run.ts';
import { UNOBSERVED } from '../../support/quiet-engine.ts';
import { FALLBACKS, fallbackWorld, keyOf, type FallbackWorld } from './fallback-world.ts';

const error = errorBody('upstream_workflow_not_found', { provider: 'first' });
const FAILED: FailedStart = { kind: aiTutor, result: { is: 'not_sent', error }, error };
const IO = { signal: new AbortController().signal, close: async () => null };

function startsOf({ clock, random, targets, registry }: FallbackWorld) {
  return createNextStarts({
    ...UNOBSERVED,
    targets,
    clock,
    random,
    registry: () => registry,
    budget: { started: () => {}, take: () => false, giveBack: () => {} },
    limits: { triesMax: 0, budgetShare: 0, waitMs: 1, waitMsMax: 1 },
    kindOf: () => aiTutor,
    calls: { credentialOf: () => Promise.reject(new Error('none is pinned')) },
  });
}

/** A run at the first provider, which counts there while it is running. */
function runAt({ clock, census }: FallbackWorld, number: number, more: Partial<Run> = {}): Run {
  const row = newRun(`run_${number}` as RunId, clock.now(), {
    provider: 'first',
    credentialId: keyOf('first'),
    baseUrl: aiTutor.baseUrl,
    fallbacks: FALLBACKS,
  });
  const run: Run = { ...row, version: 1, seq: 2, dueAt: null, ...more };
  census.saw(run);
  return run;
}

const providerOf = (next: { is: string; patch?: { provider?: string } }) => next.patch?.provider ?? next.is;

describe('starts that look for a fallback at once', () => {
  it('go on to the next one where others have taken the last place, as if they had come later', async () => {
    const world = fallbackWorld({ limits: { concurrency: 1 } });
    const nextStarts = startsOf(world);
    const atOnce = [1, 2, 3].map((number) => nextStarts.after(runAt(world, number), FAILED, IO));
    expect((await Promise.all(atOnce)).map(providerOf)).toEqual(['narrow', 'wide', 'wide']);
    expect(providerOf(await nextStarts.after(runAt(world, 4), FAILED, IO))).toBe('wide');
  });

  it('go on likewise from the queue', async () => {
    const world = fallbackWorld({ limits: { concurrency: 1 } });
    world.fail('first');
    const nextStarts = startsOf(world);
    const atOnce = [1, 2, 3].map((number) =>
      nextStarts.first(runAt(world, number, { status: 'queued', attempts: [] })),
    );
    expect((await Promise.all(atOnce)).map(providerOf)).toEqual(['narrow', 'wide', 'wide']);
  });

  it('leave out, of what they fall back to later, what was passed over', async () => {
    const world = fallbackWorld({ limits: { concurrency: 1 } });
    const nextStarts = startsOf(world);
    const atOnce = [1, 2].map((number) => nextStarts.after(runAt(world, number), FAILED, IO));
    expect(await Promise.all(atOnce)).toMatchObject([
      { patch: { provider: 'narrow', fallbacks: FALLBACKS.slice(1) } },
      { patch: { provider: 'wide', fallbacks: [] } },
    ]);
  });

  it('find a place again that a start gave back', async () => {
    const world = fallbackWorld({ limits: { concurrency: 1 } });
    const nextStarts = startsOf(world);
    const dropped = await nextStarts.after(runAt(world, 1), FAILED, IO);
    if (dropped.is === 'go') dropped.slot.drop();
    expect(providerOf(await nextStarts.after(runAt(world, 2), FAILED, IO))).toBe('narrow');
  });
});
