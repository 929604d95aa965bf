import { createHash } from 'node:crypto';
import { BusyMap } from '../core/busy-map.ts';
import type { Clock } from '../core/clock.ts';
import { parseRunId, type RunId } from '../core/ids.ts';
import { parseJson, type Json } from '../core/json.ts';
import type { Log } from '../core/log.ts';
import type { InboundOperation } from '../providers/define-provider.ts';
import type { Registry } from '../providers/registry.ts';
import type { VerifySignature } from '../vault/verify-signature.ts';
import { hasEnded, type Run } from './model.ts';
import type { RunStore } from './ports.ts';

/**
 * Vendors' own webhooks. However well one is signed, it is only a hint: it makes Rungate ask the vendor now instead of at
 * the next poll, and nothing else in it is believed. So an old message that is played again does no harm.
 *
 * A run is hurried by a first hint, and then left alone for a second: copies of that hint are dropped, and one that says
 * something else makes it hurried once more when the second is over.
 */
export interface InboundWebhooks {
  /**
   * `unknown`: no such provider, or one that takes no webhooks. `refused`: not signed with its credential, or too old.
   * `taken`: right, whether or not it is about a run of ours. Throws `vault_unavailable`, `store_unavailable`.
   */
  receive: (provider: string, message: InboundMessage) => Promise<'unknown' | 'refused' | 'taken'>;
}

export interface InboundMessage {
  /** Names in lower case. */
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** As it came. */
  body: Uint8Array;
}

export interface InboundParts {
  registry: () => Registry;
  verify: VerifySignature;
  store: Pick<RunStore, 'findByVendorRun' | 'peek' | 'hurry'>;
  clock: Clock;
  log: Log;
  /** A run was made due. */
  soon: () => void;
  /** A run that is followed has no due time; it is this process's to poll. */
  onHint: (id: RunId) => void;
}

const QUIET_MS = 1_000;
const SAY_AGAIN_MS = 60_000;
/** Runs that are left alone at once; hints about others are dropped meanwhile, for they are polled anyway. */
const REMEMBERED_MAX = 10_000;

interface Hurried {
  /** Monotonic. */
  untilMs: number;
  /** Of the last hint. */
  digest: string;
  again: boolean;
}

export function createInboundWebhooks({
  registry,
  verify,
  store,
  clock,
  log,
  soon,
  onHint,
}: InboundParts): InboundWebhooks {
  const hurried = new BusyMap<RunId, Hurried>();
  let ticking = false;
  /** By provider, of which the configuration names a few; monotonic. */
  const unsignedSaidAt = new Map<string, number>();

  /** Anybody may send one. */
  function sayUnsigned(provider: string): void {
    const now = clock.monotonic();
    if (now - (unsignedSaidAt.get(provider) ?? -Infinity) < SAY_AGAIN_MS) return;
    unsignedSaidAt.set(provider, now);
    log.info(
      { provider },
      'a vendor webhook came in, but the provider has no credential of purpose webhook: rungate credentials add --purpose webhook',
    );
  }

  async function hurry(id: RunId): Promise<void> {
    onHint(id);
    if (await store.hurry(id)) soon();
  }

  function remember(id: RunId, digest: string): void {
    hurried.set(id, { untilMs: clock.monotonic() + QUIET_MS, digest, again: false });
    tick();
  }

  /** One timer for all. */
  function tick(): void {
    if (ticking) return;
    ticking = true;
    clock.after(QUIET_MS, () => {
      ticking = false;
      const now = clock.monotonic();
      for (const id of hurried.keys()) {
        const entry = hurried.get(id);
        if (entry === undefined || entry.untilMs > now) continue;
        hurried.delete(id);
        if (!entry.again) continue;
        remember(id, entry.digest);
        hurry(id).catch((err: unknown) => log.warn({ err, run_id: id }, 'a run could not be hurried'));
      }
      if (hurried.size > 0) tick();
    });
  }

  async function hint(run: Run, digest: string): Promise<void> {
    const entry = hurried.get(run.id);
    const isOver = entry === undefined || (entry.untilMs <= clock.monotonic() && !entry.again);
    if (isOver) {
      if (entry === undefined && hurried.size >= REMEMBERED_MAX) return;
      remember(run.id, digest);
      await hurry(run.id);
    } else if (entry.digest !== digest) {
      entry.digest = digest;
      entry.again = true;
    }
  }

  async function runOf(provider: string, body: Json, inbound: InboundOperation): Promise<Run | null> {
    const about = inbound.read(body);
    if (about === null) return null;
    if ('runId' in about) return store.findByVendorRun(provider, about.runId);
    const id = parseRunId(about.clientRunId);
    const run = id === null ? null : await store.peek(id);
    return run?.provider === provider ? run : null;
  }

  return {
    async receive(name, message) {
      const inbound = registry().provider(name)?.kind.inbound;
      if (inbound === undefined) return 'unknown';
      const { header, timestamp } = inbound.signature;
      const given = headerOf(message, header) ?? '';
      const verdict = await verify(name, { body: message.body, signature: given });
      if (verdict === 'no_credential') {
        sayUnsigned(name);
        return 'unknown';
      }
      const isInTime = timestamp === null || isWithin(headerOf(message, timestamp.header), timestamp.toleranceS, clock);
      if (verdict === 'wrong' || !isInTime) return 'refused';
      const parsed = parseJson(message.body);
      const run = parsed.ok ? await runOf(name, parsed.value, inbound) : null;
      if (run !== null && isPolled(run)) await hint(run, digestOf(message.body));
      return 'taken';
    },
  };
}

/** Whether asking the vendor earlier can tell anything: a run that was not handed over is not known there. */
function isPolled(run: Run): boolean {
  return !hasEnded(run) && run.care.step !== 'start' && run.care.step !== 'none' && run.care.step !== 'resume';
}

function digestOf(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('base64url');
}

function headerOf({ headers }: InboundMessage, name: string): string | null {
  const value = headers[name];
  return typeof value === 'string' ? value.trim() : null;
}

/** Seconds or milliseconds since 1970, or a date: vendors do not say which they write. */
function isWithin(text: string | null, toleranceS: number, clock: Clock): boolean {
  if (text === null || text === '') return false;
  const number = /^\d{1,13}(?:\.\d{1,9})?$/.test(text) ? Number(text) : null;
  const ms = number === null ? Date.parse(text) : number < SECONDS_MAX ? number * 1000 : number;
  return Math.abs(clock.now() - ms) <= toleranceS * 1000;
}

/** Of this year's times, seconds are far below it and milliseconds far above. */
const SECONDS_MAX = 1e11;
