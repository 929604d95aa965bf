import { hasEnded, type Run } from '../../runs/model.ts';
import type { Change, NewRun } from '../../runs/ports.ts';

/**
 * The run that is written, without what `NewRun` carries besides. Field by field: picking out the rest of so large an
 * object costs thirty times as much.
 */
export function firstSnapshot(run: NewRun, { seq, dueAt }: Pick<Run, 'seq' | 'dueAt'>): Run {
  return {
    id: run.id,
    version: 1,
    seq,
    status: run.status,
    keyId: run.keyId,
    keyName: run.keyName,
    lineage: run.lineage,
    subject: run.subject,
    workflow: run.workflow,
    provider: run.provider,
    kind: run.kind,
    baseUrl: run.baseUrl,
    allowPrivateNetwork: run.allowPrivateNetwork,
    credentialId: run.credentialId,
    settings: run.settings,
    upstreamWorkflow: run.upstreamWorkflow,
    defaults: run.defaults,
    options: run.options,
    fallbacks: run.fallbacks,
    metadata: run.metadata,
    tags: run.tags,
    timeoutMs: run.timeoutMs,
    waitingTimeoutMs: run.waitingTimeoutMs,
    onDisconnect: run.onDisconnect,
    webhook: run.webhook,
    accepted: run.accepted,
    upstream: run.upstream,
    error: run.error,
    waiting: run.waiting,
    partial: run.partial,
    attempts: run.attempts,
    resolution: run.resolution,
    trace: run.trace,
    createdAt: run.createdAt,
    startedAt: run.startedAt,
    finishedAt: run.finishedAt,
    deadlineAt: run.deadlineAt,
    remainingMs: run.remainingMs,
    owner: run.owner,
    dueAt,
    care: run.care,
  };
}

/**
 * The run after the change, without the payloads of a snapshot that was read with them. Whatever the change says, an ended
 * run has an end, and nobody cares for it any more. Field by field, as `firstSnapshot` is.
 */
export function changedRun(run: Run, { status, patch, owner, dueInMs, events }: Change, now: number): Run {
  const ended = hasEnded({ status });
  return {
    id: run.id,
    version: run.version + 1,
    // Compared when it is written, so that nothing else can come between.
    seq: run.seq + events.length,
    status,
    keyId: run.keyId,
    keyName: run.keyName,
    lineage: run.lineage,
    subject: run.subject,
    workflow: patch.workflow ?? run.workflow,
    provider: patch.provider ?? run.provider,
    kind: patch.kind ?? run.kind,
    baseUrl: patch.baseUrl ?? run.baseUrl,
    allowPrivateNetwork: patch.allowPrivateNetwork ?? run.allowPrivateNetwork,
    credentialId: patch.credentialId === undefined ? run.credentialId : patch.credentialId,
    settings: patch.settings ?? run.settings,
    upstreamWorkflow: patch.upstreamWorkflow ?? run.upstreamWorkflow,
    defaults: patch.defaults ?? run.defaults,
    options: patch.options ?? run.options,
    fallbacks: patch.fallbacks ?? run.fallbacks,
    metadata: patch.metadata ?? run.metadata,
    tags: patch.tags ?? run.tags,
    timeoutMs: patch.timeoutMs ?? run.timeoutMs,
    waitingTimeoutMs: patch.waitingTimeoutMs ?? run.waitingTimeoutMs,
    onDisconnect: patch.onDisconnect ?? run.onDisconnect,
    webhook: patch.webhook === undefined ? run.webhook : patch.webhook,
    accepted: patch.accepted ?? run.accepted,
    upstream: patch.upstream ?? run.upstream,
    error: patch.error === undefined ? run.error : patch.error,
    waiting: patch.waiting === undefined ? run.waiting : patch.waiting,
    partial: patch.partial ?? run.partial,
    attempts: patch.attempts ?? run.attempts,
    resolution: patch.resolution === undefined ? run.resolution : patch.resolution,
    trace: patch.trace === undefined ? run.trace : patch.trace,
    createdAt: run.createdAt,
    startedAt: patch.startedAt === undefined ? run.startedAt : patch.startedAt,
    finishedAt: ended ? (patch.finishedAt ?? now) : null,
    deadlineAt: patch.deadlineAt ?? run.deadlineAt,
    remainingMs: patch.remainingMs === undefined ? run.remainingMs : patch.remainingMs,
    owner: ended ? null : owner,
    dueAt: ended || dueInMs === null ? null : now + dueInMs,
    care: patch.care ?? run.care,
  };
}
