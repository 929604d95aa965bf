import type { AdminAppParts } from '../../admin-parts.ts';
import { callerOf, type App } from '../../app.ts';
import { listRunPage } from '../../list-run-page.ts';
import type { Operation } from '../../openapi/operation.ts';
import { sendJson } from '../../reply.ts';
import { runPageSchema } from '../../schemas/run-answer.ts';
import { runListSchema } from '../../schemas/run-list.ts';

const operation: Operation = {
  id: 'listRuns',
  tag: 'Runs',
  summary: 'List everyone’s runs',
  description: 'Newest first, in pages, each with its `key`.',
  answers: { 200: { description: 'A page of runs.', schema: runPageSchema } },
  errors: [],
};

/** `GET /admin/runs`: everyone's, newest first, in pages. */
export function addAdminListRuns(app: App, { runs }: Pick<AdminAppParts, 'runs'>): void {
  app.get(
    '/admin/runs',
    { config: { roles: ['viewer', 'admin'], operation }, schema: { querystring: runListSchema } },
    async (request, reply) => {
      const listing = { runs, caller: callerOf(request), showKey: true };
      sendJson(reply, 200, await listRunPage(request.query, listing));
      return reply;
    },
  );
}
