import { actorOf } from '../../actor-of.ts';
import type { AdminAppParts } from '../../admin-parts.ts';
import { sendRun } from '../../answer-run.ts';
import { callerOf, type App } from '../../app.ts';
import type { Operation } from '../../openapi/operation.ts';
import { runSchema } from '../../schemas/run-answer.ts';
import { emptyBodySchema, runIdOf, runPathSchema } from '../../schemas/run-path.ts';

const operation: Operation = {
  id: 'cancelRun',
  tag: 'Runs',
  summary: 'Cancel a run',
  description: 'As its own key would. A run that has ended is answered as it is.',
  answers: {
    200: { description: 'There is nothing left to do.', schema: runSchema },
    202: { description: 'The vendor is being asked.', schema: runSchema },
  },
  errors: ['not_found'],
};

/** `POST /admin/runs/{id}/cancel`: 202 while the vendor is being asked, 200 once there is nothing left to do. */
export function addAdminCancelRun(app: App, { runs, audited }: Pick<AdminAppParts, 'runs' | 'audited'>): void {
  app.post(
    '/admin/runs/:id/cancel',
    { config: { roles: ['admin'], operation }, schema: { params: runPathSchema, body: emptyBodySchema } },
    async (request, reply) => {
      const caller = callerOf(request);
      const id = runIdOf(request.params);
      const deed = { actor: actorOf(request), action: 'run.cancel', target: { type: 'run', id }, details: {} } as const;
      const run = await audited(deed, () => runs.cancel(caller, id));
      sendRun(reply, run, { status: run.status === 'cancelling' ? 202 : 200, showKey: true });
      return reply;
    },
  );
}
