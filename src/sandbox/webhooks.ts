import type { Clock } from '../core/clock.ts';
import type { JsonObject } from '../core/json.ts';
import type { RunToWatch, WebhookForm } from './vendor.ts';

/** Where a vendor tells of its runs. */
export interface WebhookTarget {
  url: string;
  secret: string;
  /** How many of each message are sent, as if an acknowledgement had been lost. */
  copies: number;
}

/** How many messages were sent since the target was set, and how they were answered: `{"202":3}`; `failed`: not at all. */
export type WebhookTally = { url: string | null; sent: number; under_way: number; answers: Record<string, number> };

/** Sends a vendor's signed webhooks. */
export interface WebhookSender {
  /** Throws `RangeError` where the vendor has no webhooks, or the address is no loopback one. */
  setTarget(target: WebhookTarget | null): void;
  /** Tells of this run when it has ended, if somebody wants to know now. */
  watch(run: RunToWatch): void;
  /** Tells of this run at once; throws `RangeError` where there is no target. */
  send(runId: string, copies: number): void;
  tally(): WebhookTally;
  stop(): void;
}

const LOOPBACK = /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])$/;
/** How often a run is looked at whose end somebody else may bring about. */
const LOOK_MS = 200;
const UNDER_WAY_MAX = 50;
const TIMEOUT_MS = 10_000;

/** Reads what the control server was sent; `url: null` is no target. Throws `RangeError`. */
export function readTarget({ url, secret }: JsonObject, copies: number): WebhookTarget | null {
  if (url === null) return null;
  if (typeof url !== 'string' || typeof secret !== 'string') throw new RangeError('url and secret must be strings');
  return { url, secret, copies };
}

/** Nothing is sent until there is a target. */
export function createWebhookSender({ clock, form }: { clock: Clock; form: () => WebhookForm | null }): WebhookSender {
  let target: WebhookTarget | null = null;
  let tally = createTally(null);
  let stopping = new AbortController();
  const waiting: (() => Promise<void>)[] = [];
  let underWay = 0;

  function pump(): void {
    while (underWay < UNDER_WAY_MAX) {
      const next = waiting.shift();
      if (next === undefined) return;
      underWay += 1;
      void next().finally(() => {
        underWay -= 1;
        pump();
      });
    }
  }
  function tell(runId: string, copies: number): void {
    const to = target;
    const how = form();
    if (to === null || how === null) return;
    const body = JSON.stringify(how.message(runId));
    const into = tally;
    const { signal } = stopping;
    for (let i = 0; i < copies; i++)
      waiting.push(() => post(to, { body, headers: how.sign(body, to.secret) }, into, signal));
    pump();
  }
  function look(run: RunToWatch, of: WebhookTarget): void {
    if (target !== of) return;
    if (run.hasEnded()) return tell(run.id, of.copies);
    clock.after(Math.max(1, Math.min(run.nextChangeMs(), LOOK_MS)), () => look(run, of));
  }
  function stop(): void {
    stopping.abort();
    stopping = new AbortController();
    waiting.length = 0;
    target = null;
  }
  return {
    setTarget(next) {
      if (next !== null && form() === null) throw new RangeError('this vendor has no webhooks');
      if (next !== null && !isLoopback(next.url)) throw new RangeError('url must be an http one on loopback');
      stop();
      target = next;
      tally = createTally(next);
    },
    watch(run) {
      if (target !== null) look(run, target);
    },
    send(runId, copies) {
      if (target === null) throw new RangeError('set a url first');
      tell(runId, copies);
    },
    tally: () => ({ ...tally, under_way: underWay + waiting.length, answers: { ...tally.answers } }),
    stop,
  };
}

function createTally(target: WebhookTarget | null): WebhookTally {
  return { url: target?.url ?? null, sent: 0, under_way: 0, answers: {} };
}

function isLoopback(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && url.protocol === 'http:' && LOOPBACK.test(url.hostname);
}

async function post(
  { url }: WebhookTarget,
  { body, headers }: { body: string; headers: Record<string, string> },
  tally: WebhookTally,
  stopped: AbortSignal,
): Promise<void> {
  tally.sent += 1;
  const signal = AbortSignal.any([stopped, AbortSignal.timeout(TIMEOUT_MS)]);
  const all = { 'content-type': 'application/json', ...headers };
  const answered = await fetch(url, { method: 'POST', headers: all, body, redirect: 'manual', signal })
    .then(async (response) => {
      await response.body?.cancel();
      return String(response.status);
    })
    .catch(() => 'failed');
  tally.answers[answered] = (tally.answers[answered] ?? 0) + 1;
}
