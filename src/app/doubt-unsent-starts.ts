import type { Clock } from '../core/clock.ts';
import type { RunId } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import { newAttempt } from '../runs/open-attempt.ts';
import { closeAttempt } from '../runs/changes.ts';
import { hasNotBegun } from '../runs/has-not-begun.ts';
import type { Run } from '../runs/model.ts';
import { createMover } from '../runs/mover.ts';
import type { Change, RunStore } from '../runs/ports.ts';

const PAGE = 100;

/**
 * Marks every run of a restored store that was not sent yet as perhaps sent. The store is a picture of the past:
 * what was `queued` in it may have been started since, and starting it again could begin a second run. As after
 * a crash, the vendor is then asked where it can be, and where it cannot, the run ends as `outcome_unknown`.
 * Returns how many there were.
 */
export async function doubtUnsentStarts({
  store,
  clock,
  log,
}: {
  store: RunStore;
  clock: Clock;
  log: Log;
}): Promise<number> {
  const mover = createMover({ store, clock, log, onMoved: () => undefined });
  let doubted = 0;
  let before: RunId | null = null;
  do {
    const page = await store.list({ lineage: null, status: ['queued', 'running'] }, { limit: PAGE, before });
    for (const run of page.runs.filter(wouldBeSent)) {
      await mover.move(run, asIfSent(run, clock.now()));
      doubted++;
    }
    before = page.next;
  } while (before !== null);
  return doubted;
}

function wouldBeSent(run: Run): boolean {
  return run.care.step === 'start' && hasNotBegun(run);
}

function asIfSent(run: Run, at: number): Change {
  const { origin } = new URL(run.baseUrl);
  const attempt = newAttempt({ ...run, origin, number: run.attempts.length + 1 }, 'start', at);
  return {
    status: 'running',
    patch: {
      attempts: [...closeAttempt(run, 'not_begun'), attempt],
      startedAt: run.startedAt ?? at,
      care: { step: 'start' },
    },
    events: run.status === 'queued' ? [{ type: 'run.started', at, data: {} }] : [],
    owner: null,
    dueInMs: 0,
  };
}
