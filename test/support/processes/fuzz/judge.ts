import type { Check } from '../checks.ts';
import type { PlayedFuzz } from './play.ts';

/** Caches have bounds, and may still fill up after the first quarter. */
const HEAP_GROWTH_MB_MAX = 40;
const REQUESTS_A_SECOND_MIN = 20;

/** What must hold of a gateway at which rubbish was thrown. */
export function judgeFuzz(played: PlayedFuzz, seconds: number): Check[] {
  const { requests, statuses, oddities, complaints, heapMb, alive, msMax } = played;
  const [quarter, end] = heapMb;
  const of = (what: RegExp) =>
    oddities.filter((one) => what.test(one.what)).map((one) => `${one.what}: ${one.request} -> ${one.answer}`);
  const told = Array.from(statuses, ([status, count]) => `${count} × ${status}`);
  const answered = (from: number, to: number) =>
    Array.from(statuses).reduce((sum, [status, count]) => (status >= from && status < to ? sum + count : sum), 0);
  return [
    {
      name: 'requests reached it, and some of them honest ones',
      detail: `${requests} requests: ${told.toSorted().join(', ')}`,
      faults: [
        ...(requests < seconds * REQUESTS_A_SECOND_MIN ? ['too few requests to prove anything'] : []),
        ...(answered(200, 300) === 0 ? ['no honest request was answered'] : []),
        ...(answered(401, 402) < requests / 10 ? ['hardly any request was refused for its identity'] : []),
      ],
    },
    { name: 'never a 500', detail: '', faults: of(/500/) },
    {
      name: 'every whole request is answered in time',
      detail: `${msMax.toFixed(0)} ms at most`,
      faults: of(/no whole|closed/),
    },
    { name: 'never a 2xx without an identity', detail: '', faults: of(/without an identity/) },
    { name: 'no answer shows a secret, or a header of the request', detail: '', faults: of(/secret|header that/) },
    { name: 'every refusal is in the envelope', detail: '', faults: of(/envelope/) },
    { name: 'its log has no error', detail: '', faults: complaints },
    { name: 'it lives, and answers', detail: '', faults: alive ? [] : ['an honest request was refused'] },
    {
      name: 'its memory is flat',
      detail: `heap ${quarter.toFixed(1)} MB after a quarter, ${end.toFixed(1)} MB at the end`,
      faults: end - quarter > HEAP_GROWTH_MB_MAX ? ['the heap grew'] : [],
    },
  ];
}
