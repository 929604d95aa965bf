import { DAMAGE_RULES, readDamage, takesEffect, type Damage, type DamageRule } from './damages.ts';
import {
  ORDINARY,
  rule,
  type Concern,
  type FaultEntry,
  type Plan,
  type RepeatedDamage,
  type RunRule,
  type Trait,
} from './plan.ts';
import { STREAM_RULES } from './stream-faults.ts';

export type { Concern, FaultEntry } from './plan.ts';

/** How long a run lasts whose cancelling is what the caller wants to see. */
const TO_BE_CANCELLED_MS = 60_000;
const UNCANCELLABLE_MS = 5_000;
const TO_BE_PAUSED_MS = 60_000;
const UNPAUSABLE_MS = 5_000;
const ASKS_MAX = 9;
const SLOW_CANCEL_MS = 1_000;
const INTERIM = 103;
const CUT: Damage = { kind: 'cut', at: 'before-headers' };

const RUN_RULES: readonly RunRule[] = [
  ...STREAM_RULES,
  rule('slow-<ms>', 'the start (and a resume) answers after that many milliseconds; the run has begun before', {
    examples: ['slow-300'],
    concerns: 'start',
    apply: (_plan, ms) => ({ slowMs: ms ?? 0 }),
  }),
  rule('slow-headers-<ms>', 'the start sends the head of the normal answer in small pieces over that time', {
    examples: ['slow-headers-300'],
    concerns: 'start',
    apply: (_plan, ms) => ({ start: { kind: 'drip', part: 'headers', ms: ms ?? 0 } }),
  }),
  rule('slow-body-<ms>', 'the start sends the body of the normal answer in small pieces over that time', {
    examples: ['slow-body-300'],
    concerns: 'start',
    apply: (_plan, ms) => ({ start: { kind: 'drip', part: 'body', ms: ms ?? 0 } }),
  }),
  rule('interim-<code>', 'the start sends an answer of this status (100 to 199) before the normal one', {
    examples: ['interim-100', 'interim-101', 'interim-102', 'interim-103'],
    concerns: 'start',
    apply: (_plan, status) => ({ start: { kind: 'interim', status: status ?? INTERIM } }),
  }),
  rule('duplicate-keys', 'the start sends the normal answer with each member twice, first as null', {
    concerns: 'start',
    apply: () => ({ start: { kind: 'duplicate-keys' } }),
  }),
  rule('runs-<ms>', 'the run takes that many milliseconds (a blocking call answers then)', {
    examples: ['runs-0', 'runs-500'],
    apply: (_plan, ms) => ({ runMs: ms }),
  }),
  rule('fails', 'the run begins and ends in the vendor’s failure', { apply: () => ({ end: 'failure' }) }),
  rule('aborted', 'the run ends as aborted by a user of the vendor', {
    needs: 'user-abort',
    apply: () => ({ end: 'user-aborted' }),
  }),
  rule('cancelled-by-vendor', 'the run ends as cancelled, though nobody asked', {
    needs: 'vendor-cancel',
    apply: () => ({ end: 'cancelled' }),
  }),
  rule('loops', 'the vendor ends the run because it may loop', {
    needs: 'loop-guard',
    apply: () => ({ end: 'looping' }),
  }),
  rule('partial', 'the run ends having done only some of it', {
    needs: 'partial',
    apply: () => ({ end: 'partial' }),
  }),
  rule('waits[-<ms>]', 'the run waits for somebody: that long, then it succeeds; without a number for ever', {
    examples: ['waits', 'waits-700'],
    needs: 'waiting',
    apply: (_plan, ms) => ({ waitsMs: ms ?? Number.POSITIVE_INFINITY }),
  }),
  rule('asks[-<n>]', 'the run asks for an answer, n times (once; at most 9), and then answers with all it was told', {
    examples: ['asks', 'asks-2'],
    needs: 'asking',
    apply: (_plan, n) => ({ asks: Math.min(n ?? 1, ASKS_MAX) }),
  }),
  rule('unpausable', 'a pause is refused with 409; the run takes 5 s', {
    needs: 'pause',
    concerns: 'pause',
    apply: (plan) => ({ pausable: false, runMs: plan.runMs ?? UNPAUSABLE_MS }),
  }),
  rule('uncancellable', 'a cancel is refused with 409; the run takes 5 s', {
    needs: 'cancel',
    concerns: 'cancel',
    apply: (plan) => ({ cancel: { kind: 'refused' }, runMs: plan.runMs ?? UNCANCELLABLE_MS }),
  }),
  rule('cancel-slow[-<ms>]', 'a cancel is taken, and the run goes on that long (1 s) before it is cancelled', {
    examples: ['cancel-slow', 'cancel-slow-200'],
    needs: 'cancel',
    concerns: 'cancel',
    apply: (plan, ms) => ({
      cancel: { kind: 'works', slowMs: ms ?? SLOW_CANCEL_MS },
      runMs: plan.runMs ?? TO_BE_CANCELLED_MS,
    }),
  }),
  rule('cut-begun', 'cuts the connection without an answer; the run exists under the client’s id', {
    needs: 'client-run-id',
    concerns: 'start',
    apply: () => ({ start: CUT }),
  }),
  rule('cut-unbegun', 'cuts the connection without an answer; the run never begins', {
    needs: 'client-run-id',
    concerns: 'start',
    apply: () => ({ start: CUT, begins: false }),
  }),
  rule('cut-late-<ms>', 'cuts the connection without an answer; reads find the run after that many milliseconds', {
    examples: ['cut-late-400'],
    needs: 'client-run-id',
    concerns: 'start',
    apply: (_plan, ms) => ({ start: CUT, knownAfterMs: ms ?? 0 }),
  }),
  rule('archived', 'the workflow is archived: the start answers 400', {
    needs: 'archive',
    concerns: 'start',
    apply: () => ({ archived: true, begins: false }),
  }),
  rule('outputs-<n>', 'the run ends with that many downloadable outputs (at most 99)', {
    examples: ['outputs-0', 'outputs-2'],
    needs: 'steps',
    apply: (_plan, n) => ({ outputs: Math.min(n ?? 1, 99) }),
  }),
  rule('cites-<n>', 'the answer has that many citations (at most 99)', {
    examples: ['cites-0', 'cites-2'],
    needs: 'citations',
    apply: (_plan, n) => ({ citations: Math.min(n ?? 0, 99) }),
  }),
];

/**
 * The table of special workflow ids, for the documents and for tests that loop over it. An id is a
 * list of parts joined by `.`; a part that stands here has its effect, any other is only a name:
 * `runs-2000.poll-status-503-x2.my-test` takes 2 s and fails two polls. Correct requests only:
 * a wrong credential, path or body gets its documented error whatever the workflow is.
 */
export const FAULTS: readonly FaultEntry[] = [
  ...DAMAGE_RULES.map((damage) => entryOf(damage, { concerns: 'start', needs: null, prefix: '' })),
  ...RUN_RULES.map(({ form, examples, effect, needs, concerns }) => ({ form, examples, effect, needs, concerns })),
  ...DAMAGE_RULES.map((damage) => entryOf(damage, { concerns: 'poll', needs: 'poll', prefix: 'poll-' })),
  ...DAMAGE_RULES.map((damage) => entryOf(damage, { concerns: 'cancel', needs: 'cancel', prefix: 'cancel-' })),
  ...DAMAGE_RULES.map((damage) => entryOf(damage, { concerns: 'stream', needs: 'follow', prefix: 'stream-' })),
  ...DAMAGE_RULES.map((damage) => entryOf(damage, { concerns: 'pause', needs: 'pause', prefix: 'pause-' })),
  ...DAMAGE_RULES.map((damage) => entryOf(damage, { concerns: 'resume', needs: 'resume', prefix: 'resume-' })),
];

/** The entries that mean something at a vendor with these traits. */
export function faultsFor(traits: readonly Trait[]): FaultEntry[] {
  return FAULTS.filter(({ needs }) => needs === null || traits.includes(needs));
}

/** Reads a workflow id: what the sandbox will do with it at a vendor with these traits. */
export function readPlan(workflow: string, traits: readonly Trait[]): Plan {
  return workflow.split('.').reduce((plan, part) => readPart(part, plan, traits), ORDINARY);
}

/** The damage that befalls an answer after `seen` earlier ones. */
export function damageAfter(seen: number, list: readonly RepeatedDamage[]): Damage | null {
  let rest = seen;
  for (const { damage, times } of list) {
    if (rest < times) return damage;
    rest -= times;
  }
  return null;
}

function readPart(part: string, plan: Plan, traits: readonly Trait[]): Plan {
  const start = readDamage(part);
  if (start !== null) return { ...plan, start, begins: takesEffect(start) };
  const poll = traits.includes('poll') ? readRepeated(part, 'poll-') : null;
  if (poll !== null) return { ...plan, polls: [...plan.polls, poll] };
  const cancel = traits.includes('cancel') ? readRepeated(part, 'cancel-') : null;
  if (cancel !== null) {
    return { ...plan, cancels: [...plan.cancels, cancel], runMs: plan.runMs ?? TO_BE_CANCELLED_MS };
  }
  const stream = traits.includes('follow') ? readRepeated(part, 'stream-') : null;
  if (stream !== null) return { ...plan, streams: [...plan.streams, stream] };
  const pause = traits.includes('pause') ? readRepeated(part, 'pause-') : null;
  if (pause !== null) return { ...plan, pauses: [...plan.pauses, pause], runMs: plan.runMs ?? TO_BE_PAUSED_MS };
  const resume = traits.includes('resume') ? readRepeated(part, 'resume-') : null;
  if (resume !== null) return { ...plan, resumes: [...plan.resumes, resume], asks: asksAtLeastOnce(plan) };
  for (const rule of RUN_RULES) {
    const found = rule.needs === null || traits.includes(rule.needs) ? rule.pattern.exec(part) : null;
    if (found) return { ...plan, ...rule.apply(plan, found[1] === undefined ? null : Number(found[1])) };
  }
  return plan;
}

/** Only a run that waits can be resumed. */
function asksAtLeastOnce({ asks, waitsMs }: Plan): number {
  return waitsMs === null ? Math.max(asks, 1) : asks;
}

/** `poll-<damage>[-x<n>|-forever]`; `answer-` may be left out. A status lasts, anything else happens once. */
function readRepeated(part: string, prefix: string): RepeatedDamage | null {
  if (!part.startsWith(prefix)) return null;
  const [, name = '', count] = /^(.*?)(?:-(x\d{1,6}|forever))?$/.exec(part.slice(prefix.length)) ?? [];
  const damage = readDamage(name) ?? readDamage(`answer-${name}`);
  if (damage === null) return null;
  if (count === undefined) return { damage, times: damage.kind === 'status' ? Number.POSITIVE_INFINITY : 1 };
  return { damage, times: count === 'forever' ? Number.POSITIVE_INFINITY : Number(count.slice(1)) };
}

function entryOf(
  { form, examples, effect }: DamageRule,
  { concerns, needs, prefix }: { concerns: Concern; needs: Trait | null; prefix: string },
): FaultEntry {
  if (prefix === '') return { form, examples, effect: `the start ${effect}`, needs, concerns };
  const short = (name: string) => prefix + name.replace(/^answer-/, '');
  return {
    form: `${short(form)}[-x<n>|-forever]`,
    examples: examples.map(short),
    effect: `a ${concerns === 'stream' ? 'request for the stream' : concerns} ${effect}: n times, else ${form.startsWith('status') ? 'for ever' : 'once'}`,
    needs,
    concerns,
  };
}
