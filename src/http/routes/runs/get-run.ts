import type { FastifyReply } from 'fastify';
import type { RunId } from '../../../core/ids.ts';
import type { RunWithPayloads } from '../../../runs/model.ts';
import { sendRun } from '../../answer-run.ts';
import { callerOf, type App } from '../../app.ts';
import { holdOfRead } from '../../headers/prefer.ts';
import { HeldCall } from '../../held-call.ts';
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
export function addGetRun(app: App, { runs, openCalls, policy }: RunsAppParts): void {
  app.get(
    '/runs/:id',
    { config: { roles: ['runs', 'viewer', 'admin'], operation }, schema: { params: runPathSchema } },
    async (request, reply) => {
      const caller = callerOf(request);
      const id = runIdOf(request.params);
      const hold = holdOfRead(request.headers.prefer as string | undefined);
      const run =
        hold.ms === 0 ? await runs.get(caller, id) : await settle({ runs, openCalls }, id, { reply, ms: hold.ms });
      if (hold.applied !== null) reply.header('preference-applied', hold.applied);
      sendRun(reply, run, { showKey: policy.seesEveryone(caller) });
      return reply;
    },
  );
}

/** The run once it has ended or waits, or as it is after `ms`. */
async function settle(
  { runs, openCalls }: Pick<RunsAppParts, 'runs' | 'openCalls'>,
  id: RunId,
  { reply, ms }: { reply: FastifyReply; ms: number },
): Promise<RunWithPayloads> {
  const held = new HeldCall(reply, openCalls);
  try {
    const run = await runs.settle(callerOf(reply.request), id, { ms, signal: held.signal, written: null });
    held.requireCaller(id);
    return run;
  } finally {
    held.release();
  }
}
