import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '../../../../src/core/json.ts';
import type { Check } from '../checks.ts';
import { limitedProvider } from '../gateway-process.ts';
import { runIdOf, refusalOf, type ClientAnswer, type HttpClient } from '../http-client.ts';
import type { SandboxProcess, SeenStart } from '../sandbox-process.ts';

/** What a round needs to call and to count. */
export interface RoundParts {
  client: HttpClient;
  sandbox: SandboxProcess;
  /** How many copies arrive at once. */
  copies: number;
}

/** One wish, sent many times at once. */
interface Wish {
  kind: string;
  /** One of the kind. */
  provider: string;
  workflow: string;
  /** What the vendor takes for this name. */
  workflowId: string;
  /** `Prefer` of the copies, in turn; null: held until the run ends. */
  preferences: readonly (string | null)[];
}

interface Seen {
  answers: ClientAnswer[];
  runIds: Set<string>;
  /** Answers that are no replay. */
  first: ClientAnswer[];
  starts: SeenStart[];
}

/** Times are whole milliseconds, and timers may be a little early. */
const CLOCK_MS = 5;
/** How long a vendor that limits us wants to be left alone. */
const REST_S = 1;

const HELD: readonly (string | null)[] = [null];
const ASYNC: readonly (string | null)[] = ['respond-async'];
const MIXED: readonly (string | null)[] = [null, 'respond-async', 'wait=1'];
const WAYS = [HELD, ASYNC, MIXED];

/** `copies` of one request at once: one start, one run, and one answer that is no replay. */
export async function playRound(parts: RoundParts, { number, kind }: { number: number; kind: string }): Promise<Check> {
  const preferences = WAYS[Math.floor(number / Object.keys(parts.sandbox.vendors).length) % WAYS.length] ?? HELD;
  const wish = await wishFor(parts, { kind, provider: kind, workflow: `round-${number}`, preferences });
  const seen = await sendCopies(parts, wish);
  const faults = [
    ...oneStart(seen),
    ...(seen.runIds.size === 1 ? [] : [`the answers name ${seen.runIds.size} runs`]),
    ...(seen.first.length === 1 ? [] : [`${seen.first.length} answers are no replays`]),
    ...unexpected(seen.answers, ({ status }, i) => (isHeld(preferences, i) ? status === 200 : isAccepted(status))),
  ];
  return { name: `round ${number}: ${parts.copies} copies of one run at ${kind} begin one`, detail: '', faults };
}

/**
 * The vendor refuses with an answer that proves that nothing began. Copies that come while it thinks share one
 * run, whose end gives the key back: a copy that comes later is refused while the vendor is given its rest, and may
 * ask again after it, as may the caller.
 */
export async function playRefusal(
  parts: RoundParts,
  { kind, slowMs }: { kind: string; slowMs: number },
): Promise<Check> {
  const workflow = `slow-${slowMs}.status-429-retry-${REST_S}`;
  const wish = await wishFor(parts, { kind, provider: limitedProvider(kind), workflow, preferences: HELD });
  const seen = await sendCopies(parts, wish);
  await sleep(REST_S * 1000);
  const later = await sendLater(parts, wish, {});
  const runs = seen.runIds.size;
  const faults = [
    ...(seen.starts.some(({ began }) => began) ? ['a refused start began a run'] : []),
    ...(seen.starts.length === runs ? [] : [`${seen.starts.length} starts for ${runs} runs`]),
    ...(seen.first.length === runs ? [] : [`${seen.first.length} answers are no replays, of ${runs} runs`]),
    ...overlapping(seen.starts, slowMs),
    ...unexpected(seen.answers, isRefusedForNow),
    ...keyIsFree(later.answer, seen),
  ];
  // The next ones begin with a rested credential.
  await sleep(slowMs + REST_S * 1000);
  const name = `${parts.copies} copies of one run that ${kind} refuses after ${slowMs} ms begin none`;
  return { name, detail: runs === 1 ? 'all shared one run' : `${runs} runs, one after the other`, faults };
}

/** Half of the calls have another body under the same key: one body wins, the others are told so. */
export async function playOtherBodies(parts: RoundParts, kind: string): Promise<Check> {
  const wish = await wishFor(parts, { kind, provider: kind, workflow: 'bodies', preferences: HELD });
  const seen = await sendCopies(parts, wish, (i) => (i % 2 === 0 ? {} : { metadata: { other: 'body' } }));
  const refused = seen.answers.filter((answer) => refusalOf(answer)?.code === 'idempotency_key_reused');
  const { answer: later, start } = await sendLater(parts, wish, { inputs: { other: 'still' } });
  const faults = [
    ...oneStart(seen),
    ...(seen.runIds.size === 1 ? [] : [`the answers name ${seen.runIds.size} runs`]),
    ...(refused.length === parts.copies / 2 ? [] : [`${refused.length} calls were told of the other body`]),
    ...unexpected(refused, ({ status }) => status === 422),
    ...unexpected(
      seen.answers.filter((answer) => !refused.includes(answer)),
      ({ status }) => status === 200,
    ),
    ...(later.status === 422 && !start ? [] : [`a third body was answered with ${later.status}`]),
  ];
  return { name: `two bodies under one key at ${kind}: one wins, the other is refused`, detail: '', faults };
}

async function wishFor({ sandbox }: RoundParts, wish: Omit<Wish, 'workflowId'>): Promise<Wish> {
  return { ...wish, workflowId: await sandbox.workflowId(wish.kind, wish.workflow) };
}

async function sendCopies(
  { client, sandbox, copies }: RoundParts,
  wish: Wish,
  changes: (i: number) => JsonObject = () => ({}),
): Promise<Seen> {
  const calls = Array.from({ length: copies }, (_, i) => client.ask(requestFor(wish, i, changes(i))));
  const answers = await Promise.all(calls);
  const named = answers.map(runIdOf).filter((id) => id !== null);
  return {
    answers,
    runIds: new Set(named),
    first: answers.filter((answer) => runIdOf(answer) !== null && answer.headers['idempotent-replayed'] !== 'true'),
    starts: await startsOnceHeld(sandbox, { client, wish, runIds: new Set(named) }),
  };
}

/** A start may follow its `202`: counted once every run has ended. */
async function startsOnceHeld(
  sandbox: SandboxProcess,
  { client, wish, runIds }: { client: HttpClient; wish: Wish; runIds: ReadonlySet<string> },
): Promise<SeenStart[]> {
  for (const id of runIds) await client.ask({ method: 'GET', path: `/runs/${id}`, headers: { prefer: 'wait=30' } });
  const starts = await sandbox.starts(wish.workflow);
  return starts.filter(({ kind }) => kind === wish.kind);
}

/** The same wish once more, or a change of it, without waiting; and whether it had reached the vendor by then. */
async function sendLater(
  { client, sandbox }: RoundParts,
  wish: Wish,
  changes: JsonObject,
): Promise<{ answer: ClientAnswer; start: boolean }> {
  const before = await sandbox.starts(wish.workflow);
  const answer = await client.ask(requestFor({ ...wish, preferences: ASYNC }, 0, changes));
  const after = await sandbox.starts(wish.workflow);
  return { answer, start: after.length > before.length };
}

function requestFor({ provider, workflow, workflowId, preferences }: Wish, i: number, changes: JsonObject) {
  const prefer = preferences[i % preferences.length] ?? null;
  return {
    method: 'POST',
    path: '/runs',
    headers: { 'idempotency-key': `${provider}-${workflow}`, ...(prefer === null ? {} : { prefer }) },
    body: { provider, workflow: workflowId, inputs: { Text_0: 'Hello world' }, ...changes },
  } as const;
}

function oneStart({ starts }: Seen): string[] {
  return starts.length === 1 && starts[0]?.began === true ? [] : [`${starts.length} starts reached the vendor`];
}

/** A second start under the key may only follow the vendor's answer to the first. */
function overlapping(starts: readonly SeenStart[], slowMs: number): string[] {
  const times = starts.map(({ at }) => Date.parse(at));
  const early = times.filter((at, i) => at - (times[i - 1] ?? -Infinity) < slowMs - CLOCK_MS);
  return early.length === 0 ? [] : [`${early.length} starts came while another was under way`];
}

function keyIsFree(later: ClientAnswer, { runIds }: Seen): string[] {
  const id = runIdOf(later);
  const fresh = id !== null && !runIds.has(id) && later.headers['idempotent-replayed'] === undefined;
  return fresh ? [] : [`after the refusal the key still named ${id}`];
}

function unexpected(answers: readonly ClientAnswer[], good: (answer: ClientAnswer, i: number) => boolean): string[] {
  const bad = answers.filter((answer, i) => !good(answer, i));
  const codes = new Set(bad.map((answer) => `${answer.status} ${refusalOf(answer)?.code ?? ''}`.trim()));
  return bad.length === 0 ? [] : [`${bad.length} unexpected answers: ${[...codes].join(', ')}`];
}

function isHeld(preferences: Wish['preferences'], i: number): boolean {
  return preferences[i % preferences.length] === null;
}

/** Who does not wait may be answered before the end or after it. */
function isAccepted(status: number): boolean {
  return status === 202 || status === 200;
}

function isRefusedForNow({ status, headers }: ClientAnswer): boolean {
  return status === 429 && /^\d+$/.test(headers['retry-after'] ?? '');
}
