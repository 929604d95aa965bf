import type { RunStore } from '../../../src/runs/ports.ts';
import type { Journal } from './journal.ts';
import type { Process } from './process.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedClock } from './simulated-clock.ts';

const HINTS_MAX = 12;
const COPIES_MAX = 4;

/** Vendors' own webhooks: about any run, at any time, in copies, some of them not the vendor's. */
export function planHints({
  clock,
  random,
  journal,
  inner,
  current,
  untilMs,
}: {
  clock: SimulatedClock;
  random: SeededRandom;
  journal: Journal;
  inner: RunStore;
  current: () => Process;
  untilMs: number;
}): void {
  async function hint(): Promise<void> {
    const ids = [...journal.created];
    if (ids.length === 0) return;
    const run = await inner.peek(random.pick(ids));
    const id = run?.upstream.runId ?? run?.id ?? 'run_unknown';
    const provider = random.chance(0.9) ? (run?.provider ?? 'b3os') : random.pick(['b3os', 'interactly', 'nobody']);
    const text = JSON.stringify({
      runId: id,
      workflow_run_id: id,
      status: random.pick(['success', 'failed', 'waiting']),
    });
    const signature = random.chance(0.9) ? 'right' : 'wrong';
    const timestamp = String(Math.floor(clock.now() / 1000));
    const headers = {
      'x-b3os-signature': signature,
      'x-signature': signature,
      'x-interactly-signature': signature,
      'x-timestamp': timestamp,
      'x-interactly-timestamp': timestamp,
    };
    const { engine, isOpen } = current();
    const { inbound } = engine;
    for (let copies = 1 + random.below(COPIES_MAX); copies > 0 && isOpen(); copies--)
      await inbound.receive(provider, { headers, body: new TextEncoder().encode(text) });
  }

  if (random.chance(0.5)) return;
  for (let left = random.below(HINTS_MAX); left > 0; left--)
    clock.after(random.below(untilMs), () => void hint().catch(() => {}));
}
