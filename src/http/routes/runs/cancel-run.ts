import { sendRun } from '../../answer-run.ts';
import { callerOf, type App } from '../../app.ts';
import type { RunsAppParts } from '../../runs-parts.ts';
import { emptyBodySchema, runIdOf, runPathSchema } from '../../schemas/run-path.ts';

/** `POST /runs/{id}/cancel`: 202 while the vendor is being asked, 200 once there is nothing left to do. */
export function addCancelRun(app: App, { runs, policy }: RunsAppParts): void {
  app.post(
    '/runs/:id/cancel',
    { config: { roles: ['runs', 'admin'] }, schema: { params: runPathSchema, body: emptyBodySchema } },
    async (request, reply) => {
      const caller = callerOf(request);
      const run = await runs.cancel(caller, runIdOf(request.params));
      sendRun(reply, run, { status: run.status === 'cancelling' ? 202 : 200, admin: policy.seesEveryone(caller) });
      return reply;
    },
  );
}
