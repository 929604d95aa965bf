import { pause, type Clock } from '../core/clock.ts';
import type { ErrorCode } from '../core/error-catalogue.ts';
import { errorBodyOf, GatewayError, type ErrorBody } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { Random } from '../core/random.ts';
import type { SealedCredential } from '../core/secret.ts';
import type { AnyProviderKind } from '../providers/define-provider.ts';
import type { Provider, Registry } from '../providers/registry.ts';
import { findFallback, type FoundFallback } from './fallbacks.ts';
import type { AbortReason, OnceResult } from './call-once.ts';
import { mayHaveBegunBefore } from './has-not-begun.ts';
import type { RetryLimits } from './limits.ts';
import type { Run } from './model.ts';
import type { RunObserver } from './observer.ts';
import type { RunPatch } from './ports.ts';
import type { ResolvedTarget } from './resolve-run.ts';
import type { RetryBudget } from './retry-budget.ts';
import type { StartSlot } from './start-slot.ts';
import type { Choice, OpenTarget, Targets } from './targets.ts';
import type { VendorCalls } from './vendor-calls.ts';

/**
 * The policy of the one loop that sends starts: it chooses the next target, and sends nothing.
 *
 * After a start that provably began nothing, in this order:
 *   1. to the same place, where the call never got there (a retry: within its budget, after a chance time);
 *   2. with another credential, where the vendor refused this one;
 *   3. to the next fallback of the workflow whose `when` names the error;
 *   4. nowhere: the run ends with its last error.
 * A vendor that documents that a repeated start begins nothing is asked again (1) also where nobody knows what became of it.
 */
export interface NextStarts {
  /** For a run that has not begun. */
  first(run: Run): Promise<NextStart | { is: 'wait'; waitMs: number } | { is: 'end'; error: ErrorBody }>;
  after(run: Run, failed: FailedStart, io: FailedStartIo): Promise<NextStart | { is: 'end'; result: OnceResult }>;
}

export interface FailedStart {
  kind: AnyProviderKind;
  result: OnceResult;
  error: ErrorBody;
}

export interface FailedStartIo {
  signal: AbortSignal;
  /** Writes that the last attempt began nothing; null: a command was faster. */
  close: (run: Run, error: ErrorBody) => Promise<Run | null>;
}

export interface NextStart {
  is: 'go';
  kind: AnyProviderKind;
  options: JsonObject;
  credential: SealedCredential;
  slot: StartSlot;
  /** What of the row is different there. */
  patch: RunPatch;
  /** The run as it was written while this was decided; null: as before. */
  run: Run | null;
  /** What became of the attempt before; null where it is in the row, or there was none. */
  error: ErrorBody | null;
  /** The attempt before may have begun a run; the vendor documents that this one begins no second. */
  repeats: boolean;
}

export interface NextStartsParts {
  targets: Targets;
  budget: RetryBudget;
  registry: () => Registry;
  kindOf: (run: Run) => AnyProviderKind;
  calls: Pick<VendorCalls, 'credentialOf'>;
  clock: Clock;
  random: Random;
  limits: RetryLimits;
  observer: Pick<RunObserver, 'triedAgain'>;
}

/** A refusal that another credential may not meet, or one that cannot be opened now. */
const CREDENTIAL_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'upstream_auth_failed',
  'upstream_payment_required',
  'upstream_forbidden',
  'upstream_rate_limited',
  'upstream_quota_exhausted',
  'no_credential',
  'vault_unavailable',
]);
/** A refusal of this start alone: its credential's state does not tell. */
const FORBIDDEN_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['upstream_forbidden']);
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
const LOOK_AGAIN_MS = 500;

export function createNextStarts(parts: NextStartsParts): NextStarts {
  const { clock, observer } = parts;

  return {
    async first(run) {
      const provider = configured(parts.registry(), run);
      if (!provider) return pinned(parts, run);
      const opened = await parts.targets.open(provider, run);
      // Time has passed: whether a credential that was limited, or refused altogether, is good again is in its state.
      const choice = chooseUntried(opened, refusedCredentials(run, FORBIDDEN_CODES));
      if (choice.is === 'go') return go({ provider, options: run.options }, choice, { patch: {} });
      if (choice.is === 'wait') return { is: 'wait', waitMs: choice.waitMs ?? LOOK_AGAIN_MS };
      const { error, retryInMs } = choice;
      const fallback = await findFallback(parts, run, [error.code], run);
      const there = fallback && goThere(fallback, null);
      if (there) return there;
      if (retryInMs !== null && clock.now() + retryInMs < run.deadlineAt) return { is: 'wait', waitMs: retryInMs };
      return { is: 'end', error: errorBodyOf(error) };
    },

    async after(run, { kind, result, error }, { signal, close }) {
      const proven = provesNothingBegan(kind, result) && !mayHaveBegunBefore(run);
      if (maySendAgain(parts, run, { kind, error, proven })) {
        const again = await sendAgain(parts, run, { error, proven, signal, close });
        if (again) {
          if (again.is === 'go') observer.triedAgain(run, error.code, 'same');
          return again;
        }
      }
      if (!proven) return { is: 'end', result };
      const codes = [error.code];
      let last = error;
      let mayWait = false;
      if (CREDENTIAL_CODES.has(error.code)) {
        const provider = configured(parts.registry(), run);
        const opened = provider && (await parts.targets.open(provider, run));
        const choice = opened?.choose(refusedCredentials(run).add(run.credentialId ?? ''));
        if (provider && choice?.is === 'go') {
          observer.triedAgain(run, error.code, 'credential');
          return go({ provider, options: run.options }, choice, { patch: {}, error });
        }
        mayWait = choice?.is === 'wait' && clock.now() + (choice.waitMs ?? 0) < run.deadlineAt;
        // That none is left says more than what became of the last.
        last = opened?.exhausted() ?? error;
        codes.push(last.code);
      }
      const fallback = await findFallback(parts, run, codes, run);
      const there = fallback && goThere(fallback, error);
      if (there) {
        observer.triedAgain(run, error.code, 'fallback');
        return there;
      }
      // Another credential would do, and is only busy: the run is begun with it once there is room.
      if (mayWait && (await close(run, error))) return { is: 'end', result: { is: 'held_back' } };
      return { is: 'end', result: last === error ? result : { is: 'not_sent', error: last, attemptError: error } };
    },
  };
}

/** No byte left, or the vendor documents that this refusal began nothing. */
function provesNothingBegan(kind: AnyProviderKind, result: OnceResult): boolean {
  if (result.is === 'not_sent') return true;
  return (
    result.is === 'answered' && result.reading.is === 'refused' && kind.notStarted({ status: result.reading.status })
  );
}

function maySendAgain(
  { limits, budget }: NextStartsParts,
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

/** Null: not now, and not there. */
async function sendAgain(
  { clock, random, limits, targets, registry }: NextStartsParts,
  run: Run,
  { error, proven, signal, close }: FailedStartIo & { error: ErrorBody; proven: boolean },
): Promise<NextStart | { is: 'end'; result: OnceResult } | null> {
  const longestMs = Math.min(limits.waitMs * 2 ** (triesHere(run) - 1), limits.waitMsMax);
  // The vendor's own word first; else a chance time of the whole span, so that many do not come back together.
  const waitMs = error.retry_after_s === null ? longestMs * random.float() : error.retry_after_s * 1000;
  const provider = configured(registry(), run);
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
  return go({ provider, options: run.options }, choice, {
    patch: {},
    run: latest,
    error: proven ? null : error,
    repeats: !proven,
  });
}

/** The provider that the run was written for, if it is still there and still the same. */
function configured(registry: Registry, run: Run): Provider | null {
  const provider = registry.provider(run.provider);
  return provider?.kind.kind === run.kind && provider.baseUrl === run.baseUrl ? provider : null;
}

/** What the row says is what counts where the configuration no longer has it. */
async function pinned(
  { calls, kindOf }: NextStartsParts,
  run: Run,
): Promise<NextStart | { is: 'end'; error: ErrorBody }> {
  try {
    const credential = await calls.credentialOf(run);
    const { options } = run;
    return {
      is: 'go',
      kind: kindOf(run),
      options,
      credential,
      slot: UNCOUNTED,
      patch: {},
      run: null,
      error: null,
      repeats: false,
    };
  } catch (cause) {
    // A store that is down is no answer about the credential: the run is tried again later.
    if (!(cause instanceof GatewayError) || cause.code === 'internal' || cause.code === 'store_unavailable')
      throw cause;
    return { is: 'end', error: errorBodyOf(cause, { provider: run.provider }) };
  }
}

const UNCOUNTED: StartSlot = { counted: null, written: () => {}, learn: () => {}, drop: () => {} };

/** Credentials that this run's provider has refused this run with, by one of these codes. */
function refusedCredentials({ attempts, provider }: Run, codes = CREDENTIAL_CODES): Set<string> {
  const refused = attempts.filter(({ provider: at, errorCode }) => {
    return at === provider && errorCode !== null && codes.has(errorCode);
  });
  return new Set(refused.flatMap(({ credentialId }) => credentialId ?? []));
}

/** Credentials with which the run was refused come last: only where nothing else is left, and nothing began. */
function chooseUntried(opened: OpenTarget, refused: ReadonlySet<string>): Choice {
  const choice = opened.choose(refused);
  return choice.is === 'refused' && refused.size > 0 ? opened.choose() : choice;
}

/** What a row pins of where its starts go. */
function pinnedOf({ provider, upstreamWorkflow, options }: ResolvedTarget): RunPatch {
  const { name, kind, baseUrl, allowPrivateNetwork, settings } = provider;
  return { provider: name, kind: kind.kind, baseUrl, allowPrivateNetwork, settings, upstreamWorkflow, options };
}

/** Null: somebody was faster, and there is no room any more. */
function goThere({ target, opened, rest }: FoundFallback, error: ErrorBody | null): NextStart | null {
  const choice = opened.choose();
  if (choice.is !== 'go') return null;
  return go(target, choice, { patch: { ...pinnedOf(target), fallbacks: rest }, error });
}

/** Takes the place at once: nothing may be awaited between the choice and this. */
function go(
  { provider, options }: { provider: Pick<Provider, 'kind'>; options: JsonObject },
  choice: Choice & { is: 'go' },
  more: { patch: RunPatch } & Partial<Pick<NextStart, 'run' | 'error' | 'repeats'>>,
): NextStart {
  const { credential } = choice;
  const slot = choice.take();
  return {
    is: 'go',
    kind: provider.kind,
    options,
    credential,
    slot,
    run: null,
    error: null,
    repeats: false,
    ...more,
    patch: { ...more.patch, credentialId: credential.id },
  };
}
