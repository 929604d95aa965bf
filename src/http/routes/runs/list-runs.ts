import { callerOf, type App } from '../../app.ts';
import { listRunPage } from '../../list-run-page.ts';
import { sendJson } from '../../reply.ts';
import type { Operation } from '../../openapi/operation.ts';
import type { RunsAppParts } from '../../runs-parts.ts';
import { runPageSchema } from '../../schemas/run-answer.ts';
import { RUN_PAGE_EXAMPLES } from '../../schemas/run-examples.ts';
import { runListSchema } from '../../schemas/run-list.ts';

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
      const listing = { runs, caller, showKey: policy.seesEveryone(caller) };
      sendJson(reply, 200, await listRunPage(request.query, listing));
      return reply;
    },
  );
}
