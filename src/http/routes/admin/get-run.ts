import type { AdminAppParts } from '../../admin-parts.ts';
import { sendRun } from '../../answer-run.ts';
import { callerOf, type App } from '../../app.ts';
import type { Operation } from '../../openapi/operation.ts';
import { runSchema } from '../../schemas/run-answer.ts';
import { runIdOf, runPathSchema } from '../../schemas/run-path.ts';

const operation: Operation = {
  id: 'getRun',
  tag: 'Runs',
  summary: 'Read a run',
  description: 'Anyone’s run as it is, with its `key`.',
  answers: { 200: { description: 'The run.', schema: runSchema } },
  errors: ['not_found'],
};

/** `GET /admin/runs/{id}`: anyone's run. */
export function addAdminGetRun(app: App, { runs }: Pick<AdminAppParts, 'runs'>): void {
  app.get(
    '/admin/runs/:id',
    { config: { roles: ['viewer', 'admin'], operation }, schema: { params: runPathSchema } },
    async (request, reply) => {
      sendRun(reply, await runs.get(callerOf(request), runIdOf(request.params)), { showKey: true });
      return reply;
    },
  );
}
