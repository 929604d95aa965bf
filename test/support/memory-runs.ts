import { GatewayError, errorBody } from '../../src/core/errors.ts';
import { scopeOf, seesEveryone, type Caller } from '../../src/core/caller.ts';
import type { Clock } from '../../src/core/clock.ts';
import type { Ids, RunId } from '../../src/core/ids.ts';
import { canonicalJson, type Json } from '../../src/core/json.ts';
import { hasEnded, type EventType, type RunWithPayloads } from '../../src/runs/model.ts';
import type { RunRequest, RunService, StartedRun } from '../../src/runs/run-service.ts';
import { createMemoryLog, eventOf, type MemoryLog, type MemoryLogParts } from './memory-log.ts';

type Patch = Partial<RunWithPayloads>;

interface Hold {
  id: RunId;
  ms: number;
  signal: AbortSignal;
}

/** Runs kept in a map: enough of a run service for what lies in front of it. Tests play the vendor. */
export interface MemoryRuns extends RunService {
  /** Bodies and contexts that reached `create`, in order. */
  readonly created: { request: RunRequest; context: Parameters<RunService['create']>[2] }[];
  /** Every `settle` so far. */
  readonly holds: Hold[];
  /** The first `settle`, once there is one. */
  firstHold(): Promise<Hold>;
  /** What the vendor makes of every run from now on, before `create` resolves. */
  behave(patch: Patch, vendorHeaders?: Record<string, string>): void;
  /** What the vendor makes of one run now; open holds see it. */
  change(id: RunId, patch: Patch): void;
  /** A run's next event; what changes its status comes by `change`. */
  emit(id: RunId, type: EventType, data?: Json): void;
  /** Who follows, and turns of the sweep. */
  readonly log: MemoryLog;
  /** Runs that were cancelled because nobody attended them. */
  readonly unattended: RunId[];
  /** The next call of a method throws this. */
  failNext(method: keyof RunService, error: Error): void;
}

export interface MemoryRunsParts extends Pick<MemoryLogParts, 'limits'> {
  ids: Pick<Ids, 'run'>;
  clock: Pick<Clock, 'now' | 'monotonic'>;
}

export function createMemoryRuns({ ids, clock, ...parts }: MemoryRunsParts): MemoryRuns {
  const now = clock.now;
  const runs = new Map<RunId, RunWithPayloads>();
  const unattended: RunId[] = [];
  const cancelUnattended = async (id: RunId) => {
    unattended.push(id);
    change(id, { status: 'cancelled', finishedAt: now() });
    return { status: 'cancelled' } as const;
  };
  const log = createMemoryLog({ ...parts, runs, clock, cancel: cancelUnattended });
  const keys = new Map<string, { id: RunId; body: string }>();
  const waiters = new Set<() => void>();
  const failures = new Map<keyof RunService, Error>();
  const created: MemoryRuns['created'] = [];
  const holds: Hold[] = [];
  const firstHold = Promise.withResolvers<Hold>();
  let behaviour: { patch: Patch; headers: Record<string, string> } = { patch: {}, headers: {} };

  function failIfAsked(method: keyof RunService): void {
    const error = failures.get(method);
    failures.delete(method);
    if (error) throw error;
  }
  function own(caller: Caller, id: RunId): RunWithPayloads {
    const run = runs.get(id);
    if (!run || (!seesEveryone(caller) && run.lineage !== caller.lineage)) throw new GatewayError('not_found');
    return run;
  }
  function change(id: RunId, patch: Patch): void {
    const run = runs.get(id);
    if (run) {
      runs.set(id, { ...run, ...patch });
      const event = patch.status === undefined || patch.status === run.status ? null : eventOf(patch.status);
      if (event !== null) log.append(id, event);
    }
    for (const wake of waiters) wake();
  }
  return {
    created,
    holds,
    firstHold: () => firstHold.promise,
    behave: (patch, headers = {}) => (behaviour = { patch, headers }),
    change,
    emit: (id, type, data) => log.append(id, type, data),
    log,
    unattended,
    failNext: (method, error) => failures.set(method, error),
    async create(caller, request, context): Promise<StartedRun> {
      failIfAsked('create');
      const body = canonicalJson(request as unknown as Json);
      const claimed = context.idempotencyKey === null ? undefined : keys.get(context.idempotencyKey);
      if (claimed && claimed.body !== body) throw new GatewayError('idempotency_key_reused');
      if (claimed) return started(own(caller, claimed.id), true, {});
      context.mayBegin?.();
      created.push({ request, context });
      const id = ids.run();
      const { status = 'running' } = behaviour.patch;
      runs.set(id, { ...newRun(id, caller, { request, at: now() }), ...behaviour.patch });
      log.append(id, 'run.created');
      if (status !== 'queued') log.append(id, 'run.started');
      const last = status === 'running' ? null : eventOf(status);
      if (last !== null) log.append(id, last);
      const run = own(caller, id);
      if (context.idempotencyKey !== null) keys.set(context.idempotencyKey, { id: run.id, body });
      return started(run, false, behaviour.headers);
    },
    async settle(caller, id, { ms, signal }) {
      failIfAsked('settle');
      holds.push({ id, ms, signal });
      firstHold.resolve({ id, ms, signal });
      const settled = () => signal.aborted || hasEnded(own(caller, id)) || own(caller, id).status === 'waiting';
      await new Promise<void>((resolve) => {
        const wake = () => {
          if (!settled()) return;
          waiters.delete(wake);
          resolve();
        };
        waiters.add(wake);
        signal.addEventListener('abort', wake);
        setTimeout(() => {
          waiters.delete(wake);
          resolve();
        }, ms).unref();
        wake();
      });
      return own(caller, id);
    },
    async get(caller, id) {
      failIfAsked('get');
      return own(caller, id);
    },
    async list(caller, filter, { limit, before }) {
      failIfAsked('list');
      const all = [...runs.values()]
        .filter((run) => seesEveryone(caller) || run.lineage === caller.lineage)
        .filter((run) => !filter.status || filter.status.includes(run.status))
        .filter((run) => filter.provider === undefined || run.provider === filter.provider)
        .filter((run) => filter.workflow === undefined || run.workflow === filter.workflow)
        .filter((run) => filter.subject === undefined || run.subject === filter.subject)
        .filter((run) => filter.tag === undefined || run.tags.includes(filter.tag))
        .filter((run) => Object.entries(filter.metadata ?? {}).every(([key, value]) => run.metadata[key] === value))
        .filter(
          (run) => run.createdAt >= (filter.createdAfter ?? 0) && run.createdAt <= (filter.createdBefore ?? Infinity),
        )
        .filter((run) => before === null || run.id < before)
        .toReversed();
      const page = all.slice(0, limit).map(({ inputs: _inputs, output: _output, ...run }) => run);
      return { runs: page, next: all.length > limit ? (page.at(-1)?.id ?? null) : null };
    },
    async cancel(caller, id) {
      failIfAsked('cancel');
      const run = own(caller, id);
      if (run.status === 'queued') change(id, { status: 'cancelled', finishedAt: now() });
      else if (!hasEnded(run)) change(id, { status: 'cancelling' });
      return own(caller, id);
    },
    async resume(caller, id) {
      failIfAsked('resume');
      if (own(caller, id).status !== 'waiting') throw new GatewayError('run_not_waiting', { runId: id });
      change(id, { status: 'running', waiting: null });
      return started(own(caller, id), false, {});
    },
    async pause(caller, id) {
      failIfAsked('pause');
      if (own(caller, id).status !== 'running') throw new GatewayError('run_not_running', { runId: id });
      return own(caller, id);
    },
    async remove(caller, id) {
      failIfAsked('remove');
      const run = own(caller, id);
      if (!hasEnded(run)) throw new GatewayError('run_not_ended', { runId: id });
      runs.delete(id);
      log.forget(id);
      return run;
    },
    async events(caller, id, after, limit) {
      failIfAsked('events');
      own(caller, id);
      return log.events(id, after, limit);
    },
    async follow(caller, id, after, reader) {
      failIfAsked('follow');
      return log.follow(own(caller, id), after, reader);
    },
    attend: (run, joined) => log.attend(run, joined),
    deliveries: async () => [],
    async redeliver() {
      throw new GatewayError('not_found');
    },
  };
}

function started(run: RunWithPayloads, replayed: boolean, headers: Record<string, string>): StartedRun {
  const { inputs: _inputs, output: _output, ...bare } = run;
  return { run: bare, replayed, vendorHeaders: () => headers, upstreamMs: () => 12.5, refusal: () => null };
}

function newRun(id: RunId, caller: Caller, { request, at }: { request: RunRequest; at: number }): RunWithPayloads {
  return {
    id,
    version: 1,
    seq: 0,
    status: 'running',
    keyId: caller.keyId,
    keyName: caller.keyName,
    lineage: caller.lineage,
    subject: scopeOf(caller) || null,
    workflow: request.workflow,
    provider: request.provider ?? 'fake',
    kind: 'fake',
    baseUrl: 'https://vendor.example',
    allowPrivateNetwork: false,
    credentialId: 'cred_1',
    settings: {},
    upstreamWorkflow: request.workflow,
    defaults: {},
    options: request.options,
    fallbacks: [],
    metadata: request.metadata,
    tags: request.tags,
    timeoutMs: 300_000,
    waitingTimeoutMs: 604_800_000,
    onDisconnect: request.onDisconnect,
    webhook: request.webhook,
    accepted: false,
    upstream: { runId: null, status: null, requestId: null, stopped: null, pollError: null, rateLimit: null },
    error: null,
    waiting: null,
    partial: false,
    attempts: [],
    resolution: null,
    trace: null,
    createdAt: at,
    startedAt: at,
    finishedAt: null,
    deadlineAt: at + 300_000,
    remainingMs: null,
    owner: null,
    dueAt: null,
    care: { step: 'none' },
    inputs: request.inputs,
    output: null,
  };
}

/** A run that ended well. */
export function endedWell(at: number): Patch {
  return {
    status: 'succeeded',
    accepted: true,
    finishedAt: at,
    output: { text: 'Once upon a time', data: { answer: 42 }, citations: [] },
  };
}

/** A run that the vendor refused to start, asking to wait. */
export function refused(at: number, retryAfterS?: number): Patch {
  const error = errorBody('upstream_rate_limited', retryAfterS === undefined ? {} : { retryAfterS });
  return { status: 'failed', accepted: false, finishedAt: at, error };
}
