import { subjectOf } from '../core/caller.ts';
import { isoTime, isoTimeOrNull } from '../core/iso-time.ts';
import type { JsonObject } from '../core/json.ts';
import { shownToCallers } from '../core/secret-reference.ts';
import type { ErrorBody } from '../core/errors.ts';
import type { Attempt, RateLimitSeen, Run, RunOutput, RunStatus, RunWithPayloads, WaitingFor } from './model.ts';

export interface Rendering {
  include: { inputs: boolean; output: boolean };
  /** Whether whose run it is, and where its credentials lie, is told: those who see every key's runs are. */
  showKey: boolean;
}

/** The run object of the contract; field names are its own. For `JSON.stringify`, which leaves out what is undefined. */
export interface RenderedRun {
  id: string;
  object: 'run';
  status: RunStatus;
  provider: string;
  workflow: string;
  subject: string | null;
  key: { id: string; name: string } | undefined;
  inputs: JsonObject | undefined;
  output: RunOutput | null | undefined;
  error: ErrorBody | null;
  waiting: WaitingFor | null;
  partial: boolean;
  upstream: ReturnType<typeof renderUpstream>;
  attempts: ReturnType<typeof renderAttempt>[];
  resolution: JsonObject | null;
  metadata: Readonly<Record<string, string>>;
  tags: readonly string[];
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  deadline_at: string;
}

/** Everything that a single run's answer shows. */
export const WITH_PAYLOADS = { inputs: true, output: true } as const;

/** Renders a run for its readers. A payload that is asked for but was not read with the run is left out. */
export function renderRun(run: Run | RunWithPayloads, { include, showKey }: Rendering): RenderedRun {
  return {
    id: run.id,
    object: 'run',
    status: run.status,
    provider: run.provider,
    workflow: run.workflow,
    subject: subjectOf(run.subject),
    key: showKey ? { id: run.keyId, name: run.keyName } : undefined,
    inputs: include.inputs && 'inputs' in run ? run.inputs : undefined,
    output: include.output && 'output' in run ? run.output : undefined,
    error: run.error,
    waiting: run.waiting,
    partial: run.partial,
    upstream: renderUpstream(run),
    attempts: run.attempts.map((attempt) => renderAttempt(attempt, showKey)),
    resolution: run.resolution,
    metadata: run.metadata,
    tags: run.tags,
    created_at: isoTime(run.createdAt),
    started_at: isoTimeOrNull(run.startedAt),
    finished_at: isoTimeOrNull(run.finishedAt),
    deadline_at: isoTime(run.deadlineAt),
  };
}

function renderUpstream({ upstreamWorkflow, upstream }: Run) {
  return {
    workflow_id: upstreamWorkflow,
    run_id: upstream.runId,
    status: upstream.status,
    request_id: upstream.requestId,
    stopped: upstream.stopped,
    poll_error: upstream.pollError,
    rate_limit: upstream.rateLimit && renderRateLimit(upstream.rateLimit),
  };
}

function renderRateLimit({ limit, remaining, reset, observedAt }: RateLimitSeen) {
  return { limit, remaining, reset: isoTimeOrNull(reset), observed_at: isoTime(observedAt) };
}

function renderAttempt({ step, provider, workflow, credentialId, errorCode, at }: Attempt, showKey: boolean) {
  const credential = showKey ? credentialId : credentialId && shownToCallers(credentialId);
  return { step, provider, workflow, credential, error_code: errorCode, at: isoTime(at) };
}
