import { pause, type Clock } from '../core/clock.ts';
import type { ErrorCode } from '../core/error-catalogue.ts';
import type { ErrorBody } from '../core/errors.ts';
import type { Random } from '../core/random.ts';
import type { AnyProviderKind } from '../providers/define-provider.ts';
import type { Registry } from '../providers/registry.ts';
import type { AbortReason, OnceResult } from './call-once.ts';
import type { RetryLimits } from './limits.ts';
import type { Run } from './model.ts';
import { CREDENTIAL_CODES, refusedCredentials } from './refused-credentials.ts';
import type { RetryBudget } from './retry-budget.ts';
import { configuredProvider, takeStart, type NextStart } from './take-start.ts';
import type { Targets } from './targets.ts';

export interface SendAgainParts {
  targets: Targets;
  budget: RetryBudget;
  registry: () => Registry;
  clock: Clock;
  random: Random;
  limits: RetryLimits;
}

export interface FailedStartIo {
  signal: AbortSignal;
  /** Writes that the last attempt began nothing; null: a command was faster. */
  close: (run: Run, error: ErrorBody) => Promise<Run | null>;
}

/** A call that never got there. */
const UNSENT_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['upstream_unreachable', 'upstream_timeout']);
/** What a vendor that tells copies apart may be asked again after. */
const REPEATABLE_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'upstream_unreachable',
  'upstream_timeout',
  'upstream_error',
  'upstream_unavailable',
  'outcome_unknown',
]);

/** Whether a start that failed so may be sent to the same place again. Where it may, that is counted. */
export function maySendAgain(
  { limits, budget }: SendAgainParts,
  run: Run,
  { kind, error, proven }: { kind: AnyProviderKind; error: ErrorBody; proven: boolean },
): boolean {
  const codes = kind.repeat === 'never' ? (proven ? UNSENT_CODES : null) : REPEATABLE_CODES;
  if (!codes?.has(error.code)) return false;
  return triesHere(run) <= limits.triesMax && budget.take(run.provider);
}

/** Starts in a row that nobody answered, or that are told to be sent again, at the provider of the last one. */
function triesHere({ attempts }: Run): number {
  const last = attempts.at(-1);
  const before = attempts.slice(0, -1);
  const other = before.findLastIndex(({ provider, errorCode }) => {
    return provider !== last?.provider || (errorCode !== null && CREDENTIAL_CODES.has(errorCode));
  });
  // A token that was given is no failure: its start is the one that counts.
  return before.slice(other + 1).filter(({ errorCode }) => errorCode !== null).length + 1;
}

/** Waits, then takes the same place again. Null: not now, and not there. */
export async function sendAgain(
  { clock, random, limits, targets, registry }: SendAgainParts,
  run: Run,
  { error, proven, signal, close }: FailedStartIo & { error: ErrorBody; proven: boolean },
): Promise<NextStart | { is: 'end'; result: OnceResult } | null> {
  const longestMs = Math.min(limits.waitMs * 2 ** (triesHere(run) - 1), limits.waitMsMax);
  // The vendor's own word first; else a chance time of the whole span, so that many do not come back together.
  const waitMs = error.retry_after_s === null ? longestMs * random.float() : error.retry_after_s * 1000;
  const provider = configuredProvider(registry(), run);
  if (!provider || clock.now() + waitMs >= run.deadlineAt) return null;
  const latest = proven ? await close(run, error) : run;
  if (latest === null) return null;
  await pause(clock, waitMs, signal);
  if (signal.aborted)
    return { is: 'end', result: { is: 'aborted', reason: signal.reason as AbortReason, sent: !proven } };
  // What a vendor knows as a copy it knows of one account: a start that may have begun is repeated with its own credential.
  const only = proven ? null : run.credentialId;
  const choice = (await targets.open(provider, run)).choose(refusedCredentials(run), only);
  if (choice.is !== 'go') return null;
  return takeStart({ provider, options: run.options }, choice, {
    patch: {},
    run: latest,
    error: proven ? null : error,
    repeats: !proven,
  });
}
