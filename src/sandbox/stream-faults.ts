import { rule, type Plan, type RunRule, type StreamForm, type StreamPlan } from './plan.ts';

const PIECES_MAX = 10_000;

type Trouble = NonNullable<StreamPlan['trouble']>['is'];

/** Beside plain text, which is what the stream is otherwise. */
const FORMS: readonly (readonly [name: string, form: StreamForm, what: string])[] = [
  ['as-data-stream', 'data', 'Vercel’s data stream: lines such as `0:"text"`, `x-vercel-ai-data-stream: v1`'],
  ['as-ui-messages', 'ui', 'Vercel’s UI message stream: server-sent events, `x-vercel-ai-ui-message-stream: v1`'],
  ['as-sse', 'sse', 'server-sent events of `{"text":"…"}`, then `[DONE]`'],
  ['as-ndjson', 'ndjson', 'a line of JSON a piece, `{"text":"…"}`'],
];

/** What befalls a stream. They mean nothing where a run is started or asked for without one, but for what they say of the run. */
export const STREAM_RULES: readonly RunRule[] = [
  ...FORMS.map(([name, format, what]) =>
    rule(name, `the stream is ${what}`, {
      ...inStream('stream-formats'),
      apply: (plan) => streaming(plan, { format }),
    }),
  ),
  rule(
    'deltas-<n>',
    'the answer comes in that many pieces (at most 10,000; at B3OS: so many steps), spread over its time',
    {
      ...inStream('stream'),
      examples: ['deltas-0', 'deltas-200'],
      apply: (plan, n) => streaming(plan, { pieces: Math.min(n ?? 1, PIECES_MAX) }),
    },
  ),
  trouble('breaks-<n>', 'break', 'the connection is cut after n pieces; the run goes on'),
  trouble('stalls-<n>', 'stall', 'after n pieces nothing more comes, on an open connection; the run goes on'),
  trouble(
    'unended-<n>',
    'end',
    'the stream ends in order after n pieces, without whatever marks its end; the run goes on',
  ),
  trouble(
    'errs-<n>',
    'error',
    'an error comes after n pieces (in plain text: the connection is cut), and the run fails',
  ),
  rule('rubbish-frames', 'between the pieces come frames that are none of the format (in plain text: no UTF-8)', {
    ...inStream('stream'),
    apply: (plan) => streaming(plan, { rubbish: true }),
  }),
  rule('unknown-events', 'between the pieces come events of types that no document names', {
    ...inStream('stream'),
    apply: (plan) => streaming(plan, { unknown: true }),
  }),
  rule('unnamed', 'no event of the stream tells the run’s id', {
    ...inStream('socket'),
    apply: (plan) => streaming(plan, { named: false }),
  }),
  rule('closes-<code>', 'the WebSocket is closed with this code once the start was read; no run begins', {
    ...inStream('socket'),
    examples: ['closes-4006', 'closes-1011'],
    apply: (plan, code) => streaming(plan, { closeCode: closeCode(code ?? 1000) }),
  }),
];

function inStream(needs: 'stream' | 'stream-formats' | 'socket'): Pick<RunRule, 'needs' | 'concerns'> {
  return { needs, concerns: 'stream' };
}

function trouble(form: string, is: Trouble, effect: string): RunRule {
  return rule(form, effect, {
    ...inStream('stream'),
    examples: [form.replace('<n>', '2')],
    apply: (plan, n) => ({
      ...streaming(plan, { trouble: { after: n ?? 0, is } }),
      ...(is === 'error' ? { end: 'failure' as const } : {}),
    }),
  });
}

function streaming(plan: Plan, change: Partial<StreamPlan>): Pick<Plan, 'stream'> {
  return { stream: { ...plan.stream, ...change } };
}

/** What an endpoint may send: the others are refused by a peer. */
function closeCode(code: number): number {
  return code >= 3000 && code <= 4999
    ? code
    : code >= 1000 && code <= 1013 && ![1004, 1005, 1006].includes(code)
      ? code
      : 1011;
}
