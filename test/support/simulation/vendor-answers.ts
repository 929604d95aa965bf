import { isJsonObject, type Json, type JsonObject } from '../../../src/core/json.ts';
import type { AnswerBody, OutboundAnswer, OutboundRequest } from '../../../src/core/outbound.ts';
import { seenTurnOf, turnOf, type VendorRun } from './vendor-run.ts';

export type VendorOperation = 'start' | 'token' | 'resume' | 'pause' | 'cancel' | 'read';

/** What a request asks of the vendor: one of them takes five commands at one path. */
export function operationOf({ path, body, connection }: OutboundRequest): VendorOperation {
  const command = isJsonObject(body) ? body.command : undefined;
  if (command === 'data' || command === 'resume') return 'resume';
  if (command === 'pause') return 'pause';
  if (path.endsWith('/token')) return 'token';
  if (command === 'stop' || path.endsWith('/cancel')) return 'cancel';
  return connection === 'start' ? 'start' : 'read';
}

export function isResumable({ baseUrl }: OutboundRequest): boolean {
  return baseUrl.includes('interactly');
}

/** The vendor's id of the run that the request is about. */
export function idIn({ path, body }: OutboundRequest): string {
  const named = isJsonObject(body) ? body.workflow_run_id : undefined;
  return typeof named === 'string' ? named : decodeURIComponent(/runs\/([^/]+)/.exec(path)?.[1] ?? '');
}

/** What callers put into inputs so that the vendor can tell their requests apart. */
export function markerOf(request: OutboundRequest): string {
  const text = JSON.stringify(request.body ?? {});
  return /(?:marker|resume-\d+)-\d+/.exec(text)?.[0] ?? 'no-marker';
}

export function clientRunId(request: OutboundRequest): string | null {
  const { body } = request;
  return isJsonObject(body) && typeof body['runId'] === 'string' ? body['runId'] : null;
}

export function startAnswer(request: OutboundRequest, run: VendorRun): OutboundAnswer {
  if (request.baseUrl.includes('tutor'))
    return answer(200, { success: true, result: run.marker }, { 'x-ratelimit-remaining': '7' });
  if (request.baseUrl.includes('dng'))
    return answer(200, { success: true, data: { id: run.id, message: 'on its way' } });
  if (isResumable(request)) return answer(200, interactlyRun(run, run.turns[0]!));
  return answer(200, { code: 200, data: { runId: run.id }, message: 'success', requestId: 'r' });
}

/** The run as it is: what a command answers. */
export function commandAnswer(request: OutboundRequest, run: VendorRun, now: number): OutboundAnswer {
  return turnAnswer(request, run, turnOf(run, now));
}

/** The run as reads show it. */
export function stateAnswer(request: OutboundRequest, run: VendorRun, now: number): OutboundAnswer {
  return turnAnswer(request, run, seenTurnOf(run, now));
}

type Turn = ReturnType<typeof turnOf>;

function turnAnswer(request: OutboundRequest, run: VendorRun, turn: Turn): OutboundAnswer {
  if (isResumable(request)) return answer(200, interactlyRun(run, turn));
  if (request.baseUrl.includes('dng')) {
    if (turn.is === 'running' || turn.is === 'waiting') return answer(250, { message: 'on the way' });
    const word = { succeeded: 'DONE', partial: 'DONE', failed: 'FAILED', cancelled: 'USER_ABORTED' }[turn.is];
    return answer(200, {
      success: true,
      data: { run_id: run.id, state: word, error: null, completed_steps: [], failed_steps: [] },
    });
  }
  const word = {
    running: 'running',
    waiting: 'waiting',
    succeeded: 'success',
    failed: 'failure',
    cancelled: 'cancelled',
    partial: 'partial',
  }[turn.is];
  return answer(200, {
    code: 200,
    message: 'success',
    requestId: 'r',
    data: { id: run.id, status: word, executionState: {} },
  });
}

function interactlyRun(run: VendorRun, turn: Turn): JsonObject {
  const status = {
    running: 'running',
    waiting: turn.for === 'input' ? 'waiting_for_user_input' : 'paused',
    succeeded: 'completed',
    partial: 'completed',
    failed: 'failed',
    cancelled: 'cancelled',
  }[turn.is];
  return { workflow_run: { _id: run.id, workflow_run: { status, input_output_pairs: [] } } };
}

export function answer(status: number, value: Json, headers: Record<string, string> = {}): OutboundAnswer {
  const body: AnswerBody = value === null ? { kind: 'empty' } : { kind: 'json', value };
  return { status, headers, body, durationMs: 0 };
}

/** A 2xx whose body broke off. */
export function brokenAnswer(): OutboundAnswer {
  return { ...answer(200, null), body: { kind: 'broken', cause: null } };
}
