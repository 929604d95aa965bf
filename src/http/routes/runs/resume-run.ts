import * as z from 'zod';
import { GatewayError } from '../../../core/errors.ts';
import { answerStart } from '../../answer-run.ts';
import { callerOf, type App } from '../../app.ts';
import { holdOfStart } from '../../headers/prefer.ts';
import { contextOf, holdRun } from '../../hold-run.ts';
import type { Operation } from '../../openapi/operation.ts';
import type { RunsAppParts } from '../../runs-parts.ts';
import { runSchema } from '../../schemas/run-answer.ts';
import { RUN_EXAMPLES } from '../../schemas/run-examples.ts';
import { runIdOf, runPathSchema } from '../../schemas/run-path.ts';
import { jsonObject } from '../../schemas/run-request.ts';

const resumeSchema = z.strictObject({ inputs: jsonObject.optional(), options: jsonObject.optional() }).optional();

const operation: Operation = {
  id: 'resumeRun',
  tag: 'Runs',
  summary: 'Resume a waiting run',
  description: `Hands a \`waiting\` run what it waits for, and answers as the call that began it does. A resume is never sent twice.

Where the vendor refuses it, the answer is the error with \`run_id\`, the run is \`waiting\` again and the idempotency key is given back. Of two that race, one is 409 \`run_not_waiting\`.`,
  headers: ['Prefer', 'Idempotency-Key'],
  examples: { input: { summary: 'An answer', value: { inputs: { answer: 'The second one.' } } } },
  answers: {
    200: {
      description: 'The run has ended, or waits again.',
      schema: runSchema,
      headers: ['Location', 'Preference-Applied', 'Idempotent-Replayed'],
      examples: { succeeded: RUN_EXAMPLES.succeeded, waiting: RUN_EXAMPLES.waiting },
    },
    202: {
      description: 'The resume is on disk, and the run goes on.',
      schema: runSchema,
      headers: ['Location', 'Preference-Applied', 'Idempotent-Replayed'],
      examples: { running: RUN_EXAMPLES.running },
    },
  },
  errors: [
    'unknown_option',
    'not_found',
    'run_not_waiting',
    'unsupported_operation',
    'idempotency_key_reused',
    'no_credential',
    'vault_unavailable',
    'upstream_rejected_input',
    'upstream_auth_failed',
    'upstream_payment_required',
    'upstream_forbidden',
    'upstream_conflict',
    'upstream_rate_limited',
    'upstream_quota_exhausted',
    'upstream_run_not_found',
    'upstream_unreachable',
  ],
  errorHeaders: ['Location', 'Preference-Applied', 'Idempotent-Replayed'],
};

/** `POST /runs/{id}/resume`: hands a waiting run what it waits for, and answers as `POST /runs` does. */
export function addResumeRun(app: App, { runs, openCalls, policy, clock }: RunsAppParts): void {
  app.post(
    '/runs/:id/resume',
    { config: { roles: ['runs'], operation }, schema: { params: runPathSchema, body: resumeSchema } },
    async (request, reply) => {
      const caller = callerOf(request);
      const { inputs = {}, options = {} } = request.body ?? {};
      const hold = holdOfStart(request.headers.prefer as string | undefined);
      const id = runIdOf(request.params);
      // To resume is to hand a workflow inputs, as a start does; a subject's other tokens may have been for others.
      if (caller.token !== null && !policy.allowsWorkflow(caller, (await runs.get(caller, id)).workflow)) {
        throw new GatewayError('forbidden', { message: 'This token may not run the workflow of this run.' });
      }
      const started = await runs.resume(caller, id, { inputs, options }, contextOf(request, { listening: false }));
      if (hold.applied !== null) reply.header('preference-applied', hold.applied);
      const run = await holdRun(runs, started, { reply, openCalls, inputs: null, holdMs: hold.ms });
      answerStart(reply, started, run, { held: hold.ms > 0, showKey: policy.seesEveryone(caller), nowMs: clock.now() });
      return reply;
    },
  );
}
