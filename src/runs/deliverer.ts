import { pause, type Clock } from '../core/clock.ts';
import { GatewayError, isStoreUnavailable } from '../core/errors.ts';
import type { Owner, RunId } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import { OutboundError, type Outbound, type OutboundFailure, type PlainAnswer } from '../core/outbound.ts';
import type { Random } from '../core/random.ts';
import { retryAfter } from './answers.ts';
import { nextTryMs } from './delivery-ladder.ts';
import type { EngineLimits } from './limits.ts';
import type { Delivery } from './model.ts';
import type { DeliveryResult, RunStore } from './ports.ts';
import { renderMessage } from './render-delivery.ts';
import { createTargetShares, type TargetPlace } from './target-shares.ts';

/**
 * Messages to callers' webhooks, from the rows that moves wrote.
 *
 * A message is pending -> claimed (its row is ours) -> tried -> settled: delivered, gone, failed, or pending until the next
 * step of its ladder. One for which its target has no place is given back untried. One that somebody wants sent again while
 * it is tried is tried anew right after, whatever the try before came to. A process that dies leaves its rows to whoever
 * takes over, so a message may come twice; its id is what a receiver tells copies by.
 */
export interface Deliverer {
  /** Takes what is due and what there is room for. True: there may be more. */
  turn(): Promise<boolean>;
  /** Runs whose messages are being tried: their rows are not lost. */
  runIds(): RunId[];
  /** Resolves once nothing is being tried any more. */
  idle(): Promise<void>;
}

/** Signs a message with every valid secret of a key lineage: one `v1,…` each; none where it has no secret. */
export type SignMessage = (
  lineage: string,
  message: { id: string; timestampS: number; body: string },
) => Promise<readonly string[]>;

export interface DelivererParts {
  store: RunStore;
  outbound: Pick<Outbound, 'post'>;
  sign: SignMessage;
  clock: Clock;
  random: Random;
  log: Log;
  owner: Owner;
  limits: Pick<EngineLimits, 'deliveriesMax'>;
  /** Whether messages may go to addresses that are not public: the operator's decision. */
  allowPrivateNetwork: boolean;
  /** Aborted when the process gives up: tries are broken off, and their messages given back. */
  stopped: AbortSignal;
}

/** For a whole try. */
const TIMEOUT_MS = 20_000;
const STORE_RETRY_MS = 1_000;
const GONE = 410;

/** What a try came to. */
type Tried =
  | { is: 'answered'; answer: PlainAnswer }
  /** No answer; another try may have one. */
  | { is: 'unanswered'; error: string }
  /** There is no sense in another try. */
  | { is: 'hopeless'; error: string }
  /** Broken off, because the process stops. */
  | { is: 'stopped' };

export function createDeliverer(parts: DelivererParts): Deliverer {
  const { store, clock, log, owner, stopped } = parts;
  const placesMax = parts.limits.deliveriesMax;
  const shares = createTargetShares(placesMax);
  const underWay = new Map<string, { runId: RunId; done: Promise<void> }>();

  /** Begins a try where its target has a place. */
  async function admit(delivery: Delivery): Promise<void> {
    // The answer to its settling was lost, and it was asked for again since: that end must be noticed first.
    if (underWay.has(delivery.id)) return void (await store.postponeDelivery(delivery, owner, STORE_RETRY_MS));
    const run = await store.peek(delivery.runId);
    const origin = run?.webhook ? new URL(run.webhook.url).origin : '';
    const taken = shares.take(origin);
    if ('waitMs' in taken) {
      const waitMs = Math.ceil(taken.waitMs * (1 + parts.random.float()));
      await store.postponeDelivery(delivery, owner, waitMs);
      return;
    }
    const done = carry(delivery, origin, taken.place)
      .catch((cause: unknown) => lose(delivery, cause))
      .finally(() => underWay.delete(delivery.id));
    underWay.set(delivery.id, { runId: delivery.runId, done });
  }

  /** Its row is given back with what was lost. */
  function lose(delivery: Delivery, cause: unknown): void {
    const fields = { err: cause, run_id: delivery.runId, delivery_id: delivery.id };
    log[isStoreUnavailable(cause) ? 'warn' : 'error'](fields, 'a webhook message could not be carried');
  }

  async function carry(delivery: Delivery, origin: string, place: TargetPlace): Promise<void> {
    let answered: boolean | null = null;
    let tried: Tried;
    try {
      tried = await tryOnce(parts, delivery);
      if (tried.is === 'answered' || tried.is === 'unanswered') answered = tried.is === 'answered';
    } finally {
      place.leave(answered);
    }
    if (tried.is === 'stopped') return void (await store.postponeDelivery(delivery, owner, 0));
    const result = { ...resultOf(parts, delivery, tried), afterTries: delivery.tries };
    if ((await settle(delivery.id, result)) === 'ok') logResult(log, { delivery, origin, result });
  }

  /** However long the store needs: a try that is forgotten is a message sent twice. */
  async function settle(id: string, result: DeliveryResult): Promise<'ok' | 'stale'> {
    for (;;) {
      try {
        return await store.settleDelivery(id, owner, result);
      } catch (cause) {
        const mayPass = isStoreUnavailable(cause);
        if (!mayPass || stopped.aborted) throw cause;
      }
      await pause(clock, STORE_RETRY_MS, stopped);
    }
  }

  return {
    async turn() {
      const room = placesMax - underWay.size;
      if (room <= 0 || stopped.aborted) return false;
      const claimed = await store.claimDeliveries(owner, room);
      // Together: those that are postponed share a commit, and what becomes of one is nothing to the others.
      await Promise.all(claimed.map((delivery) => admit(delivery).catch((cause: unknown) => lose(delivery, cause))));
      return claimed.length === room;
    },
    runIds: () => Array.from(underWay.values(), ({ runId }) => runId),
    async idle() {
      while (underWay.size > 0) await Promise.all(Array.from(underWay.values(), ({ done }) => done));
    },
  };
}

/** One try, whatever comes of it; rejects only where the store is down. */
async function tryOnce(parts: DelivererParts, delivery: Delivery): Promise<Tried> {
  const { store, clock, log, stopped } = parts;
  const fields = { run_id: delivery.runId, delivery_id: delivery.id };
  try {
    const run = await store.get(delivery.runId);
    if (!run?.webhook) return { is: 'hopeless', error: 'run_deleted' };
    const { id } = delivery;
    const body = renderMessage(delivery, run);
    const timestampS = Math.floor(clock.now() / 1000);
    const signatures = await parts.sign(run.lineage, { id, timestampS, body });
    if (signatures.length === 0) {
      log.warn(
        { ...fields, key_lineage: run.lineage },
        'a webhook message cannot be signed: its key has no signing secret; rotate the key or call POST /me/webhook-secret with it, then have the message sent again',
      );
      return { is: 'hopeless', error: 'no_secret' };
    }
    const headers = {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(timestampS),
      'webhook-signature': signatures.join(' '),
    };
    const { allowPrivateNetwork } = parts;
    const message = { url: run.webhook.url, headers, body, allowPrivateNetwork, timeoutMs: TIMEOUT_MS };
    return { is: 'answered', answer: await parts.outbound.post(message, stopped) };
  } catch (cause) {
    if (stopped.aborted) return { is: 'stopped' };
    if (cause instanceof OutboundError) return { is: 'unanswered', error: WORDS[cause.failure] };
    if (isStoreUnavailable(cause)) throw cause;
    log.error({ ...fields, err: cause }, 'a webhook message could not be made');
    return { is: 'unanswered', error: cause instanceof GatewayError ? cause.code : 'internal' };
  }
}

/** What people are told of a try without an answer. */
const WORDS: Readonly<Record<OutboundFailure, string>> = {
  dns: 'dns',
  connect: 'connect',
  tls: 'tls',
  forbidden_address: 'forbidden_address',
  invalid_request: 'invalid_request',
  headers_timeout: 'timeout',
  body_timeout: 'timeout',
  too_large: 'reset',
  reset: 'reset',
  aborted: 'reset',
  held_back: 'reset',
};

/** What becomes of the message. A redirect is not followed: whoever it leads to was not named by the caller. */
function resultOf(
  { clock, random }: Pick<DelivererParts, 'clock' | 'random'>,
  delivery: Delivery,
  tried: Exclude<Tried, { is: 'stopped' }>,
): DeliveryResult {
  const at = clock.now();
  const over = (status: 'delivered' | 'gone' | 'failed', responseStatus: number | null, error: string | null) => ({
    status,
    at,
    responseStatus,
    error,
    nextInMs: null,
  });
  if (tried.is === 'hopeless') return over('failed', null, tried.error);
  const status = tried.is === 'answered' ? tried.answer.status : null;
  if (status !== null && status >= 200 && status <= 299) return over('delivered', status, null);
  if (status === GONE) return over('gone', status, null);
  const isRedirect = status !== null && status >= 300 && status <= 399;
  const error = tried.is === 'unanswered' ? tried.error : isRedirect ? 'redirect' : null;
  const askedMs = tried.is === 'answered' ? (retryAfter(tried.answer, at) ?? 0) * 1000 : 0;
  const nextInMs = nextTryMs(delivery.tries + 1, askedMs, random);
  if (nextInMs === null) return over('failed', status, error);
  return { status: 'pending', at, responseStatus: status, error, nextInMs };
}

/** Never the address beyond its origin, nor the text: both are the caller's, and may be secret. */
function logResult(
  log: Log,
  { delivery, origin, result }: { delivery: Delivery; origin: string; result: DeliveryResult },
): void {
  const fields = {
    run_id: delivery.runId,
    delivery_id: delivery.id,
    origin,
    tries: delivery.tries + 1,
    status: result.responseStatus,
    error: result.error,
  };
  switch (result.status) {
    case 'delivered':
      return log.debug(fields, 'webhook message delivered');
    case 'pending':
      return log.info({ ...fields, next_in_ms: result.nextInMs }, 'webhook message not taken, it is sent again later');
    case 'gone':
      return log.info(fields, 'webhook target is gone, the run sends no more messages');
    case 'failed':
      return log.warn(fields, 'webhook message given up');
  }
}
