import type * as z from 'zod';
import type { Caller } from '../../../core/caller.ts';
import { GatewayError } from '../../../core/errors.ts';
import type { RunId } from '../../../core/ids.ts';
import type { Run } from '../../../runs/model.ts';
import type { RunPage } from '../../../runs/ports.ts';
import { renderRun, type Rendering } from '../../../runs/render-run.ts';
import type { RunService } from '../../../runs/run-service.ts';
import { callerOf, type App } from '../../app.ts';
import { sendJson } from '../../reply.ts';
import type { Operation } from '../../openapi/operation.ts';
import type { RunsAppParts } from '../../runs-parts.ts';
import { runPageSchema } from '../../schemas/run-answer.ts';
import { RUN_PAGE_EXAMPLES } from '../../schemas/run-examples.ts';
import { runListSchema, writeCursor } from '../../schemas/run-list.ts';

/** A page with payloads ends early beyond this many characters: payloads have no other bound together. */
const PAGE_LENGTH_MAX = 16_777_216;

const operation: Operation = {
  id: 'listRuns',
  tag: 'Runs',
  summary: 'List runs',
  description: 'Newest first, in pages. A key of role `runs` sees its own, `viewer` and `admin` everyone’s.',
  answers: { 200: { description: 'A page of runs.', schema: runPageSchema, examples: RUN_PAGE_EXAMPLES } },
  errors: [],
};

/** `GET /runs`: newest first, in pages. */
export function addListRuns(app: App, { runs, policy }: RunsAppParts): void {
  app.get(
    '/runs',
    { config: { roles: ['runs', 'viewer', 'admin'], operation }, schema: { querystring: runListSchema } },
    async (request, reply) => {
      const caller = callerOf(request);
      const { limit, cursor = null, include = [], ...filter } = request.query;
      const page = await runs.list(caller, filterOf(filter), { limit, before: cursor });
      const rendering = {
        include: { inputs: include.includes('inputs'), output: include.includes('output') },
        showKey: policy.seesEveryone(caller),
      };
      sendJson(reply, 200, await renderPage(page, { runs, caller, rendering }));
      return reply;
    },
  );
}

type Filter = Parameters<RunService['list']>[1];

type Asked = Omit<z.output<typeof runListSchema>, 'limit' | 'cursor' | 'include'>;

function filterOf({ created_after: createdAfter, created_before: createdBefore, ...asked }: Asked): Filter {
  const given = Object.entries({ ...asked, createdAfter, createdBefore }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given);
}

interface PageContext {
  runs: RunService;
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
