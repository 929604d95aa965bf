import type { Caller } from '../core/caller.ts';
import type { Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import type { Ids, Owner, RunId } from '../core/ids.ts';
import type { Json } from '../core/json.ts';
import type { Random } from '../core/random.ts';
import type { SealedCredential } from '../core/secret.ts';
import type { Registry } from '../providers/registry.ts';
import type { Attempts } from './attempts.ts';
import { tokenQuotaOf, type CallerLimitKeeper, type Entry } from './caller-limits.ts';
import type { Census } from './census.ts';
import { takeFallback } from './fallbacks.ts';
import type { Flights } from './flights.ts';
import { claimOf, NO_HEADERS, replay } from './idempotency.ts';
import type { Run } from './model.ts';
import type { RunObserver } from './observer.ts';
import { newRun } from './new-run.ts';
import type { Place, Places } from './places.ts';
import type { DayQuota, IdempotencyClaim, RunStore, TokenQuota } from './ports.ts';
import type { Queue, QueueTicket } from './queue.ts';
import { resolveRun, type ResolvedRun } from './resolve-run.ts';
import type { RetryBudget } from './retry-budget.ts';
import type { RequestContext, RunRequest, StartedRun } from './run-service.ts';
import type { StartSlot } from './start-slot.ts';
import { heldBack, type Choice, type OpenTarget, type Targets } from './targets.ts';

export interface CreateRunParts {
  store: RunStore;
  attempts: Attempts;
  places: Places;
  queue: Queue;
  targets: Targets;
  callerLimits: CallerLimitKeeper;
  census: Pick<Census, 'saw'>;
  budget: Pick<RetryBudget, 'started'>;
  flights: Pick<Flights, 'board'>;
  registry: () => Registry;
  observer: Pick<RunObserver, 'refused'>;
  clock: Clock;
  random: Random;
  ids: Ids;
  owner: Owner;
  heartbeatIsYoung: () => boolean;
  draining: () => boolean;
  /** A run was not written, or nobody was told that it was. */
  onUnsure: (id: RunId) => void;
}

/** Where nobody knows when there is room again. */
const CROWDED_RETRY_S = 5;

/**
 * Write first: the run and its idempotency key are durable before the vendor is called, and everything
 * that can be refused without the vendor is refused before the run is written.
 */
export function createRunCreator(parts: CreateRunParts) {
  const { store, registry, observer } = parts;

  return async function createRun(caller: Caller, request: RunRequest, context: RequestContext): Promise<StartedRun> {
    const claim = claimOf(caller, context, () => ['POST /runs', bodyOf(request)]);
    try {
      const earlier = claim === null ? null : await store.findByKey(claim);
      if (earlier) return replay(earlier);
      context.mayBegin?.();
      if (parts.draining()) throw new GatewayError('shutting_down', { retryAfterS: 1 });
      if (!parts.heartbeatIsYoung()) throw new GatewayError('store_unavailable', { retryAfterS: 5 });
      const resolved = resolveRun(registry(), request, () => parts.random.float());
      const opened = await parts.targets.open(resolved.provider);
      const plan = { resolved, opened, choice: opened.choose() };
      const asked = { caller, request, context, claim };
      const refusal = refusalOf(parts, plan, caller);
      return await (refusal ? writeAtFallback(parts, asked, { resolved, refusal }) : write(parts, asked, plan));
    } catch (error) {
      const first = await copiedRun(parts, error, claim);
      if (first) return first;
      if (error instanceof GatewayError) observer.refused(error.code);
      throw error;
    }
  };
}

/** A copy that came while the first was being written is no run too many. */
async function copiedRun(
  { store }: CreateRunParts,
  error: unknown,
  claim: IdempotencyClaim | null,
): Promise<StartedRun | null> {
  const limited = error instanceof GatewayError && error.code === 'concurrency_limited';
  const first = limited && claim ? await store.findByKey(claim) : null;
  return first && replay(first);
}

/** Where a new run goes, and whether it may leave now. */
interface Plan {
  resolved: ResolvedRun;
  opened: OpenTarget;
  /** To be taken before anything is awaited. */
  choice: Choice;
}

/** Why the run can go neither now nor later to where it is meant to; null: it can. */
function refusalOf(
  { queue }: CreateRunParts,
  { resolved, opened, choice }: Plan,
  { lineage }: Caller,
): GatewayError | null {
  switch (choice.is) {
    case 'go':
      return null;
    case 'refused':
      return choice.error;
    case 'wait': {
      const waitMs = opened.waitBehindMs(queue.aheadOf(resolved.provider.name, lineage));
      if (waitMs === null || waitMs < resolved.timeoutMs) return null;
      return tooLate(resolved, opened.waitBehindMs(0) ?? 0);
    }
  }
}

/** The allowance does not come back before the run's deadline. */
function tooLate({ provider }: ResolvedRun, waitMs: number): GatewayError {
  const { name, kind } = provider;
  const message = `What ${name} may begin is used up until after this run's deadline, by its limits in rungate.yaml or by what ${kind.title} has said is left; nothing was sent.`;
  return heldBack('upstream_rate_limited', { name, message, retryInMs: waitMs });
}

/** A request for a new run, and whose it is. */
interface Asked {
  caller: Caller;
  request: RunRequest;
  context: RequestContext;
  claim: IdempotencyClaim | null;
}

/** Where a new run finds room: beside the starts in flight, or in the queue. */
type Room = { credential: SealedCredential; entry: Entry } & (
  { place: Place; slot: StartSlot; ticket: null } | { place: null; slot: null; ticket: QueueTicket }
);

/** Throws where there is no room for the run, neither at once nor in the queue. */
function takeRoom(parts: CreateRunParts, { caller, claim }: Asked, { resolved, opened, choice }: Plan): Room {
  const { places, queue, callerLimits } = parts;
  const { name } = resolved.provider;
  if (choice.is === 'refused') throw choice.error;
  const credential = choice.is === 'go' ? choice.credential : opened.usual();
  if (!credential) throw new GatewayError('internal', { cause: new Error('a target waits without a credential') });
  const entry = callerLimits.enter(caller, claim);
  const place = choice.is === 'go' && !queue.hasFor(name) ? places.take() : null;
  if (place && choice.is === 'go') return { credential, entry, place, slot: choice.take(), ticket: null };
  const ticket = queue.join(name, caller.lineage);
  if (ticket) return { credential, entry, place: null, slot: null, ticket };
  entry.leave();
  throw new GatewayError('overloaded', { retryAfterS: CROWDED_RETRY_S });
}

/** Writes the run at its first fallback with room. Throws the refusal where none takes it. */
async function writeAtFallback(
  parts: CreateRunParts,
  asked: Asked,
  { resolved, refusal }: { resolved: ResolvedRun; refusal: GatewayError },
): Promise<StartedRun> {
  const { fallbacks, options, provider } = resolved;
  const search = { from: { fallbacks, options, kind: provider.kind.kind }, errors: [refusal.code] };
  const started = await takeFallback(parts, search, ({ target, opened, choice, rest }) =>
    write(parts, asked, { resolved: { ...resolved, ...target, fallbacks: rest }, opened, choice }),
  );
  if (!started) throw refusal;
  return started;
}

/**
 * Writes the run as `running`, and sends it, where there is room for it now; else as `queued`. Whatever was taken for it
 * is given back unless it is written, or sent. To be called in the turn of the choice; until the write is under way
 * nothing is awaited: what is written, a drain waits for, and what was counted is released.
 */
async function write(parts: CreateRunParts, asked: Asked, plan: Plan): Promise<StartedRun> {
  const { store, callerLimits } = parts;
  const { caller, request, context, claim } = asked;
  if (parts.draining()) throw new GatewayError('shutting_down', { retryAfterS: 1 });
  const { credential, entry, place, slot, ticket } = takeRoom(parts, asked, plan);
  let leave = () => {};
  let sent = false;
  try {
    const run = newRun(parts, { caller, request, context, resolved: plan.resolved, credential, slot });
    // A drain waits for a start whose write is under way, as for one that was sent.
    if (slot) leave = parts.flights.board(run.id);
    const quota = callerLimits.quotaOf(caller);
    const token = tokenQuotaOf(caller);
    let written: Awaited<ReturnType<RunStore['create']>>;
    try {
      written = await store.create(run, { idempotency: claim, quota, token });
    } catch (cause) {
      parts.onUnsure(run.id);
      throw cause;
    }
    if (written.kind === 'over_quota' || written.kind === 'over_token_quota') {
      throw quotaError(parts, written.kind, { quota, token });
    }
    if (written.kind !== 'created') return replay(written);
    parts.census.saw(written.run);
    parts.budget.started(written.run.provider);
    if (!slot) {
      ticket.written();
      return begun(written.run, null);
    }
    slot.written();
    sent = true;
    const start = { inputs: request.inputs, credential, listening: context.listening, slot };
    return begun(written.run, parts.attempts.send(written.run, start, place));
  } finally {
    if (!sent) {
      place?.free();
      slot?.drop();
    }
    ticket?.leave();
    entry.leave();
    leave();
  }
}

function quotaError(
  { callerLimits }: CreateRunParts,
  kind: 'over_quota' | 'over_token_quota',
  { quota, token }: { quota: DayQuota | null; token: TokenQuota | null },
): GatewayError {
  if (kind === 'over_quota' && quota) return callerLimits.overQuota(quota);
  if (kind === 'over_token_quota' && token) return callerLimits.overTokenQuota(token);
  return new GatewayError('internal', { cause: new Error('a run was counted that has no quota') });
}

/** What of a request makes it the same: everything, as it was understood. */
function bodyOf(request: RunRequest): Json {
  const { provider = null, timeoutS = null, waitingTimeoutS = null } = request;
  const webhook = request.webhook && { url: request.webhook.url, events: [...request.webhook.events] };
  return { ...request, webhook, provider, timeoutS, waitingTimeoutS };
}

function begun(
  run: Run,
  flight: { vendorHeaders: Readonly<Record<string, string>>; upstreamMs: number } | null,
): StartedRun {
  return {
    run,
    replayed: false,
    vendorHeaders: () => flight?.vendorHeaders ?? NO_HEADERS,
    upstreamMs: () => flight?.upstreamMs ?? 0,
    refusal: () => null,
  };
}
