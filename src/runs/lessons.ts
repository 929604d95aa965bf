import type { AnyProviderKind } from '../providers/define-provider.ts';
import { refusedStartError, vendorError } from './answers.ts';
import type { OnceResult } from './call-once.ts';
import type { ErrorBody } from '../core/errors.ts';
import type { Run } from './model.ts';
import type { Lesson } from './start-slot.ts';

/** What the result of a start says of the vendor and of the credential; null: nothing. */
export function lessonOf(
  kind: AnyProviderKind,
  run: Run,
  result: OnceResult,
  nowMs: number,
): (Lesson & { error: ErrorBody | null }) | null {
  switch (result.is) {
    case 'answered': {
      const { reading, answer } = result;
      return {
        error: answeredError(kind, run, { reading, answer, nowMs }),
        rateLimit: result.rateLimit,
        isOfToken: result.byToken === true && reading.is === 'refused' && reading.status === 401,
      };
    }
    case 'left':
      return { error: null, rateLimit: result.rateLimit };
    case 'not_sent':
      return { error: result.error, rateLimit: null };
    case 'unknown':
      return { error: vendorError(result.cause, kind, run.provider), rateLimit: null };
    case 'held_back':
    case 'aborted':
      return null;
  }
}

function answeredError(
  kind: AnyProviderKind,
  { provider }: Run,
  { reading, answer, nowMs }: Pick<OnceResult & { is: 'answered' }, 'reading' | 'answer'> & { nowMs: number },
): ErrorBody | null {
  switch (reading.is) {
    case 'outcome':
      return null;
    case 'refused':
      return refusedStartError(kind, provider, answer, nowMs);
    case 'broken':
      return vendorError('outcome_unknown', kind, provider, answer);
    case 'unreadable':
      return vendorError('upstream_invalid_response', kind, provider, answer);
  }
}
