import type { FastifyReply, FastifyRequest } from 'fastify';
import type { OpenCalls } from '../access/open-calls.ts';
import { isStoreUnavailable } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { Run, RunWithPayloads } from '../runs/model.ts';
import type { Attendance, RequestContext, RunService, StartedRun } from '../runs/run-service.ts';
import { callerOf } from './app.ts';
import { readIdempotencyKey } from './headers/idempotency-key.ts';
import { HeldCall } from './held-call.ts';

/** Inputs up to this size stay in memory while their caller waits; larger ones are read again. */
const KEPT_BYTES_MAX = 8_192;

/** What a request that begins something says of itself in its headers; `listening`: it wants events as they come. */
export function contextOf(request: FastifyRequest, { listening }: { listening: boolean }): RequestContext {
  const idempotencyKey = readIdempotencyKey(request.raw);
  return { trace: request.trace, idempotencyKey, listening };
}

/** Says whether a caller who attends a run was still there when the answer was: `on_disconnect`. */
export function endAttendance(reply: FastifyReply, attendance: Attendance): void {
  if (reply.raw.destroyed) attendance.left();
  else attendance.answered();
}

export interface RunToHold {
  reply: FastifyReply;
  openCalls: Pick<OpenCalls, 'hold'>;
  /** The run's inputs, if this request wrote them; else null. */
  inputs: JsonObject | null;
  /** 0: the caller does not want to wait. */
  holdMs: number;
}

/**
 * The run when it has ended or waits, or as it is when the caller's time is up; `Location` names it before. Throws `unauthorized` where the caller's
 * key or token ends before.
 */
export async function holdRun(
  runs: RunService,
  started: StartedRun,
  { reply, openCalls, inputs, holdMs }: RunToHold,
): Promise<Run | RunWithPayloads> {
  const { request } = reply;
  const { replayed, run } = started;
  // Also where the caller ends meanwhile: the run is there.
  reply.header('location', `/runs/${run.id}`);
  const own = replayed ? null : inputs;
  if (holdMs === 0) {
    return own
      ? { ...run, inputs: own, output: null }
      : orAsWritten(runs.get(callerOf(request), run.id), started, null);
  }
  const small = Number(request.headers['content-length'] ?? Infinity) <= KEPT_BYTES_MAX;
  const kept = small ? own : null;
  const held = new HeldCall(reply, openCalls);
  let now: Run | RunWithPayloads;
  try {
    const written = kept && { run, inputs: kept };
    const settled = runs.settle(callerOf(request), run.id, { ms: holdMs, signal: held.signal, written });
    now = await orAsWritten(settled, started, kept);
  } finally {
    held.release();
  }
  held.requireCaller(run.id);
  return now;
}

/** What this request began is on disk, so `store_unavailable`, which invites to send again, would be untrue. */
async function orAsWritten(
  read: Promise<Run | RunWithPayloads>,
  { replayed, run }: StartedRun,
  inputs: JsonObject | null,
): Promise<Run | RunWithPayloads> {
  try {
    return await read;
  } catch (error) {
    if (replayed || !isStoreUnavailable(error)) throw error;
    return inputs ? { ...run, inputs, output: null } : run;
  }
}
