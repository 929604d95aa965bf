import type { FastifyReply } from 'fastify';
import type { ErrorBody } from '../core/errors.ts';
import { isSettled, type Run, type RunWithPayloads } from '../runs/model.ts';
import { renderRun, WITH_PAYLOADS } from '../runs/render-run.ts';
import type { StartedRun } from '../runs/run-service.ts';
import { exposeHeader } from './plugins/cors.ts';
import { sendEnvelope, sendJson } from './reply.ts';

const VENDOR_HEADER = /^x-ratelimit-[a-z0-9-]{1,50}$/;
/** As much as is taken from a vendor's answer. */
const HEADER_VALUE = /^[\x20-\x7e]{0,1024}$/;

export interface AnswerContext {
  /** Whether the caller waited for the vendor; who did not is told nothing of it. */
  held: boolean;
  showKey: boolean;
  nowMs: number;
}

/** Answers a run with 200, or with `status` 202 where something is still under way. */
export function sendRun(
  reply: FastifyReply,
  run: Run | RunWithPayloads,
  { status = 200, showKey, upstreamMs }: { status?: number; showKey: boolean; upstreamMs?: number },
): void {
  reply.request.runId = run.id;
  sendJson(reply, status, JSON.stringify(renderRun(run, { include: WITH_PAYLOADS, showKey })), upstreamMs);
}

/**
 * Answers the request that began a run, or its replay. The answer follows from the run's state and from
 * how this request wanted to be answered, never from the first one's.
 */
export function answerStart(
  reply: FastifyReply,
  started: StartedRun,
  run: Run | RunWithPayloads,
  context: AnswerContext,
): void {
  const upstreamMs = context.held && !started.replayed ? started.upstreamMs() : 0;
  reply.request.runId = run.id;
  if (started.replayed) reply.header('idempotent-replayed', 'true');
  else if (context.held) setVendorHeaders(reply, started.vendorHeaders());
  const refusal = started.refusal();
  if (refusal) return sendEnvelope(reply, { ...refusal, request_id: reply.request.id }, upstreamMs);
  if (context.held && run.error !== null && run.status === 'failed' && !run.accepted) {
    return sendEnvelope(reply, refusalOf(reply, run, { error: run.error, nowMs: context.nowMs }), upstreamMs);
  }
  sendRun(reply, run, { status: context.held && isSettled(run) ? 200 : 202, showKey: context.showKey, upstreamMs });
}

/** The run's error as this request's envelope; the time to wait counts from the run's end. */
function refusalOf(
  reply: FastifyReply,
  run: Run | RunWithPayloads,
  { error, nowMs }: { error: ErrorBody; nowMs: number },
): ErrorBody {
  const { retry_after_s: afterS } = error;
  const endsMs = (run.finishedAt ?? nowMs) + (afterS ?? 0) * 1000;
  const leftS = afterS === null ? null : Math.min(afterS, Math.max(0, Math.ceil((endsMs - nowMs) / 1000)));
  return { ...error, retry_after_s: leftS, run_id: run.id, request_id: reply.request.id };
}

/** Only the vendor's rate-limit headers may pass, whatever a kind lists. */
function setVendorHeaders(reply: FastifyReply, headers: Readonly<Record<string, string>>): void {
  for (const name in headers) {
    const value = headers[name] ?? '';
    if (!VENDOR_HEADER.test(name) || !HEADER_VALUE.test(value)) continue;
    reply.header(name, value);
    exposeHeader(reply, name);
  }
}
