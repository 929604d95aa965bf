import type { FastifyReply, FastifyRequest } from 'fastify';
import { GatewayError } from '../../../core/errors.ts';
import type { Run, RunWithPayloads } from '../../../runs/model.ts';
import type { RequestContext, RunService, StartedRun } from '../../../runs/run-service.ts';
import { answerStart } from '../../answer-run.ts';
import { callerOf, leaveSignal, type App } from '../../app.ts';
import { readIdempotencyKey } from '../../headers/idempotency-key.ts';
import { holdOfStart } from '../../headers/prefer.ts';
import { readTraceContext } from '../../headers/trace-context.ts';
import type { RunsAppParts } from '../../runs-parts.ts';
import { runRequestSchema, toRunRequest, type RunRequestBody } from '../../schemas/run-request.ts';

/** `POST /runs`: begins a run and answers as soon, or as late, as the caller wants. */
export function addCreateRun(app: App, { runs, policy, clock }: RunsAppParts): void {
  app.post(
    '/runs',
    // The answer has no schema here: it is written as it is, which is what keeps this route fast.
    { config: { roles: ['runs'] }, schema: { body: runRequestSchema } },
    async (request, reply) => {
      const caller = callerOf(request);
      refuseWhatComesLater(request.body);
      const context = contextOf(request);
      const asked = toRunRequest(request.body);
      // Fastify keeps the body for as long as the caller waits; nobody reads it again.
      request.body = {} as RunRequestBody;
      policy.mayStart(caller, asked);
      const hold = holdOfStart(request.headers.prefer as string | undefined);
      const started = await runs.create(caller, asked, context);
      request.runId = started.run.id;
      if (hold.applied !== null) reply.header('preference-applied', hold.applied);
      const written = { ...started.run, inputs: asked.inputs, output: null };
      const run =
        hold.ms === 0
          ? await atOnce(runs, started, { request, written })
          : await held(runs, started, { request, reply, written, holdMs: hold.ms });
      answerStart(reply, started, run, {
        held: hold.ms > 0,
        admin: policy.seesEveryone(caller),
        nowMs: clock.now(),
      });
      return reply;
    },
  );
}

function contextOf(request: FastifyRequest): RequestContext {
  const idempotencyKey = readIdempotencyKey(request.raw);
  return { requestId: request.id, trace: readTraceContext(request.headers), idempotencyKey };
}

/** Understood, but not there yet: refused before anything is written. */
function refuseWhatComesLater({ on_disconnect: onDisconnect, webhook }: RunRequestBody): void {
  const param = webhook === undefined ? 'on_disconnect' : 'webhook';
  if (webhook === undefined && onDisconnect !== 'cancel') return;
  throw new GatewayError('unsupported_operation', {
    param,
    message: `This version does not support \`${param}\` yet.`,
  });
}

/** Inputs up to this size stay in memory while their caller waits; larger ones are read again. */
const KEPT_BYTES_MAX = 8_192;

interface Asked {
  request: FastifyRequest;
  /** The run as it was written. */
  written: RunWithPayloads;
}

/** The run as it is, for who does not want to wait. */
function atOnce(
  runs: RunService,
  { replayed }: StartedRun,
  { request, written }: Asked,
): Promise<RunWithPayloads> | RunWithPayloads {
  return replayed ? runs.get(callerOf(request), written.id) : written;
}

/** The run when it has ended or waits, or as it is when the caller's time is up. */
async function held(
  runs: RunService,
  { replayed, run }: StartedRun,
  { request, reply, written, holdMs }: Asked & { reply: FastifyReply; holdMs: number },
): Promise<Run | RunWithPayloads> {
  const small = Number(request.headers['content-length'] ?? Infinity) <= KEPT_BYTES_MAX;
  const kept = small && !replayed ? written : null;
  try {
    return await runs.settle(callerOf(request), run.id, { ms: holdMs, signal: leaveSignal(reply), written: kept });
  } catch (error) {
    // The run is on disk, so `store_unavailable`, which invites to send again, would be untrue.
    if (replayed || !(error instanceof GatewayError) || error.code !== 'store_unavailable') throw error;
    return kept ?? run;
  }
}
