import type { ErrorCode } from '../core/error-catalogue.ts';
import { errorBodyOf, GatewayError, type ErrorBody } from '../core/errors.ts';
import type { AnyProviderKind } from '../providers/define-provider.ts';
import { takeFallback } from './fallbacks.ts';
import type { OnceResult } from './call-once.ts';
import { mayHaveBegunBefore } from './has-not-begun.ts';
import type { Run } from './model.ts';
import type { RunObserver } from './observer.ts';
import type { RunPatch } from './ports.ts';
import { CREDENTIAL_CODES, refusedCredentials } from './refused-credentials.ts';
import type { ResolvedTarget } from './resolve-run.ts';
import { maySendAgain, sendAgain, type FailedStartIo, type SendAgainParts } from './send-again.ts';
import type { StartSlot } from './start-slot.ts';
import { configuredProvider, takeStart, type NextStart } from './take-start.ts';
import type { Choice, OpenTarget } from './targets.ts';
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

export interface NextStartsParts extends SendAgainParts {
  kindOf: (run: Run) => AnyProviderKind;
  calls: Pick<VendorCalls, 'credentialOf'>;
  observer: Pick<RunObserver, 'triedAgain'>;
}

/** A refusal of this start alone: its credential's state does not tell. */
const FORBIDDEN_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['upstream_forbidden']);
const LOOK_AGAIN_MS = 500;

export function createNextStarts(parts: NextStartsParts): NextStarts {
  const { clock, observer } = parts;

  return {
    async first(run) {
      const provider = configuredProvider(parts.registry(), run);
      if (!provider) return pinned(parts, run);
      const opened = await parts.targets.open(provider, run);
      // Time has passed: whether a credential that was limited, or refused altogether, is good again is in its state.
      const choice = chooseUntried(opened, refusedCredentials(run, FORBIDDEN_CODES));
      if (choice.is === 'go') return takeStart({ provider, options: run.options }, choice, { patch: {} });
      if (choice.is === 'wait') return { is: 'wait', waitMs: choice.waitMs ?? LOOK_AGAIN_MS };
      const { error, retryInMs } = choice;
      const there = await fallBack(parts, run, { errors: [error.code], error: null });
      if (there) return there;
      if (retryInMs !== null && clock.now() + retryInMs < run.deadlineAt) return { is: 'wait', waitMs: retryInMs };
      return { is: 'end', error: errorBodyOf(error) };
    },

    async after(run, { kind, result, error }, { signal, close }) {
      const proven = provesNothingBegan(kind, result) && !mayHaveBegunBefore(run);
      if (maySendAgain(parts, run, { kind, error, proven })) {
        const again = await sendAgain(parts, run, { error, proven, signal, close });
        if (again?.is === 'go') observer.triedAgain(run, error.code, 'same');
        else parts.budget.giveBack(run.provider);
        if (again) return again;
      }
      if (!proven) return { is: 'end', result };
      const codes = [error.code];
      let last = error;
      let mayWait = false;
      if (CREDENTIAL_CODES.has(error.code)) {
        const provider = configuredProvider(parts.registry(), run);
        const opened = provider && (await parts.targets.open(provider, run));
        const choice = opened?.choose(refusedCredentials(run).add(run.credentialId ?? ''));
        if (provider && choice?.is === 'go') {
          observer.triedAgain(run, error.code, 'credential');
          return takeStart({ provider, options: run.options }, choice, { patch: {}, error });
        }
        mayWait = choice?.is === 'wait' && clock.now() + (choice.waitMs ?? 0) < run.deadlineAt;
        // That none is left says more than what became of the last.
        last = opened?.exhausted() ?? error;
        codes.push(last.code);
      }
      const there = await fallBack(parts, run, { errors: codes, error });
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

/** `error`: what became of the attempt before. Null: no fallback takes the run. */
function fallBack(
  parts: NextStartsParts,
  run: Run,
  { errors, error }: { errors: readonly ErrorCode[]; error: ErrorBody | null },
): Promise<NextStart | null> {
  return takeFallback(parts, { from: run, errors, begun: run }, ({ target, choice, rest }) =>
    takeStart(target, choice, { patch: { ...pinnedOf(target), fallbacks: rest }, error }),
  );
}
