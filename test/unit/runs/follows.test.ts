import { describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import type { RunId } from '../../../src/core/ids.ts';
import { Secret } from '../../../src/core/secret.ts';
import b3os from '../../../src/providers/catalog/b3os.ts';
import { createFollows, FOLLOWED_EVENTS_MAX } from '../../../src/runs/follows.ts';
import type { Run } from '../../../src/runs/model.ts';
import type { OutputLog } from '../../../src/runs/output-logs.ts';
import type { VendorCalls } from '../../../src/runs/vendor-calls.ts';
import { createOutputScrub } from '../../../src/upstream/output-scrub.ts';
import { newRun } from '../../contract/store/sample-run.ts';

const quiet = () => undefined;
const done = () => Promise.resolve();

function runWith(seq: number): Run {
  const upstream = { runId: 'run_at_vendor', status: null, requestId: null, stopped: null };
  const run = newRun('run_1' as RunId, 0, { provider: 'mine', kind: 'b3os' });
  return { ...run, status: 'running', seq, upstream, deadlineAt: Date.now() + 60_000 } as unknown as Run;
}

/** Follows whose vendor says a step again and again, without an end, to a reader who stays. */
function followsOfEndless() {
  const steps: string[] = [];
  const warned: string[] = [];
  const polled: boolean[] = [];
  const state = { opened: 0, left: 0 };
  const output: OutputLog = {
    delta: quiet,
    progress: (name) => void steps.push(name),
    ready: done,
    flush: done,
    stale: false,
  };
  const follow = async () => {
    state.opened++;
    const stream = {
      status: 200,
      headers: {},
      scrub: createOutputScrub([new Secret('sk_1')], quiet),
      frames: (async function* () {
        try {
          for (;;) yield { kind: 'event', event: 'step', data: '{"n":1}' } as const;
        } finally {
          state.left++;
        }
      })(),
    };
    return { is: 'stream', stream } as const;
  };
  const follows = createFollows({
    calls: { follow } as unknown as VendorCalls,
    outputLogs: { open: () => output },
    kindOf: () => b3os as never,
    isFollowed: () => true,
    clock: systemClock,
    log: { debug: quiet, info: quiet, warn: (_, message) => void warned.push(message), error: quiet },
    async poll(run, { keep }) {
      polled.push(keep);
      return keep ? { run, dueInMs: 60_000 } : null;
    },
  });
  return { follows, steps, warned, polled, state };
}

describe('a vendor whose stream has no end', () => {
  it('is left once the run has as many events as a followed one may have, and the run is polled', async () => {
    const { follows, steps, warned, polled, state } = followsOfEndless();
    expect(follows.take(runWith(FOLLOWED_EVENTS_MAX - 7))).toBe(true);
    await vi.waitFor(() => expect(follows.ids()).toEqual([]));
    expect(steps).toHaveLength(7);
    expect(state).toEqual({ opened: 1, left: 1 });
    expect(warned).toEqual([expect.stringContaining('too many steps')]);
    expect(polled.at(-1)).toBe(false);
  });

  it('is not followed any more then', () => {
    const { follows, state, warned } = followsOfEndless();
    expect(follows.take(runWith(FOLLOWED_EVENTS_MAX))).toBe(false);
    expect({ state, warned }).toEqual({ state: { opened: 0, left: 0 }, warned: [] });
  });
});
