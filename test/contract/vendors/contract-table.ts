import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import type { AnyProviderKind } from '../../../src/providers/define-provider.ts';

/**
 * Section 3 of the contract, copied by hand and not from the catalogue: what a caller is promised for each
 * code that a vendor can cause.
 */
export const ERRORS = {
  upstream_rejected_input: { status: 422, source: 'upstream', retryable: false },
  upstream_auth_failed: { status: 502, source: 'upstream', retryable: false },
  upstream_payment_required: { status: 402, source: 'upstream', retryable: false },
  upstream_forbidden: { status: 502, source: 'upstream', retryable: false },
  upstream_workflow_not_found: { status: 404, source: 'upstream', retryable: false },
  upstream_conflict: { status: 409, source: 'upstream', retryable: false },
  upstream_rate_limited: { status: 429, source: 'upstream', retryable: true },
  upstream_error: { status: 502, source: 'upstream', retryable: false },
  upstream_unavailable: { status: 503, source: 'upstream', retryable: false },
  upstream_invalid_response: { status: 502, source: 'upstream', retryable: false },
  upstream_unreachable: { status: 502, source: 'network', retryable: true },
  upstream_timeout: { status: 504, source: 'network', retryable: false },
  outcome_unknown: { status: 502, source: 'network', retryable: false },
  workflow_failed: { status: 502, source: 'upstream', retryable: false },
  upstream_run_not_found: { status: 502, source: 'upstream', retryable: false },
  run_timed_out: { status: 504, source: 'gateway', retryable: false },
} as const;

export type Code = keyof typeof ERRORS;

/** The kinds as they are, but quicker, so that no test waits for a minute. */
export const QUICK_KINDS: readonly AnyProviderKind[] = PROVIDER_KINDS.map((kind) => ({
  ...kind,
  startTimeoutMs: 5_000,
  pollPace: { firstMs: 50, factor: 1.5, maxMs: 200 },
}));

interface Start {
  /** Whether the vendor may have begun a run: what the sandbox counts. */
  begins: boolean;
  /** For runs that can only end by their deadline. */
  timeoutS?: number;
}

/** The run failed before it was accepted: the envelope. */
export interface RefusedStart extends Start {
  error: Code;
  /** The vendor's wish, seconds, from and to. */
  retryAfterS?: readonly [number, number];
  /** Whether the head of an answer arrived. */
  head: boolean;
}

/** 200 and the run. */
export interface AcceptedStart extends Start {
  run: 'succeeded' | 'failed' | 'cancelled' | 'waiting';
  code?: Code;
  fields?: Record<string, unknown>;
  /** Where it waits for something else than a resume. */
  waitsFor?: { for: string; hint: unknown };
  /** Where it waits: whether it ends by itself. */
  endsLater?: boolean;
}

/** What one start comes to. */
export type StartExpectation = RefusedStart | AcceptedStart;

interface Row {
  id: RegExp;
  expected: (kind: AnyProviderKind, found: RegExpExecArray) => StartExpectation;
}

const ANY = String.raw`(?:-retry-(date-)?(\d+))?(?:-older)?`;

/** The answers to a start by status; earlier rows go first. */
const STATUS_ROWS: readonly (readonly [string, Code, boolean])[] = [
  ['2\\d\\d', 'upstream_invalid_response', true],
  ['3\\d\\d', 'upstream_invalid_response', false],
  ['401', 'upstream_auth_failed', false],
  ['402', 'upstream_payment_required', false],
  ['403', 'upstream_forbidden', false],
  ['404', 'upstream_workflow_not_found', false],
  ['409', 'upstream_conflict', false],
  ['429', 'upstream_rate_limited', false],
  ['4\\d\\d', 'upstream_rejected_input', false],
  ['503', 'upstream_unavailable', true],
  ['529', 'upstream_unavailable', true],
  ['5\\d\\d', 'upstream_error', true],
];

const ROWS: readonly Row[] = [
  ...STATUS_ROWS.map(([status, error, begins]): Row => ({
    id: new RegExp(`^status-${status}${ANY}$`),
    expected: (_kind, [, date, seconds]) => ({
      error,
      begins,
      head: true,
      ...(seconds === undefined ? {} : { retryAfterS: retryAfter(Number(seconds), date !== undefined) }),
    }),
  })),
  // The head of a 500 came and its body broke: by its status.
  row(/^cut-in-error-body$/, () => ({ error: 'upstream_error', begins: true, head: true })),
  row(/^cut-on-accept$/, (kind) => unanswered(kind, 'outcome_unknown', { begins: false, head: false })),
  row(/^(cut-before-headers|cut-in-headers|reset-before-headers|reset-in-headers|cut-begun|cut-late-\d+)$/, (kind) =>
    unanswered(kind, 'outcome_unknown', { begins: true, head: false }),
  ),
  row(/^cut-unbegun$/, (kind) => unanswered(kind, 'outcome_unknown', { begins: false, head: false })),
  row(/^(cut-in-body|reset-in-body|answer-half|answer-broken-chunks|stall-in-body)$/, (kind) =>
    unanswered(kind, 'outcome_unknown', { begins: true, head: true }),
  ),
  // A head that is larger than we read: whatever it says, it is not the answer that the documents describe.
  row(/^answer-many-headers$/, (kind) => unanswered(kind, 'outcome_unknown', { begins: true, head: false })),
  // Nobody asked for 100 or 101: whoever sends them does not speak our HTTP.
  row(/^interim-10[01]$/, (kind) => unanswered(kind, 'outcome_unknown', { begins: true, head: false })),
  row(/^never-answers$/, (kind) => unanswered(kind, 'upstream_timeout', { begins: true, head: false })),
  row(/^answer-(html|empty|not-json|wrong-shape|array|huge|deep|bad-utf8|wrong-length|nan)$/, () => ({
    error: 'upstream_invalid_response',
    begins: true,
    head: true,
  })),
  row(/^answer-success-false$/, () => ({ error: 'upstream_invalid_response', begins: false, head: true })),
  row(/^(answer-echo-key|archived)$/, () => ({ error: 'upstream_rejected_input', begins: false, head: true })),
  row(/^(slow|slow-headers|slow-body|runs|interim)-\d+$|^duplicate-keys$/, () => ({
    run: 'succeeded',
    begins: true,
    fields: { partial: false, error: null },
  })),
  // A blocking vendor says so with its 500, and what a 500 means nobody can tell; another says it of its run.
  row(/^fails$/, (kind) =>
    kind.poll === undefined
      ? { error: 'upstream_error', begins: true, head: true }
      : { run: 'failed', begins: true, code: 'workflow_failed' },
  ),
  row(/^(aborted|cancelled-by-vendor)$/, () => ({ run: 'cancelled', begins: true, fields: { error: null } })),
  row(/^partial$/, () => ({ run: 'succeeded', begins: true, fields: { partial: true, error: null } })),
  row(/^waits(-\d+)?$/, (_kind, [, ms]) => ({
    run: 'waiting',
    begins: true,
    fields: { finished_at: null, error: null },
    endsLater: ms !== undefined,
  })),
  row(/^asks(-\d)?$/, () => ({
    run: 'waiting',
    begins: true,
    waitsFor: { for: 'input', hint: 'Question 1: what else should be known?' },
  })),
  row(/^loops$/, () => ({ run: 'failed', begins: true, code: 'workflow_failed' })),
  // None, or several without an order: there is no text that is the answer.
  row(/^outputs-(0|[2-9])$/, () => ({ run: 'succeeded', begins: true, fields: { output: { text: null } } })),
  row(/^cites-(\d+)$/, (_kind, [, count]) => ({
    run: 'succeeded',
    begins: true,
    fields: { output: { citations: { length: Number(count) } } },
  })),
];

/** What a start of the workflow `id` comes to; null where the table says nothing of it. */
export function startExpectation(kind: AnyProviderKind, id: string): StartExpectation | null {
  for (const { id: pattern, expected } of ROWS) {
    const found = pattern.exec(id);
    if (found) return expected(kind, found);
  }
  return null;
}

/** No answer: a kind that can ask by our own id finds the run, or asks until the deadline; any other gives up. */
function unanswered(
  { lookup }: AnyProviderKind,
  error: Code,
  { begins, head }: { begins: boolean; head: boolean },
): StartExpectation {
  if (lookup === undefined) return { error, begins, head };
  return begins ? { run: 'succeeded', begins } : { error, begins, head, timeoutS: 4 };
}

/** A date counts down while it is read. */
function retryAfter(seconds: number, isDate: boolean): [number, number] {
  return isDate ? [seconds - 15, seconds] : [seconds, seconds];
}

function row(id: RegExp, expected: Row['expected']): Row {
  return { id, expected };
}

export type PollEnd = { status: 'succeeded' | 'failed' | 'timed_out'; code?: Code; pollError?: Code };

const POLL_ERRORS: Readonly<Record<string, Code>> = {
  401: 'upstream_auth_failed',
  402: 'upstream_payment_required',
  403: 'upstream_forbidden',
};

/** What becomes of a run all of whose polls are answered with this status, until its deadline. */
export function pollEnd(status: string): PollEnd {
  if (status === '404') return { status: 'failed', code: 'upstream_run_not_found' };
  const pollError = POLL_ERRORS[status];
  return { status: 'timed_out', code: 'run_timed_out', ...(pollError === undefined ? {} : { pollError }) };
}

export type CancelEnd =
  /** The vendor refused: the run returns to its state and ends by itself. */
  | 'returns'
  /** Taken at once, later, or when it was asked again. */
  | 'is cancelled'
  /** It is asked again and again, and polled in between, until the run ends or its deadline comes. */
  | 'is asked until the deadline';

/** What becomes of a run whose every cancel is answered with this status. */
export function cancelEnd(status: number): CancelEnd {
  if ([401, 402, 403, 404, 408, 429].includes(status)) return 'is asked until the deadline';
  return status >= 400 && status < 500 ? 'returns' : 'is asked until the deadline';
}

export type ResumeEnd =
  /** Refused by an answer: the envelope, the run waits again, and the key is given back. */
  | { is: 'refused'; code: Code }
  /** Taken, or found to be taken by asking. */
  | { is: 'taken' }
  /** Nobody answered in words that count, and asking shows that the run still waits. */
  | { is: 'still waiting' };

/** What becomes of a resume that the vendor treats as this fault says. */
export function resumeEnd(fault: string): ResumeEnd {
  const status = /status-(\d+)/.exec(fault)?.[1];
  if (status !== undefined) {
    const [, code = 'upstream_rejected_input'] = STATUS_ROWS.find(([row]) => new RegExp(`^${row}$`).test(status)) ?? [];
    if (status === '404') return { is: 'refused', code: 'upstream_run_not_found' };
    if (status.startsWith('4')) return { is: 'refused', code };
    return { is: status.startsWith('3') ? 'still waiting' : 'taken' };
  }
  if (fault.includes('echo-key')) return { is: 'refused', code: 'upstream_rejected_input' };
  return { is: /success-false|cut-on-accept/.test(fault) ? 'still waiting' : 'taken' };
}
