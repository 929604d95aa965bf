import { BusyMap } from '../core/busy-map.ts';
import type { Caller, CallerToken } from '../core/caller.ts';
import { pause, type Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';

/**
 * Calls that are held open for their callers: waits and streams. Each is
 *
 *   held:  its caller was valid when it was last looked at;
 *   ended: the caller's key was revoked, the key or the token has expired, or the configuration no longer trusts who
 *          issued it. `end` was called, once;
 *   over:  whoever held it has let go. Nothing more happens to it.
 *
 * Invariants: a call is ended within a second of its caller's end, by whatever process that was made; keys are looked up,
 * not calls, so ten thousand calls of one key cost one read; there is one timer while anything is held, and none otherwise.
 */
export interface OpenCalls {
  /** `end` is called when the caller's time is over, later, never from within. Call what it returns when the call is over. */
  hold(caller: Pick<Caller, 'keyId' | 'token'>, end: () => void): () => void;
  stop(): void;
}

export interface OpenCallsParts {
  /** Whether the key may be used now, as the store has it at this moment. */
  isValid: (keyId: string) => Promise<boolean>;
  /** Whether the configuration, as it is now, still trusts who issued the token. */
  isTrusted: (token: CallerToken) => boolean;
  clock: Clock;
  log: Pick<Log, 'warn' | 'error'>;
}

/** A revocation must count within a second. */
const LOOK_EVERY_MS = 250;
/** So many keys are looked up before others get their turn of the process. */
const KEYS_AT_ONCE = 200;

interface Held {
  readonly keyId: string;
  readonly token: CallerToken | null;
  readonly end: () => void;
}

/** Makes the register. It is stopped with the process; what is held then is not ended by it. */
export function createOpenCalls({ isValid, isTrusted, clock, log }: OpenCallsParts): OpenCalls {
  const calls = new BusyMap<number, Held>();
  /** How many calls there are of each key. */
  const keys = new BusyMap<string, number>();
  let lastNumber = 0;
  /** Calls that came with a token. */
  let withToken = 0;
  let cancelTimer = () => {};
  let watching = false;
  let stopped = false;

  function plan(): void {
    watching = !stopped && calls.size > 0;
    if (watching) cancelTimer = clock.after(LOOK_EVERY_MS, () => void look().finally(plan));
  }

  async function look(): Promise<void> {
    if (withToken > 0) endTokens(clock.now());
    const ended = await endedKeys();
    if (ended.size === 0 || stopped) return;
    for (const number of calls.keys()) {
      const call = calls.get(number);
      if (call && ended.has(call.keyId)) endCall(number, call);
    }
  }

  function endTokens(now: number): void {
    for (const number of calls.keys()) {
      const call = calls.get(number);
      if (!call?.token) continue;
      if (call.token.expiresAt <= now || !isTrusted(call.token)) endCall(number, call);
    }
  }

  async function endedKeys(): Promise<Set<string>> {
    const ended = new Set<string>();
    let looked = 0;
    try {
      for (const keyId of keys.keys()) {
        if (stopped) break;
        if (!(await isValid(keyId))) ended.add(keyId);
        if (++looked % KEYS_AT_ONCE === 0) await pause(clock, 0);
      }
    } catch (cause) {
      // Nobody is cut off because the store is away; new requests are refused meanwhile.
      if (!stopped) log.warn({ err: cause }, 'keys of open calls could not be looked up; it is tried again');
    }
    return ended;
  }

  function endCall(number: number, { end, keyId }: Held): void {
    letGo(number);
    try {
      end();
    } catch (cause) {
      log.error({ err: cause, key_id: keyId }, 'an open call could not be ended');
    }
  }

  function letGo(number: number): void {
    const call = calls.get(number);
    if (!call) return;
    calls.delete(number);
    if (call.token) withToken -= 1;
    const others = (keys.get(call.keyId) ?? 1) - 1;
    if (others > 0) keys.set(call.keyId, others);
    else keys.delete(call.keyId);
  }

  return {
    hold({ keyId, token }, end) {
      if (stopped) return () => {};
      const number = ++lastNumber;
      calls.set(number, { keyId, token, end });
      if (token) withToken += 1;
      keys.set(keyId, (keys.get(keyId) ?? 0) + 1);
      if (!watching) plan();
      return () => letGo(number);
    },
    stop() {
      stopped = true;
      cancelTimer();
    },
  };
}
