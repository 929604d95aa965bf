import type { Caller } from '../core/caller.ts';
import type { Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import type { Ids, Owner } from '../core/ids.ts';
import type { Json } from '../core/json.ts';
import type { SealedCredential } from '../core/secret.ts';
import type { Registry } from '../providers/registry.ts';
import { firstAttempt, firstStep, type Attempts } from './attempts.ts';
import { claimOf, replay } from './idempotency.ts';
import type { Flights } from './flights.ts';
import type { EngineLimits } from './limits.ts';
import type { Run } from './model.ts';
import type { Places } from './places.ts';
import type { CredentialSource, NewRun, RunStore } from './ports.ts';
import { resolveRun, type ResolvedRun } from './resolve-run.ts';
import type { RequestContext, RunRequest, StartedRun } from './run-service.ts';

export interface CreateRunParts {
  store: RunStore;
  attempts: Attempts;
  places: Places;
  flights: Pick<Flights, 'board'>;
  credentials: CredentialSource;
  registry: () => Registry;
  clock: Clock;
  ids: Ids;
  owner: Owner;
  limits: EngineLimits;
  heartbeatIsYoung: () => boolean;
  draining: () => boolean;
}

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

/**
 * Write first: the run and its idempotency key are durable before the vendor is called, and everything
 * that can be refused without the vendor is refused before the run is written.
 */
export function createRunCreator(parts: CreateRunParts) {
  const { store, attempts, credentials, registry, limits } = parts;

  return async function createRun(caller: Caller, request: RunRequest, context: RequestContext): Promise<StartedRun> {
    const claim = claimOf(caller, context, ['POST /runs', bodyOf(request)]);
    const earlier = claim === null ? null : await store.findByKey(claim);
    if (earlier) return replay(earlier);
    if (parts.draining()) throw new GatewayError('shutting_down', { retryAfterS: 1 });
    if (!parts.heartbeatIsYoung()) throw new GatewayError('store_unavailable', { retryAfterS: 5 });
    const resolved = resolveRun(registry(), request);
    const credential = await credentials.pick(resolved.provider);
    if (!credential) {
      const name = resolved.provider.name;
      const message = `${resolved.provider.kind.title} has no credential; the operator adds one with \`rungate credentials add ${name}\`.`;
      throw new GatewayError('no_credential', { provider: name, message, retryAfterS: 60 });
    }
    // Once more, because something was awaited since: what is written from here on, a drain waits for.
    if (parts.draining()) throw new GatewayError('shutting_down', { retryAfterS: 1 });
    // Taken before the run is written: who finds one is sent at once, however many come together.
    const place = parts.places.takeAhead();
    const atOnce = place !== null;
    let leave = () => {};
    try {
      if (!atOnce && (await store.countUnfinished()).queued >= limits.queuedMax) {
        throw new GatewayError('overloaded', { retryAfterS: 5 });
      }
      const run = newRun(parts, { caller, request, context, resolved, credential, atOnce });
      // A drain waits for a start whose write is under way, as for one that was sent.
      if (atOnce) leave = parts.flights.board(run.id);
      const written = await store.create(run, { idempotency: claim });
      if (written.kind === 'created') {
        if (!atOnce) parts.places.queued();
        const start = { inputs: request.inputs, credential, listening: context.listening };
        return begun(written.run, place && attempts.send(written.run, start, place));
      }
      place?.free();
      return replay(written);
    } catch (error) {
      place?.free();
      throw error;
    } finally {
      leave();
    }
  };
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

function newRun(
  { ids, clock, owner }: CreateRunParts,
  {
    caller,
    request,
    context,
    resolved,
    credential,
    atOnce,
  }: {
    caller: Caller;
    request: RunRequest;
    context: RequestContext;
    resolved: ResolvedRun;
    credential: SealedCredential;
    atOnce: boolean;
  },
): NewRun {
  const at = clock.now();
  const { provider } = resolved;
  const pinned = {
    provider: provider.name,
    kind: provider.kind.kind,
    baseUrl: provider.baseUrl,
    credentialId: credential.id,
    upstreamWorkflow: resolved.upstreamWorkflow,
  };
  const created = { type: 'run.created', at, data: {} } as const;
  return {
    ...pinned,
    id: ids.run(),
    status: atOnce ? 'running' : 'queued',
    keyId: caller.keyId,
    keyName: caller.keyName,
    lineage: caller.lineage,
    subject: caller.subject,
    workflow: request.workflow,
    allowPrivateNetwork: provider.allowPrivateNetwork,
    settings: provider.settings,
    defaults: resolved.defaults,
    options: resolved.options,
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
    attempts: atOnce ? [firstAttempt(pinned, firstStep(provider.kind, resolved.options, context.listening), at)] : [],
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
    inputs: request.inputs,
    events: atOnce ? [created, { type: 'run.started', at, data: {} }] : [created],
  };
}
