import { sendRun } from '../../answer-run.ts';
import { callerOf, type App } from '../../app.ts';
import { auditedForOperators } from '../../audited-for-operators.ts';
import type { Operation } from '../../openapi/operation.ts';
import type { RunsAppParts } from '../../runs-parts.ts';
import { runSchema } from '../../schemas/run-answer.ts';
import { RUN_EXAMPLES } from '../../schemas/run-examples.ts';
import { emptyBodySchema, runIdOf, runPathSchema } from '../../schemas/run-path.ts';

const operation: Operation = {
  id: 'cancelRun',
  tag: 'Runs',
  summary: 'Cancel a run',
  description: `A queued run is cancelled at once, and the vendor never called. A vendor that can be asked is asked; where it refuses, the run returns to its state. From one that cannot be asked the run is taken away: \`cancelled\`, with \`upstream.stopped: false\`, and a late result is dropped.

A run that has ended is answered as it is.`,
  answers: {
    200: {
      description: 'There is nothing left to do.',
      schema: runSchema,
      examples: { cancelled: RUN_EXAMPLES.cancelled, succeeded: RUN_EXAMPLES.succeeded },
    },
    202: {
      description: 'The vendor is being asked.',
      schema: runSchema,
      examples: { cancelling: RUN_EXAMPLES.cancelling },
    },
  },
  errors: ['not_found'],
};

/** `POST /runs/{id}/cancel`: 202 while the vendor is being asked, 200 once there is nothing left to do. */
export function addCancelRun(app: App, { runs, policy, audited }: RunsAppParts): void {
  app.post(
    '/runs/:id/cancel',
    { config: { roles: ['runs', 'admin'], operation }, schema: { params: runPathSchema, body: emptyBodySchema } },
    async (request, reply) => {
      const caller = callerOf(request);
      const id = runIdOf(request.params);
      const run = await auditedForOperators(request, { action: 'run.cancel', id }, { policy, audited }, () =>
        runs.cancel(caller, id),
      );
      sendRun(reply, run, { status: run.status === 'cancelling' ? 202 : 200, showKey: policy.seesEveryone(caller) });
      return reply;
    },
  );
}
