import type { Check } from '../../../test/support/processes/checks.ts';
import type { PlayedSoak } from './play.ts';
import type { SoakSample } from './samples.ts';

const HEAP_GROWTH_MAX = 1.15;
const FIRST_MINUTE_S = 60;
/** A machine with other work may starve the process for so long that its own heartbeat is late, which it then says. */
const UNAVAILABLE_SHARE_MAX = 0.001;
/** One sample may meet a moment with much under way. */
const SAMPLES = 3;
const ENDED: readonly string[] = ['succeeded', 'failed', 'cancelled', 'timed_out'];

/** How many runs ended how, and how many answers were what, most frequent first. */
export function soakFigures(played: PlayedSoak): string {
  const { tally, runs, runsUnderLoad, loadS, cpuS, idle } = played;
  const ends = new Map<string, number>();
  for (const { status, error } of runs.values()) {
    const end = error?.code ?? status;
    ends.set(end, (ends.get(end) ?? 0) + 1);
  }
  return [
    `${runs.size} runs in ${loadS.toFixed(0)} s (${(runsUnderLoad / loadS).toFixed(0)} a second), ${tally.calls} calls`,
    `${((cpuS / loadS) * 100).toFixed(0)} % of a core, ${((cpuS * 1e6) / Math.max(1, runsUnderLoad)).toFixed(0)} µs a run`,
    `idle afterwards: ${idle.heapMb.toFixed(1)} MB of heap, ${idle.rssMb.toFixed(0)} MB resident`,
    `ends: ${listed(ends)}`,
    `answers: ${listed(tally.answers)}`,
  ].join('\n');
}

function listed(counts: ReadonlyMap<string, number>): string {
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  return sorted.map(([what, count]) => `${what} ${count}`).join(', ');
}

/** What was promised, and whether it was kept. */
export function judgeSoak(played: PlayedSoak): Check[] {
  return [
    judgeStuck(played),
    judgeDeadlines(played),
    judgeLoss(played),
    judgeHeap(played.samples),
    judgeStore(played),
    { name: 'no client saw what it should not', detail: `${played.tally.calls} calls`, faults: played.tally.faults },
    {
      name: 'the process lives, and logged no error and no unhandled rejection',
      detail: '',
      faults: [...(played.alive ? [] : ['/healthz does not answer 200']), ...played.complaints],
    },
  ];
}

function judgeStuck({ runs, settledMs, unfinished }: PlayedSoak): Check {
  const open = [...runs].filter(([, { status }]) => !ENDED.includes(status));
  return {
    name: 'no run is stuck',
    detail: `the last one ended ${(settledMs / 1000).toFixed(1)} s after the load`,
    faults: [
      ...(unfinished === 0 ? [] : [`the gauge says ${unfinished} unfinished`]),
      ...open.map(([id, { status, provider, workflow }]) => `${id} is ${status} (${workflow} at ${provider})`),
    ],
  };
}

function judgeDeadlines({ runs }: PlayedSoak): Check {
  const late = [...runs].filter(([, { status }]) => status === 'timed_out');
  return {
    name: 'no run was kept until its deadline',
    detail: '',
    faults: late.map(([id, { provider, workflow }]) => `${id} timed out (${workflow} at ${provider})`),
  };
}

function judgeStore({ tally }: PlayedSoak): Check {
  const refused = tally.answers.get('store_unavailable') ?? 0;
  const most = Math.floor(tally.calls * UNAVAILABLE_SHARE_MAX);
  return {
    name: `the store was there, but for one call in ${1 / UNAVAILABLE_SHARE_MAX} at most`,
    detail: `${refused} of ${tally.calls} calls`,
    faults: refused <= most ? [] : [`${refused} calls were answered store_unavailable`],
  };
}

function judgeLoss({ runs, tally }: PlayedSoak): Check {
  const lost = [...tally.accepted].filter((id) => !runs.has(id));
  return {
    name: 'no accepted run is lost',
    detail: `${tally.accepted.size} of ${runs.size} runs were named to clients`,
    faults: lost,
  };
}

function judgeHeap(samples: readonly SoakSample[]): Check {
  const afterFirst = samples.filter(({ atS }) => atS >= FIRST_MINUTE_S);
  const early = median((afterFirst.length < SAMPLES ? samples : afterFirst).slice(0, SAMPLES));
  const late = median(samples.slice(-SAMPLES));
  const growth = late / early;
  const detail = `${early.toFixed(1)} MB after the first minute, ${late.toFixed(1)} MB at the end, ${(growth * 100 - 100).toFixed(1)} %`;
  const faults = growth <= HEAP_GROWTH_MAX ? [] : [`more than ${Math.round(HEAP_GROWTH_MAX * 100 - 100)} % more`];
  return { name: 'the heap stays flat under load', detail, faults };
}

function median(samples: readonly SoakSample[]): number {
  const sorted = samples.map(({ heapMb }) => heapMb).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
