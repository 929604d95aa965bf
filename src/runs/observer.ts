import type { ErrorCode } from '../core/error-catalogue.ts';
import type { Run } from './model.ts';
import type { BreakerState } from './breakers.ts';

/** One call to a vendor that is over. */
export interface CallSample {
  provider: string;
  operation: 'start' | 'token' | 'resume' | 'poll' | 'lookup' | 'cancel' | 'pause' | 'follow';
  /** The HTTP status of the answer; null: none came. */
  status: number | null;
  durationMs: number;
}

/** What the engine tells of what happens, for metrics and logs. Called after the commit; it never throws. */
export interface RunObserver {
  /** This process has written a run's end. */
  ended(run: Run): void;
  called(sample: CallSample): void;
  /** A start of this run failed and may be followed by another, so one is about to be sent: why, and where to. */
  triedAgain(run: Run, code: ErrorCode, to: 'same' | 'credential' | 'fallback'): void;
  /** A run was refused before it was written. */
  refused(code: ErrorCode): void;
  /** A late result lost its race. */
  dropped(run: Run): void;
}

/** What is true of the engine at this moment. */
export interface EngineGauges {
  startsInFlight: number;
  readsInFlight: number;
  queued: number;
  unfinished: number;
  /** Callers that wait for an end. */
  waiting: number;
  /** Readers of events. */
  followers: number;
  deliveriesInFlight: number;
  breakers: readonly { provider: string; credentialId: string; state: BreakerState }[];
  /** What vendors last said is left of their limits. */
  allowances: readonly { provider: string; credentialId: string; remaining: number }[];
}
