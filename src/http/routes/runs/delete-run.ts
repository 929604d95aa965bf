import { GatewayError } from '../../../core/errors.ts';
import { sendRun } from '../../answer-run.ts';
import { callerOf, type App } from '../../app.ts';
import { auditedForOperators } from '../../audited-for-operators.ts';
import type { Operation } from '../../openapi/operation.ts';
import type { RunsAppParts } from '../../runs-parts.ts';
import { runSchema } from '../../schemas/run-answer.ts';
import { RUN_EXAMPLES } from '../../schemas/run-examples.ts';
import { emptyBodySchema, runIdOf, runPathSchema } from '../../schemas/run-path.ts';

const operation: Operation = {
  id: 'deleteRun',
  tag: 'Runs',
  summary: 'Delete a run',
  description:
    'Deletes the record of a run that has ended, and answers with it one last time. Its idempotency key stays used.',
  answers: {
    200: {
      description: 'The run, which is there no more.',
      schema: runSchema,
      examples: { succeeded: RUN_EXAMPLES.succeeded },
    },
  },
  errors: ['not_found', 'run_not_ended'],
};

/** `DELETE /runs/{id}`: deletes the record of a run that has ended, and answers with it one last time. */
export function addDeleteRun(app: App, { runs, policy, audited }: RunsAppParts): void {
  app.delete(
    '/runs/:id',
    { config: { roles: ['runs', 'admin'], operation }, schema: { params: runPathSchema, body: emptyBodySchema } },
    async (request, reply) => {
      const caller = callerOf(request);
      // Records are those of whoever holds the key: a page starts, reads and stops its runs, and leaves them.
      if (caller.token !== null) throw new GatewayError('forbidden', { message: 'A token cannot delete runs.' });
      const id = runIdOf(request.params);
      const run = await auditedForOperators(request, { action: 'run.delete', id }, { policy, audited }, () =>
        runs.remove(caller, id),
      );
      sendRun(reply, run, { showKey: policy.seesEveryone(caller) });
      return reply;
    },
  );
}
