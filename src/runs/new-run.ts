import { scopeOf, type Caller } from '../core/caller.ts';
import type { Clock } from '../core/clock.ts';
import type { Ids, Owner } from '../core/ids.ts';
import type { SealedCredential } from '../core/secret.ts';
import { firstStep } from './attempts.ts';
import { newAttempt } from './open-attempt.ts';
import type { NewRun } from './ports.ts';
import type { ResolvedRun } from './resolve-run.ts';
import type { RequestContext, RunRequest } from './run-service.ts';
import type { StartSlot } from './start-slot.ts';

/**
 * The run as it is written first: `running` with its attempt open where it is sent at once, else `queued`. Field by field:
 * V8 would enlarge an object that begins with a spread thirteen times.
 */
export function newRun(
  { ids, clock, owner }: { ids: Pick<Ids, 'run'>; clock: Pick<Clock, 'now'>; owner: Owner },
  {
    caller,
    request,
    context,
    resolved,
    credential,
    slot,
  }: {
    caller: Caller;
    request: RunRequest;
    context: RequestContext;
    resolved: ResolvedRun;
    credential: SealedCredential;
    /** Null: the run is queued. */
    slot: StartSlot | null;
  },
): NewRun {
  const at = clock.now();
  const atOnce = slot !== null;
  const { provider } = resolved;
  const { kind } = provider.kind;
  const created = { type: 'run.created', at, data: {} } as const;
  return {
    id: ids.run(),
    status: atOnce ? 'running' : 'queued',
    keyId: caller.keyId,
    keyName: caller.keyName,
    lineage: caller.lineage,
    subject: scopeOf(caller) || null,
    workflow: request.workflow,
    provider: provider.name,
    kind,
    baseUrl: provider.baseUrl,
    allowPrivateNetwork: provider.allowPrivateNetwork,
    credentialId: credential.id,
    settings: provider.settings,
    upstreamWorkflow: resolved.upstreamWorkflow,
    defaults: resolved.defaults,
    options: resolved.options,
    fallbacks: resolved.fallbacks,
    metadata: request.metadata,
    tags: request.tags,
    timeoutMs: resolved.timeoutMs,
    waitingTimeoutMs: resolved.waitingTimeoutMs,
    onDisconnect: request.onDisconnect,
    webhook: request.webhook,
    accepted: false,
    upstream: { runId: null, status: null, requestId: null, stopped: null, pollError: null, rateLimit: null },
    error: null,
    waiting: null,
    partial: false,
    attempts: atOnce
      ? [
          newAttempt(
            {
              provider: provider.name,
              kind,
              credentialId: credential.id,
              upstreamWorkflow: resolved.upstreamWorkflow,
              origin: credential.origin,
              number: 1,
            },
            firstStep(provider.kind, resolved.options, context.listening),
            at,
          ),
        ]
      : [],
    resolution: null,
    trace: context.trace,
    createdAt: at,
    startedAt: atOnce ? at : null,
    finishedAt: null,
    deadlineAt: at + resolved.timeoutMs,
    remainingMs: null,
    owner: atOnce ? owner : null,
    dueInMs: atOnce ? null : resolved.timeoutMs,
    care: { step: 'start' },
    countedStart: slot?.counted ?? null,
    inputs: request.inputs,
    events: atOnce ? [created, { type: 'run.started', at, data: {} }] : [created],
  };
}
