import type * as z from 'zod';
import type { Caller } from '../core/caller.ts';
import { GatewayError } from '../core/errors.ts';
import type { RunId } from '../core/ids.ts';
import type { Run } from '../runs/model.ts';
import type { RunPage } from '../runs/ports.ts';
import { renderRun, type Rendering } from '../runs/render-run.ts';
import type { RunService } from '../runs/run-service.ts';
import { PAGE_LENGTH_MAX } from './page-length.ts';
import { writeCursor, type runListSchema } from './schemas/run-list.ts';

interface Listing {
  runs: Pick<RunService, 'list' | 'get'>;
  caller: Caller;
  /** Whether whose each run is is told. */
  showKey: boolean;
}

/** A page of the runs that the caller may see, as JSON. */
export async function listRunPage(query: z.output<typeof runListSchema>, listing: Listing): Promise<string> {
  const { limit, cursor = null, include = [], ...filter } = query;
  const { runs, caller, showKey } = listing;
  const page = await runs.list(caller, filterOf(filter), { limit, before: cursor });
  const rendering = { include: { inputs: include.includes('inputs'), output: include.includes('output') }, showKey };
  return renderPage(page, { runs, caller, rendering });
}

type Filter = Parameters<RunService['list']>[1];

type Asked = Omit<z.output<typeof runListSchema>, 'limit' | 'cursor' | 'include'>;

function filterOf({ created_after: createdAfter, created_before: createdBefore, ...asked }: Asked): Filter {
  const given = Object.entries({ ...asked, createdAfter, createdBefore }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given);
}

interface PageContext {
  runs: Pick<RunService, 'get'>;
  caller: Caller;
  rendering: Rendering;
}

async function renderPage(page: RunPage, context: PageContext): Promise<string> {
  const items: string[] = [];
  let length = 0;
  let next: RunId | null = page.next;
  for (const run of page.runs) {
    const item = await renderItem(run, context);
    if (item === null) continue;
    items.push(item);
    length += item.length;
    if (length <= PAGE_LENGTH_MAX) continue;
    if (run !== page.runs.at(-1)) next = run.id;
    break;
  }
  const cursor = next === null ? null : writeCursor(next);
  return `{"data":[${items.join(',')}],"next_cursor":${JSON.stringify(cursor)}}`;
}

/** Null where the run was deleted since the page was read. */
async function renderItem(run: Run, { runs, caller, rendering }: PageContext): Promise<string | null> {
  const { inputs, output } = rendering.include;
  if (!inputs && !output) return JSON.stringify(renderRun(run, rendering));
  try {
    return JSON.stringify(renderRun(await runs.get(caller, run.id), rendering));
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'not_found') return null;
    throw error;
  }
}
