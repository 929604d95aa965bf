import type { Caller } from '../core/caller.ts';
import { wrongParam } from '../core/errors.ts';
import type { RunId } from '../core/ids.ts';
import { isEnd, renderEnd, renderEvent } from '../runs/render-event.ts';
import type { RunService } from '../runs/run-service.ts';
import { PAGE_LENGTH_MAX } from './page-length.ts';

/** What of a run's log somebody wants to see. */
export interface AskedEvents {
  caller: Caller;
  id: RunId;
  /** Only events behind this number. */
  after: number;
}

/** A page of a run's log, as JSON. Throws `not_found`, and `invalid_request` for an `after` beyond the log. */
export async function listEventPage(
  runs: Pick<RunService, 'events' | 'get'>,
  { caller, id, after }: AskedEvents,
  limit: number,
): Promise<string> {
  // The events before the run: an end among them is of a run that has ended by then.
  const events = await runs.events(caller, id, after, limit);
  const run = await runs.get(caller, id);
  if (after > run.seq) {
    const message = `\`after\`: the run has ${run.seq} events, and none of number ${after}.`;
    throw wrongParam('after', message);
  }
  const items: string[] = [];
  let length = 0;
  let last = after;
  for (const event of events) {
    const item = JSON.stringify(isEnd(event) ? renderEnd(run, event) : renderEvent(id, event));
    items.push(item);
    last = event.seq;
    length += item.length;
    if (length > PAGE_LENGTH_MAX) break;
  }
  const cursor = items.length > 0 && last < run.seq ? JSON.stringify(String(last)) : 'null';
  return `{"data":[${items.join(',')}],"next_cursor":${cursor}}`;
}
