import type { BrokenServers } from './broken-servers.ts';

export const KINDS = ['ai-tutor', 'b3os', 'draft-and-goal', 'interactly'] as const;
export type Kind = (typeof KINDS)[number];

/** How the contract lets a run end: an error's code, or a status without an error. */
export type End = string;

/** One way in which a vendor fails, and what the contract's tables make of it. */
export interface Fault {
  name: string;
  /** The special workflow id; where the vendor is never reached, an ordinary one. */
  workflow: string;
  /** Where no simulated vendor stands. */
  server?: keyof BrokenServers;
  ends: (kind: Kind) => readonly End[];
  kinds?: readonly Kind[];
  timeoutS?: number;
}

/** Only B3OS documents an id of ours by which a run can be asked for. */
const asksAfterwards = (kind: Kind) => kind === 'b3os';
const POLLED: readonly Kind[] = ['b3os', 'draft-and-goal', 'interactly'];
/** Shorter than the patience with an answer that comes in drips. */
const SHORT_S = 8;

function ending(name: string, workflow: string, end: End): Fault {
  return { name, workflow, ends: () => [end] };
}

/** Nothing was sent. */
function unreachable(name: string, server: keyof BrokenServers): Fault {
  return { name, workflow: `never-reached-${server}`, server, ends: () => ['upstream_unreachable'] };
}

/** Nobody knows whether it began, unless the vendor can be asked. */
function unknown(name: string, workflow: string, code = 'outcome_unknown'): Fault {
  return { name, workflow, ends: (kind) => [asksAfterwards(kind) ? 'succeeded' : code] };
}

const CONNECTIONS: readonly Fault[] = [
  unreachable('connection refused', 'refused'),
  unreachable('no such name (DNS)', 'nameless'),
  unreachable('a private address that is not allowed', 'forbidden'),
  unreachable('TLS: speaks plain HTTP', 'plain'),
  unreachable('TLS: a certificate of its own', 'selfSigned'),
  unreachable('TLS: hangs up', 'hangsUp'),
  unreachable('TLS: silent', 'silent'),
  {
    name: 'reset as soon as it is connected',
    workflow: 'never-reached-resets',
    server: 'resets',
    // By then bytes may have left, or not.
    ends: () => ['outcome_unknown', 'upstream_unreachable'],
    timeoutS: SHORT_S,
  },
  { ...unknown('closed before the body was read', 'cut-on-accept'), ends: () => ['outcome_unknown'] },
  unknown('closed before the head', 'cut-before-headers'),
  unknown('reset before the head', 'reset-before-headers'),
  unknown('closed in the head', 'cut-in-headers'),
  unknown('reset in the head', 'reset-in-headers'),
  unknown('closed in the body', 'cut-in-body'),
  unknown('reset in the body', 'reset-in-body'),
  ending('closed in the body of a 500', 'cut-in-error-body', 'upstream_error'),
];

const SLOW: readonly Fault[] = [
  ending('slow to answer, in time', 'slow-1500', 'succeeded'),
  ending('slow head, in time', 'slow-headers-1500', 'succeeded'),
  ending('slow body, in time', 'slow-body-1500', 'succeeded'),
  unknown('no answer', 'never-answers', 'upstream_timeout'),
  unknown('head slower than allowed', 'slow-headers-60000', 'upstream_timeout'),
  { ...ending('body slower than the deadline', 'slow-body-60000', 'run_timed_out'), timeoutS: SHORT_S },
  unknown('stalled body', 'stall-in-body'),
];

const BODIES: readonly Fault[] = [
  unknown('half a body, chunked', 'answer-half'),
  ending('wrong length', 'answer-wrong-length', 'upstream_invalid_response'),
  unknown('broken chunking', 'answer-broken-chunks'),
  unknown('100 KB of headers', 'answer-many-headers'),
  ending('HTML', 'answer-html', 'upstream_invalid_response'),
  ending('empty', 'answer-empty', 'upstream_invalid_response'),
  ending('text, said to be JSON', 'answer-not-json', 'upstream_invalid_response'),
  ending('JSON of another shape', 'answer-wrong-shape', 'upstream_invalid_response'),
  ending('a JSON array', 'answer-array', 'upstream_invalid_response'),
  ending('50 MB', 'answer-huge', 'upstream_invalid_response'),
  ending('JSON 100,000 levels deep', 'answer-deep', 'upstream_invalid_response'),
  ending('NaN', 'answer-nan', 'upstream_invalid_response'),
  ending('duplicate keys, the last one right', 'duplicate-keys', 'succeeded'),
  ending('bad UTF-8', 'answer-bad-utf8', 'upstream_invalid_response'),
  ending('200 with an error', 'answer-success-false', 'upstream_invalid_response'),
  ending('400 that repeats our credential', 'answer-echo-key', 'upstream_rejected_input'),
];

/** Section 3 of the contract, by hand; 100 and 101 nobody asked for, so the connection is broken. */
const STATUS_ENDS: Readonly<Record<string, End>> = {
  '204': 'upstream_invalid_response',
  '250': 'upstream_invalid_response',
  '301': 'upstream_invalid_response',
  '302': 'upstream_invalid_response',
  '304': 'upstream_invalid_response',
  '307': 'upstream_invalid_response',
  '400': 'upstream_rejected_input',
  '401': 'upstream_auth_failed',
  '402': 'upstream_payment_required',
  '403': 'upstream_forbidden',
  '404': 'upstream_workflow_not_found',
  '408': 'upstream_rejected_input',
  '409': 'upstream_conflict',
  '410': 'upstream_rejected_input',
  '418': 'upstream_rejected_input',
  '422': 'upstream_rejected_input',
  '429': 'upstream_rate_limited',
  '429-retry-7': 'upstream_rate_limited',
  '500': 'upstream_error',
  '502': 'upstream_error',
  '503': 'upstream_unavailable',
  '503-retry-2': 'upstream_unavailable',
  '504': 'upstream_error',
  '529': 'upstream_unavailable',
};

const STATUSES: readonly Fault[] = [
  unknown('100 before the answer', 'interim-100'),
  unknown('101 before the answer', 'interim-101'),
  ending('102 before the answer', 'interim-102', 'succeeded'),
  ending('103 before the answer', 'interim-103', 'succeeded'),
  ...Object.entries(STATUS_ENDS).map(([status, end]) => ending(status, `status-${status}`, end)),
];

const AFTERWARDS: readonly Fault[] = [
  {
    name: 'the run fails',
    workflow: 'fails',
    // A blocking vendor says it with a 500.
    ends: (kind) => [kind === 'ai-tutor' ? 'upstream_error' : 'workflow_failed'],
  },
  ...[
    ending('two polls answer 503', 'poll-status-503-x2', 'succeeded'),
    ending('two polls answer 401', 'poll-status-401-x2', 'succeeded'),
    ending('every poll answers 404', 'poll-status-404', 'upstream_run_not_found'),
    ending('a poll is reset', 'poll-reset-before-headers', 'succeeded'),
    ending('a poll is closed in its body', 'poll-cut-in-body', 'succeeded'),
    ending('a poll answers HTML', 'poll-html', 'succeeded'),
    ending('a poll answers 50 MB', 'poll-huge', 'succeeded'),
  ].map((fault) => ({ ...fault, kinds: POLLED })),
];

export const FAULTS: readonly Fault[] = [
  ending('none', 'an-ordinary-one', 'succeeded'),
  ...CONNECTIONS,
  ...SLOW,
  ...BODIES,
  ...STATUSES,
  ...AFTERWARDS,
];
