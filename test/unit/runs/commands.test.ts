import { expect, it, onTestFinished } from 'vitest';
import type { Owner } from '../../../src/core/ids.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { createRunCommands } from '../../../src/runs/commands.ts';
import type { Run } from '../../../src/runs/model.ts';
import { createMover } from '../../../src/runs/mover.ts';
import type { NewRun } from '../../../src/runs/ports.ts';
import { createTestPlace, silentLog } from '../../contract/store/open-test-store.ts';
import { newRun } from '../../contract/store/sample-run.ts';

const b3os = PROVIDER_KINDS.find(({ kind }) => kind === 'b3os');
if (!b3os) throw new Error('no B3OS');
const OWNER = 'own_first' as Owner;
const HOUR_MS = 3_600_000;

async function setUp() {
  const place = createTestPlace();
  const { runs: store } = await place.open();
  onTestFinished(() => place.remove());
  const mover = createMover({ store, clock: place.clock, log: silentLog, onMoved: () => undefined });
  return {
    clock: place.clock,
    commands: createRunCommands({ store, mover, clock: place.clock, kindOf: () => b3os as never }),
    /** Takes the one that is first. */
    next: async () => (await store.claim(OWNER, 1))[0]?.id,
    polled: async (changes: Partial<NewRun> = {}): Promise<Run> => {
      const run = newRun(place.nextId(), place.clock.now(), {
        provider: 'b3os',
        kind: 'b3os',
        owner: null,
        dueInMs: 15_000,
        deadlineAt: place.clock.now() + 24 * HOUR_MS,
        care: { step: 'poll', tries: 3, notFound: 0 },
        ...changes,
      });
      const runId = `theirs_${run.id}`;
      const named = { ...run, upstream: { ...run.upstream, runId } };
      const written = await store.create(changes.upstream ? run : named, { idempotency: null, quota: null });
      if (written.kind !== 'created') throw new Error('expected a new run');
      return written.run;
    },
  };
}

it('go before every poll that is overdue, in the order in which they were given', async () => {
  const { clock, commands, next, polled } = await setUp();
  const overdue = await polled({ dueInMs: 0 });
  clock.advance(HOUR_MS);
  const [paused, cancelled] = [await polled(), await polled()];
  const { upstream } = newRun(paused.id, 0);
  const lookedUp = await polled({
    upstream,
    care: { step: 'lookup', cause: 'outcome_unknown', tries: 1, unknownSince: null },
  });

  for (const [name, { id }] of [
    ['pause', paused],
    ['cancel', lookedUp],
    ['cancel', cancelled],
  ] as const) {
    await commands[name](id);
    clock.advance(1);
  }
  const order = [await next(), await next(), await next(), await next(), await next()];
  expect(order).toEqual([paused.id, lookedUp.id, cancelled.id, overdue.id, undefined]);
});
