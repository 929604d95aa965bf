import { sendRun } from '../../answer-run.ts';
import { callerOf, type App } from '../../app.ts';
import { auditedForOperators } from '../../audited-for-operators.ts';
import type { Operation } from '../../openapi/operation.ts';
import type { RunsAppParts } from '../../runs-parts.ts';
import { runSchema } from '../../schemas/run-answer.ts';
import { RUN_EXAMPLES } from '../../schemas/run-examples.ts';
import { emptyBodySchema, runIdOf, runPathSchema } from '../../schemas/run-path.ts';

const operation: Operation = {
  id: 'pauseRun',
  tag: 'Runs',
  summary: 'Pause a run',
  description: 'Asks the vendor to make a running run wait; it is `waiting` once the vendor says so.',
  answers: {
    202: { description: 'The vendor is being asked.', schema: runSchema, examples: { running: RUN_EXAMPLES.running } },
  },
  errors: ['not_found', 'run_not_running', 'run_not_addressable', 'unsupported_operation'],
};

/** `POST /runs/{id}/pause`: 202; the vendor is asked, and the run is `waiting` once it says so. */
export function addPauseRun(app: App, { runs, policy, audited }: RunsAppParts): void {
  app.post(
    '/runs/:id/pause',
    { config: { roles: ['runs', 'admin'], operation }, schema: { params: runPathSchema, body: emptyBodySchema } },
    async (request, reply) => {
      const caller = callerOf(request);
      const id = runIdOf(request.params);
      const run = await auditedForOperators(request, { action: 'run.pause', id }, { policy, audited }, () =>
        runs.pause(caller, id),
      );
      sendRun(reply, run, { status: 202, showKey: policy.seesEveryone(caller) });
      return reply;
    },
  );
}
