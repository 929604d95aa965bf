import { isoTime } from '../../../src/core/iso-time.ts';
import type { RunId } from '../../../src/core/ids.ts';
import { hasEnded, type RunEvent } from '../../../src/runs/model.ts';
import type { RunHistory } from './journal.ts';
import type { Reader, Told } from './readers.ts';

/** What does not hold of readers of events, as sentences: each has the log exactly once and in order. */
export function judgeReaders({
  histories,
  readers,
}: {
  histories: readonly RunHistory[];
  readers: readonly Reader[];
}): string[] {
  const byId = new Map<RunId, RunHistory>(histories.map((history) => [history.run.id, history]));
  return readers.flatMap((reader) => {
    const history = byId.get(reader.runId);
    if (!history) return [];
    return judgeReader(reader, history).map((fault) => `a reader of ${reader.runId} (${history.run.status}): ${fault}`);
  });
}

function judgeReader({ seen, state }: Reader, { run, events, removed }: RunHistory): string[] {
  const odd = seen.findIndex((told, i) => !isSame(told, events[i]));
  if (odd >= 0) return [`event ${odd + 1} of its story is not the log’s: ${JSON.stringify(seen[odd]).slice(0, 120)}`];
  if (state === 'gone') return [];
  if (hasEnded(run) && !removed && state === 'reading')
    return [`it was never told the end (${seen.length} of ${events.length})`];
  if (state === 'done' && !removed && seen.length !== events.length)
    return [`it was told that this is all, after ${seen.length} of ${events.length} events`];
  return [];
}

function isSame(told: Told, event: RunEvent | undefined): boolean {
  if (!event || told.seq !== event.seq || told.type !== event.type || told.at !== isoTime(event.at)) return false;
  if (hasEnded({ status: event.type.slice('run.'.length) as never }))
    return (told.data as { run: { status: string } }).run.status === event.type.slice('run.'.length);
  return JSON.stringify(told.data) === JSON.stringify(event.data);
}
