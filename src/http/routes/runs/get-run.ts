import { sendRun } from '../../answer-run.ts';
import { callerOf, leaveSignal, type App } from '../../app.ts';
import { holdOfRead } from '../../headers/prefer.ts';
import type { RunsAppParts } from '../../runs-parts.ts';
import { runIdOf, runPathSchema } from '../../schemas/run-path.ts';

/** `GET /runs/{id}`: the run, with `Prefer: wait=N` once it has ended or waits. */
export function addGetRun(app: App, { runs, policy }: RunsAppParts): void {
  app.get(
    '/runs/:id',
    { config: { roles: ['runs', 'viewer', 'admin'] }, schema: { params: runPathSchema } },
    async (request, reply) => {
      const caller = callerOf(request);
      const id = runIdOf(request.params);
      const hold = holdOfRead(request.headers.prefer as string | undefined);
      if (hold.applied !== null) reply.header('preference-applied', hold.applied);
      const run =
        hold.ms === 0
          ? await runs.get(caller, id)
          : await runs.settle(caller, id, { ms: hold.ms, signal: leaveSignal(reply), written: null });
      sendRun(reply, run, { admin: policy.seesEveryone(caller) });
      return reply;
    },
  );
}
