import type { RunId } from '../../../src/core/ids.ts';
import type { RunEvent } from '../../../src/runs/model.ts';
import type { Journal, RunHistory } from './journal.ts';
import type { VendorStream } from './vendor-stream.ts';

/** What the rules about streams look at. */
export interface StreamsPlayed {
  histories: readonly RunHistory[];
  journal: Pick<Journal, 'entries' | 'streams' | 'draining'>;
}

/**
 * What does not hold of vendors' streams, as sentences. A run's log has, of each of its streams, the beginning of what it
 * said, in order and once, one stream after the other; and all of it that was read, where nobody interfered.
 */
export function judgeStreams({ histories, journal }: StreamsPlayed): string[] {
  const streams = Map.groupBy(journal.streams, ({ marker }) => marker);
  return histories.flatMap((history) => {
    const { run } = history;
    const marker = typeof run.inputs['text'] === 'string' ? run.inputs['text'] : '';
    const own = streams.get(marker) ?? [];
    // A key that was given back has begun another run since: the streams are that one's.
    const others = histories.some((other) => other.run.id !== run.id && other.run.inputs['text'] === marker);
    if (others && run.attempts.every(({ state }) => state === 'not_begun'))
      return logOf(history.events) === '' ? [] : [`${run.id}: it did not begin, and its log has output`];
    return judgeRun(history, own, journal).map((fault) => `${run.id} (${run.kind}, ${run.status}): ${fault}`);
  });
}

function judgeRun(
  { run, events }: RunHistory,
  own: readonly VendorStream[],
  journal: StreamsPlayed['journal'],
): string[] {
  const faults: string[] = [];
  let log = logOf(events);
  for (const stream of own) {
    const { number, said } = stream;
    let stored = 0;
    for (; stored < said.length && log.startsWith(said[stored]!); stored++) log = log.slice(said[stored]!.length);
    const missing = said.slice(stored).filter((piece) => piece !== '').length;
    if (missing > 0 && !isDisturbed(stream, run.id, journal))
      faults.push(
        `stream ${number} was read to its end (${stream.ended}), and ${missing} pieces of it are not in the log`,
      );
  }
  if (log !== '') faults.push(`its log has what no stream said there: ${log.slice(0, 60)}`);
  const starts = own.filter(({ what }) => what === 'start');
  if (starts.length > 1) faults.push(`${starts.length} streams began it`);
  const [start] = starts;
  if (start && run.kind === 'ai-tutor' && run.status === 'succeeded') {
    const said = start.said.join('');
    if (start.ended === 'broken' || start.ended === 'aborted')
      faults.push(`its stream was ${start.ended}, and it succeeded`);
    if (run.output?.text !== said) faults.push('its output is not what the stream said');
  }
  if (run.attempts.length > 0 && run.attempts.every(({ step }) => step === 'token')) {
    const code = run.error?.code;
    if (code === 'outcome_unknown' || run.attempts.some(({ state }) => state === 'began'))
      faults.push(`only a token was asked for, and the run may have begun (${code ?? run.status})`);
  }
  return faults;
}

/**
 * Whether the process was killed or stopped before the end of the stream was written, or somebody else has written the run
 * meanwhile: then it may be lost what was not yet stored.
 */
function isDisturbed(stream: VendorStream, id: RunId, { entries, draining }: StreamsPlayed['journal']): boolean {
  const { process, what, ended, openedAt, endedAt } = stream;
  if (ended === 'no' || ended === 'aborted') return true;
  const step = what === 'start' ? 'start' : 'poll';
  for (const [i, entry] of entries.entries()) {
    if (i < openedAt || entry.is !== 'moved' || entry.id !== id) continue;
    const isOwn = entry.process === process && entry.from.step === step && entry.from.status === 'running';
    if (!isOwn || entry.status === 'cancelling' || entry.step === 'pause') return true;
    if (i < endedAt) continue;
    // A poll beside the stream, which was under way when it ended and had waited for what was said by then.
    if (what === 'follow' && entry.kept && entry.status === 'running') continue;
    // The move that the end of the stream has led to.
    return entry.status === 'cancelled' || (draining.get(process) ?? Infinity) <= i;
  }
  return true;
}

/** What streams have added to the log. */
export function logOf(events: readonly Pick<RunEvent, 'type' | 'data'>[]): string {
  return events
    .map(({ type, data }) => {
      if (type === 'run.output.delta') return (data as { text: string }).text;
      if (type !== 'run.progress') return '';
      const { name, data: shown } = data as { name: string; data: Record<string, string> };
      return name === 'poll' ? '' : `{${shown['tag'] ?? shown['logical_id'] ?? '?'}}`;
    })
    .join('');
}
