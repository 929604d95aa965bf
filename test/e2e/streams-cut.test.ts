import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROVIDER_KINDS } from '../../src/providers/catalog.generated.ts';
import { allAtOnce } from '../support/all-at-once.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { seededRandom } from '../support/simulation/seeded-random.ts';
import { readWithCut, type Cut, type CutReading } from '../support/streams-cutter.ts';
import { FORMATS, wayOf } from '../contract/vendors/stream-table.ts';

/** One way in which a run's events come to be. */
interface Shape {
  kind: string;
  workflow: string;
}

interface CutEverywhere {
  uncut: CutReading;
  /** Begun with the run, and cut while it went on. */
  live: CutReading[];
  /** Cut in what is told again after the end. */
  replayed: CutReading[];
}

const SEED = 20_260_801;
const DELTAS = 120;
const RUN_MS = 10_000;
/** Polls come with the sweep, five a second. */
const POLLED_RUN_MS = 18_000;
/** On a busy machine pieces come together, and polls are fewer. */
const EVENTS_MIN = 40;
const BYTE_CUTS = 200;
/** What so many events come to at least, so that nearly every offset is within them while they come. */
const BYTES_AT_LEAST = EVENTS_MIN * 160;
const SLOW_MS = 120_000;

const shapes: Shape[] = PROVIDER_KINDS.flatMap((kind) => {
  const way = wayOf(kind);
  if (way === 'polls') return [{ kind: kind.kind, workflow: `runs-${POLLED_RUN_MS}` }];
  const streamed = `deltas-${DELTAS}.runs-${RUN_MS}`;
  const formats = way === 'http' ? FORMATS : [way];
  return formats.map((format) => ({ kind: kind.kind, workflow: `${format}.${streamed}` }));
});
const nameOf = ({ kind, workflow }: Shape) => `${kind}: ${workflow}`;
const results = allAtOnce(shapes, nameOf, cutEverywhere);
let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startTestGateway({
    kinds: PROVIDER_KINDS.map((kind) => ({ ...kind, pollPace: { firstMs: 20, factor: 1, maxMs: 20 } })),
    // Every piece is an event of its own.
    environment: { RUNGATE_DELTA_GROUP_MS: '0' },
  });
  results.begin();
});
afterAll(() => gateway.stop());

async function cutEverywhere({ kind, workflow }: Shape): Promise<CutEverywhere> {
  const body = { provider: kind, workflow: gateway.workflowId(kind, workflow), inputs: {} };
  // A listener from the beginning makes it a stream.
  const first = await fetch(`${gateway.url()}/runs`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: {
      authorization: gateway.authorization,
      accept: 'text/event-stream',
      'content-type': 'application/json',
    },
  });
  const target = {
    port: Number(new URL(gateway.url()).port),
    path: `${first.headers.get('location')}/events`,
    authorization: gateway.authorization,
  };
  const random = seededRandom(SEED);
  const byteCuts = (bytes: number): Cut[] =>
    Array.from({ length: BYTE_CUTS }, () => ({ bytes: 1 + random.below(bytes) }));
  const eventCuts = (events: number): Cut[] => Array.from({ length: events + 1 }, (_, i) => ({ events: i }));
  const uncut = readWithCut(target, null);
  const cuts = [...eventCuts(DELTAS + 3), ...byteCuts(BYTES_AT_LEAST)];
  const live = await Promise.all(cuts.map((cut) => readWithCut(target, cut)));
  await first.text();
  const whole = await uncut;
  // What is told again comes in larger chunks, so its marks are fewer.
  const { bytes } = await readWithCut(target, null);
  const again = [...eventCuts(whole.events), ...byteCuts(bytes)];
  return { uncut: whole, live, replayed: await Promise.all(again.map((cut) => readWithCut(target, cut))) };
}

describe.each(shapes)('a run of $kind, $workflow, whose readers are cut off', (shape) => {
  it(
    'tells them on their return the same bytes as one that was never cut off',
    async () => {
      const { uncut, live, replayed } = await results.resultOf(nameOf(shape));
      expect(uncut.connections).toBe(1);
      expect(uncut.events).toBeGreaterThanOrEqual(EVENTS_MIN);
      for (const reading of [...live, ...replayed]) {
        if (reading.data !== uncut.data) expect(reading.data).toBe(uncut.data);
      }
      // Once at every event and at every offset of the whole, and most of them while it came as well.
      expect(live.filter(({ wasCut }) => wasCut).length).toBeGreaterThan(EVENTS_MIN + BYTE_CUTS * 0.8);
      expect(replayed).toHaveLength(uncut.events + 1 + BYTE_CUTS);
      expect(replayed.filter(({ wasCut }) => !wasCut)).toEqual([]);
    },
    SLOW_MS,
  );
});

describe('the gateway', () => {
  it(
    'makes no mistake of its own in all this',
    async () => {
      await Promise.allSettled(shapes.map((shape) => results.resultOf(nameOf(shape))));
      expect(gateway.complaints).toEqual([]);
    },
    SLOW_MS,
  );
});
