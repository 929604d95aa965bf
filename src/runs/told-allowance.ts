import type { Clock } from '../core/clock.ts';
import type { RateLimitSeen } from './model.ts';
import { StartLog } from './start-log.ts';

/** A reset is taken for later than told, since clocks differ and vendors round to seconds. */
const RESET_MARGIN_MS = 1_000;
/** A vendor that mixes its units up must not stop a credential for good. */
const RESET_MS_MAX = 86_400_000;
/** Answers whose resets are that close speak of the same window. */
const SAME_RESET_MS = 2_000;
/** A start of so long ago may still be on its way to the vendor, and be missing in what it says is left. */
const FLIGHT_MS = 1_000;
/** Windows are taken to last as long as the longest that was seen, within these bounds. */
const SPAN_MS_MIN = 1_000;
const SPAN_MS_MAX = 60_000;
/** Without a word for so long, nothing is known. */
const FORGOTTEN_AFTER_MS = 3_600_000;
const TAKES_MAX = 10_000;

/** All times are monotonic. */
interface Window {
  left: number;
  /** The first that was told; answers of the same window differ by a little. */
  firstResetMs: number;
  resetMs: number;
  /** When the answer was seen that said so; null: no answer of this window has come, it is assumed. */
  observedMs: number | null;
}

/**
 * What a vendor says is left for one credential. Within a window the number only falls: by every start of ours, and to what
 * later answers say, since an answer may not know of starts that were on their way. After the reset a new window with the
 * vendor's `limit` is assumed, so that everything that waited does not leave at once; the next answer corrects it.
 */
export class ToldAllowance {
  readonly #clock: Pick<Clock, 'now' | 'monotonic'>;
  /** Our starts of the last minute, from the first answer on. */
  readonly #takes = new StartLog();
  #window: Window | null = null;
  #limit: number | null = null;
  #spanMs = SPAN_MS_MIN;
  #said: { remaining: number; untilMs: number; observedMs: number } | null = null;
  #toldMs: number;

  constructor(clock: Pick<Clock, 'now' | 'monotonic'>) {
    this.#clock = clock;
    this.#toldMs = clock.monotonic();
  }

  told(seen: RateLimitSeen): void {
    if (seen.remaining === null) return;
    const remaining = Math.max(0, seen.remaining);
    const nowMs = this.#clock.monotonic();
    const sinceMs = Math.max(0, this.#clock.now() - seen.observedAt);
    const observedMs = nowMs - sinceMs;
    this.#roll(nowMs);
    const inMs = seen.reset === null ? null : Math.min(seen.reset - this.#clock.now(), RESET_MS_MAX);
    const untilMs = nowMs + (inMs === null ? SPAN_MS_MAX - sinceMs : inMs + RESET_MARGIN_MS);
    if (untilMs <= nowMs) return;
    this.#toldMs = nowMs;
    if (observedMs >= (this.#said?.observedMs ?? -Infinity)) this.#said = { remaining, untilMs, observedMs };
    if (inMs === null) return;
    this.#spanMs = Math.min(Math.max(this.#spanMs, inMs + sinceMs), SPAN_MS_MAX);
    this.#window = this.#next({ remaining, resetMs: untilMs, observedMs, limit: seen.limit });
    if (seen.limit !== null) this.#limit = Math.max(1, seen.limit);
  }

  /** A start leaves. The returned function takes that back where it provably has not: to be called once. */
  took(): () => void {
    const nowMs = this.#clock.monotonic();
    this.#roll(nowMs);
    this.#takes.forgetUntil(nowMs - SPAN_MS_MAX);
    this.#takes.push(nowMs, TAKES_MAX);
    if (this.#window) this.#window.left--;
    const counted = this.#window?.firstResetMs;
    return () => {
      this.#takes.remove(nowMs);
      if (counted === this.#window?.firstResetMs) this.#putBack();
    };
  }

  /** How many starts may leave now. */
  left(): number {
    this.#roll(this.#clock.monotonic());
    return this.#window ? Math.max(0, this.#window.left) : Infinity;
  }

  /** Milliseconds until a start may leave behind so many others. */
  waitBehindMs(ahead: number): number {
    const nowMs = this.#clock.monotonic();
    this.#roll(nowMs);
    if (!this.#window || ahead < this.#window.left) return 0;
    const inNext = ahead - Math.max(0, this.#window.left);
    const spans = this.#limit === null ? 0 : Math.floor(inNext / this.#limit);
    return Math.ceil(this.#window.resetMs - nowMs + spans * this.#spanMs);
  }

  /** What the vendor last said is left; null: that is over. */
  remaining(): number | null {
    return this.#said && this.#clock.monotonic() < this.#said.untilMs ? this.#said.remaining : null;
  }

  /** Whether it no longer knows anything. */
  isOver(): boolean {
    return this.left() === Infinity && this.#isForgotten(this.#clock.monotonic()) && this.remaining() === null;
  }

  /** One more than before in this window, and never more than the last answer of it allows. */
  #putBack(): void {
    if (!this.#window) return;
    const said = this.#window.observedMs === null ? null : this.#said;
    const most = said ? said.remaining - this.#takes.countAfter(said.observedMs) : Infinity;
    this.#window.left = Math.max(this.#window.left, Math.min(this.#window.left + 1, most));
  }

  #isForgotten(nowMs: number): boolean {
    return nowMs - this.#toldMs >= FORGOTTEN_AFTER_MS;
  }

  #next(told: { remaining: number; resetMs: number; observedMs: number; limit: number | null }): Window {
    const { resetMs, observedMs } = told;
    const known = this.#window;
    const left = told.remaining - this.#takes.countAfter(observedMs);
    if (!known) return { left, firstResetMs: resetMs, resetMs, observedMs };
    const isSame = told.limit === null || told.limit === this.#limit;
    if (isSame && known.observedMs === null) {
      // Every start since the assumed window began is counted already.
      return { left: Math.min(known.left, left), firstResetMs: resetMs, resetMs, observedMs };
    }
    if (isSame && Math.abs(resetMs - known.firstResetMs) <= SAME_RESET_MS) {
      return { ...known, left: Math.min(known.left, left), resetMs: Math.max(resetMs, known.resetMs) };
    }
    if (observedMs < (known.observedMs ?? 0)) return known;
    const leftAtWorst = told.remaining - this.#takes.countAfter(observedMs - FLIGHT_MS);
    return { left: leftAtWorst, firstResetMs: resetMs, resetMs, observedMs };
  }

  /** After a reset: the window that is assumed, as long as nothing newer is told. */
  #roll(nowMs: number): void {
    const window = this.#window;
    if (!window || nowMs < window.resetMs) return;
    if (this.#limit === null || this.#isForgotten(nowMs)) {
      this.#window = null;
      return;
    }
    const spans = Math.floor((nowMs - window.resetMs) / this.#spanMs);
    const beganMs = window.resetMs + spans * this.#spanMs;
    const resetMs = beganMs + this.#spanMs;
    const left = this.#limit - this.#takes.countAfter(beganMs);
    this.#window = { left, firstResetMs: resetMs, resetMs, observedMs: null };
  }
}
