import type { Clock } from '../core/clock.ts';
import type { BreakerState, BreakerTicket } from './breakers.ts';
import { FailureWindow } from './failure-window.ts';
import type { BreakerLimits } from './limits.ts';

/** How long it is open at most, after probe upon probe has failed, in times of `openMs`. */
const OPEN_FACTOR_MAX = 4;
/** What callers are told while the probe is under way: nobody knows how long it takes. */
const PROBE_WAIT_MS = 1_000;
/** The generation of calls that count for nothing. */
const NO_GENERATION = -1;

/**
 * The circuit breaker of one credential.
 *
 * closed -> open: a call failed, and with it enough of those in the window. open -> half open: its time is over, and a
 * call enters, the probe. half open -> closed, with an empty window: the probe succeeded; -> open, for twice as long up
 * to a bound: it failed. A dropped probe leaves it half open, for the next call to be the probe.
 *
 * Each change begins a generation; what becomes of a call of an earlier one says nothing of now and is left out. There
 * is one probe at a time, save that one which has said nothing for as long as a breaker is ever open no longer holds
 * back the next: the starts of some vendors last as long as their runs do.
 */
export class Breaker {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #limits: BreakerLimits;
  readonly #onChange: (state: BreakerState) => void;
  readonly #window: FailureWindow;
  #state: BreakerState = 'closed';
  #generation = 0;
  #openFactor = 1;
  #openUntil = 0;
  #probes = 0;
  #probedAt = 0;
  #inFlight = 0;
  #usedAt: number;

  constructor(clock: Pick<Clock, 'monotonic'>, limits: BreakerLimits, onChange: (state: BreakerState) => void) {
    this.#clock = clock;
    this.#limits = limits;
    this.#onChange = onChange;
    this.#window = new FailureWindow(limits.windowMs);
    this.#usedAt = clock.monotonic();
  }

  /** An open one whose time is over counts as half open. */
  state(): BreakerState {
    return this.#state === 'open' && this.#clock.monotonic() >= this.#openUntil ? 'half_open' : this.#state;
  }

  /** Milliseconds since it was last asked or entered; 0 while calls are in flight. */
  idleMs(): number {
    return this.#inFlight > 0 ? 0 : this.#clock.monotonic() - this.#usedAt;
  }

  retryAfterMs(): number {
    if (this.#state === 'closed') return 0;
    const nowMs = this.#clock.monotonic();
    this.#usedAt = nowMs;
    if (this.#state === 'open') return Math.max(0, Math.ceil(this.#openUntil - nowMs));
    if (this.#isFreeForProbe(nowMs)) return 0;
    return Math.min(PROBE_WAIT_MS, Math.ceil(this.#probedAt + this.#patienceMs() - nowMs));
  }

  /** Who enters without having asked, past an open breaker or beside the probe, gets a ticket that counts for nothing. */
  enter(): BreakerTicket {
    const nowMs = this.#clock.monotonic();
    this.#usedAt = nowMs;
    this.#inFlight++;
    if (this.#state === 'closed') return new Ticket(this, this.#generation);
    if (this.#state === 'open' && nowMs >= this.#openUntil) this.#change('half_open');
    if (this.#state === 'open' || !this.#isFreeForProbe(nowMs)) return new Ticket(this, NO_GENERATION);
    this.#probes++;
    this.#probedAt = nowMs;
    return new Ticket(this, this.#generation);
  }

  /** How a call ended; its ticket sees to it that this comes once. */
  settle(generation: number, result: 'succeeded' | 'failed' | 'dropped'): void {
    this.#inFlight--;
    if (generation !== this.#generation) return;
    if (this.#state === 'half_open') this.#settleProbe(result);
    else if (result !== 'dropped') this.#count(result === 'failed');
  }

  #count(failed: boolean): void {
    this.#window.add(failed, this.#clock.monotonic());
    if (!failed) return;
    const { calls, failures } = this.#window;
    if (calls < this.#limits.callsMin || failures < this.#limits.failureShare * calls) return;
    this.#openFactor = 1;
    this.#open();
  }

  #settleProbe(result: 'succeeded' | 'failed' | 'dropped'): void {
    this.#probes--;
    if (result === 'succeeded') {
      this.#window.clear();
      this.#change('closed');
    }
    if (result === 'failed') {
      this.#openFactor = Math.min(this.#openFactor * 2, OPEN_FACTOR_MAX);
      this.#open();
    }
  }

  #open(): void {
    this.#openUntil = this.#clock.monotonic() + this.#limits.openMs * this.#openFactor;
    this.#change('open');
  }

  #change(state: BreakerState): void {
    this.#state = state;
    this.#generation++;
    this.#probes = 0;
    this.#onChange(state);
  }

  #isFreeForProbe(nowMs: number): boolean {
    return this.#probes === 0 || nowMs - this.#probedAt >= this.#patienceMs();
  }

  #patienceMs(): number {
    return this.#limits.openMs * OPEN_FACTOR_MAX;
  }
}

/** One small object for each start. */
class Ticket implements BreakerTicket {
  #breaker: Breaker | null;
  readonly #generation: number;

  constructor(breaker: Breaker, generation: number) {
    this.#breaker = breaker;
    this.#generation = generation;
  }

  succeeded(): void {
    this.#settle('succeeded');
  }

  failed(): void {
    this.#settle('failed');
  }

  dropped(): void {
    this.#settle('dropped');
  }

  #settle(result: 'succeeded' | 'failed' | 'dropped'): void {
    const breaker = this.#breaker;
    this.#breaker = null;
    breaker?.settle(this.#generation, result);
  }
}
