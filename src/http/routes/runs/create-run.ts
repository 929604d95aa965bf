import { answerStart } from '../../answer-run.ts';
import { callerOf, type App } from '../../app.ts';
import { preferredType } from '../../headers/accept.ts';
import { holdOfStart } from '../../headers/prefer.ts';
import { endAttendance, contextOf, holdRun } from '../../hold-run.ts';
import { streamStart } from '../../stream-run.ts';
import { eventStreamSchema } from '../../schemas/event-answer.ts';
import { EVENT_STREAM_EXAMPLES } from '../../schemas/event-examples.ts';
import { VENDOR_HEADERS } from '../../openapi/headers.ts';
import type { Operation } from '../../openapi/operation.ts';
import { requireWebhook } from '../../require-webhook.ts';
import type { StartedRun } from '../../../runs/run-service.ts';
import type { RunsAppParts } from '../../runs-parts.ts';
import { runSchema } from '../../schemas/run-answer.ts';
import { RUN_EXAMPLES } from '../../schemas/run-examples.ts';
import { runRequestSchema, toRunRequest, type RunRequestBody } from '../../schemas/run-request.ts';

const operation: Operation = {
  id: 'createRun',
  tag: 'Runs',
  summary: 'Begin a run',
  description: `Begins a run and waits for it: up to 60 s, or as \`Prefer\` says. How long the call waits is the caller's choice, never the vendor's; a wait that runs out is no error and stops nothing.

The run and its idempotency key are on disk before the vendor is called. A start is sent again only where that cannot begin a second run; where nobody can learn what became of it, the run ends as \`outcome_unknown\`.

With \`Accept: text/event-stream\` the answer is the run's events as they happen, until it has ended, and \`Prefer\` counts for nothing; a copy with the same idempotency key joins from the first event on. A run that failed, in whatever way, is told as \`run.failed\`.

A fault that is found before the run is written leaves no run and uses up no idempotency key. A run that failed before the vendor accepted it is answered with its error, \`run_id\` and \`Location\`.`,
  headers: ['Prefer', 'Idempotency-Key'],
  examples: {
    registered: {
      summary: 'A workflow of `rungate.yaml`',
      value: {
        workflow: 'summarize-ticket',
        inputs: { ticket: 'My order has not arrived.' },
        metadata: { order: '1001' },
      },
    },
    vendor: {
      summary: 'A vendor’s own workflow id',
      value: {
        provider: 'draft-and-goal',
        workflow: '0cf35172-859e-4b26-8ce9-6c2588a77b40',
        inputs: { Text_0: 'Hello world' },
      },
    },
    options: {
      summary: 'What only one vendor knows',
      value: { provider: 'b3os', workflow: 'rebalance', inputs: { amount: 5 }, options: { simulate: true } },
    },
  },
  answers: {
    200: {
      description: 'The run has ended, or waits for somebody. One that the vendor ran and that failed is here too.',
      schema: runSchema,
      headers: ['Location', 'Preference-Applied', 'Idempotent-Replayed', ...VENDOR_HEADERS],
      examples: { succeeded: RUN_EXAMPLES.succeeded, failed: RUN_EXAMPLES.failed, waiting: RUN_EXAMPLES.waiting },
      stream: { schema: eventStreamSchema, examples: EVENT_STREAM_EXAMPLES },
    },
    202: {
      description: 'The run is on disk and goes on: the wait ran out, or none was wanted.',
      schema: runSchema,
      headers: ['Location', 'Preference-Applied', 'Idempotent-Replayed', ...VENDOR_HEADERS],
      examples: { running: RUN_EXAMPLES.running },
    },
  },
  errors: [
    'unknown_option',
    'not_found',
    'unknown_provider',
    'unknown_workflow',
    'unsupported_operation',
    'idempotency_key_reused',
    'concurrency_limited',
    'quota_exceeded',
    'no_credential',
    'overloaded',
    'vault_unavailable',
    'upstream_rejected_input',
    'upstream_auth_failed',
    'credentials_exhausted',
    'upstream_payment_required',
    'upstream_forbidden',
    'upstream_workflow_not_found',
    'upstream_conflict',
    'upstream_rate_limited',
    'upstream_quota_exhausted',
    'upstream_error',
    'upstream_unavailable',
    'upstream_invalid_response',
    'upstream_unreachable',
    'upstream_timeout',
    'outcome_unknown',
  ],
  errorHeaders: ['Location', 'Preference-Applied', 'Idempotent-Replayed', ...VENDOR_HEADERS],
};

/** `POST /runs`: begins a run and answers as soon, or as late, as the caller wants. */
export function addCreateRun(app: App, { runs, shedder, openCalls, webhooks, policy, clock, log }: RunsAppParts): void {
  app.post(
    '/runs',
    // The answer has no schema here: it is written as it is, which is what keeps this route fast.
    { config: { roles: ['runs'], streams: true, operation }, schema: { body: runRequestSchema } },
    async (request, reply) => {
      const caller = callerOf(request);
      const listening = preferredType(request.headers.accept) === 'event-stream';
      const asked = toRunRequest(request.body);
      const mayBegin = () => requireWebhook(caller, asked.webhook, webhooks.checkTarget);
      const context = { ...contextOf(request, { listening }), mayBegin };
      // Fastify keeps the body for as long as the caller waits; nobody reads it again.
      request.body = {} as RunRequestBody;
      policy.mayStart(caller, asked);
      const hold = holdOfStart(request.headers.prefer as string | undefined);
      // Holds the run's place among those that are let in at once, until it is written or refused.
      const leave = shedder.admit(caller.keyId);
      let started: StartedRun;
      try {
        started = await runs.create(caller, asked, context);
      } finally {
        leave();
      }
      request.runId = started.run.id;
      const attendance = runs.attend(started.run, started.replayed);
      if (listening) {
        await streamStart(reply, started, { runs, openCalls, attendance, log });
        return reply;
      }
      if (hold.applied !== null) reply.header('preference-applied', hold.applied);
      try {
        const run = await holdRun(runs, started, { reply, openCalls, inputs: asked.inputs, holdMs: hold.ms });
        const showKey = policy.seesEveryone(caller);
        answerStart(reply, started, run, { held: hold.ms > 0, showKey, nowMs: clock.now() });
      } finally {
        endAttendance(reply, attendance);
      }
      return reply;
    },
  );
}
