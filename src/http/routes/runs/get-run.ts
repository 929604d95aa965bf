import { sendRun } from '../../answer-run.ts';
import { callerOf, leaveSignal, type App } from '../../app.ts';
import { holdOfRead } from '../../headers/prefer.ts';
import type { Operation } from '../../openapi/operation.ts';
import type { RunsAppParts } from '../../runs-parts.ts';
import { runSchema } from '../../schemas/run-answer.ts';
import { RUN_EXAMPLES } from '../../schemas/run-examples.ts';
import { runIdOf, runPathSchema } from '../../schemas/run-path.ts';

const operation: Operation = {
  id: 'getRun',
  tag: 'Runs',
  summary: 'Read a run',
  description:
    'The run as it is. With `Prefer: wait=N` the call is held until the run has ended or waits, up to N seconds.',
  headers: ['Prefer'],
  answers: {
    200: {
      description: 'The run. Its `error` is here, whatever became of it.',
      schema: runSchema,
      headers: ['Preference-Applied'],
      examples: { succeeded: RUN_EXAMPLES.succeeded, running: RUN_EXAMPLES.running, failed: RUN_EXAMPLES.failed },
    },
  },
  errors: ['not_found'],
};

/** `GET /runs/{id}`: the run, with `Prefer: wait=N` once it has ended or waits. */
export function addGetRun(app: App, { runs, policy }: RunsAppParts): void {
  app.get(
    '/runs/:id',
    { config: { roles: ['runs', 'viewer', 'admin'], operation }, schema: { params: runPathSchema } },
    async (request, reply) => {
      const caller = callerOf(request);
      const id = runIdOf(request.params);
      const hold = holdOfRead(request.headers.prefer as string | undefined);
      const run =
        hold.ms === 0
          ? await runs.get(caller, id)
          : await runs.settle(caller, id, { ms: hold.ms, signal: leaveSignal(reply), written: null });
      if (hold.applied !== null) reply.header('preference-applied', hold.applied);
      sendRun(reply, run, { showKey: policy.seesEveryone(caller) });
      return reply;
    },
  );
}
