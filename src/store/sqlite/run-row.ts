import { reviveJson, type JsonObject } from '../../core/json.ts';
import type { Owner, RunId } from '../../core/ids.ts';
import type { Run, RunOutput, RunStatus, UpstreamState } from '../../runs/model.ts';
import type { Row, Value } from './operations.ts';

/** Above this many characters a payload lies in the table `payloads`. */
export const INLINE_PAYLOAD_MAX = 8_192;
/** Stands in the run's row for a payload in a table of its own; no JSON is empty. */
export const ELSEWHERE = '';

/** The columns of a run without its payloads, in the order that `runFromRow` reads. */
export const RUN_COLUMNS =
  'id, version, seq, status, lineage, subject, provider, workflow, owner, due_at, finished_at, pinned, state';

type ColumnField =
  | 'id'
  | 'version'
  | 'seq'
  | 'status'
  | 'lineage'
  | 'subject'
  | 'provider'
  | 'workflow'
  | 'owner'
  | 'dueAt'
  | 'finishedAt';

/** Written with the run and rewritten only when a next attempt goes elsewhere. */
const PINNED_FIELDS = [
  'keyId',
  'keyName',
  'kind',
  'baseUrl',
  'allowPrivateNetwork',
  'credentialId',
  'settings',
  'upstreamWorkflow',
  'options',
  'defaults',
  'fallbacks',
  'metadata',
  'tags',
  'timeoutMs',
  'waitingTimeoutMs',
  'onDisconnect',
  'webhook',
  'trace',
  'createdAt',
] as const satisfies readonly (keyof Run)[];

type PinnedField = (typeof PINNED_FIELDS)[number];
type StateField = Exclude<keyof Run, ColumnField | PinnedField>;

const NOTHING: Readonly<Record<string, never>> = Object.freeze({});
const NONE: readonly never[] = Object.freeze([]);

/** What nearly every run has: it is left out of the JSON, which is written with each run and kept for long. */
const USUAL_PINNED = {
  allowPrivateNetwork: false,
  settings: NOTHING,
  options: NOTHING,
  defaults: NOTHING,
  fallbacks: NONE,
  metadata: NOTHING,
  tags: NONE,
  webhook: null,
  trace: null,
} as const satisfies Partial<Pick<Run, PinnedField>>;

/** As it lies in the row. */
type PinnedPart = Omit<Pick<Run, PinnedField>, keyof typeof USUAL_PINNED> &
  Partial<Pick<Run, keyof typeof USUAL_PINNED>>;

/** The part of a run that rarely changes, as JSON without what is usual. */
export function pinnedText(run: Pick<Run, PinnedField>): string {
  return JSON.stringify({
    keyId: run.keyId,
    keyName: run.keyName,
    kind: run.kind,
    baseUrl: run.baseUrl,
    allowPrivateNetwork: run.allowPrivateNetwork || undefined,
    credentialId: run.credentialId,
    settings: unlessEmpty(run.settings),
    upstreamWorkflow: run.upstreamWorkflow,
    options: unlessEmpty(run.options),
    defaults: unlessEmpty(run.defaults),
    fallbacks: unlessEmpty(run.fallbacks),
    metadata: unlessEmpty(run.metadata),
    tags: unlessEmpty(run.tags),
    timeoutMs: run.timeoutMs,
    waitingTimeoutMs: run.waitingTimeoutMs,
    onDisconnect: run.onDisconnect,
    webhook: run.webhook ?? undefined,
    trace: run.trace ?? undefined,
    createdAt: run.createdAt,
  } satisfies Record<PinnedField, unknown>);
}

/** Without the array that `Object.keys` would make for each. */
function unlessEmpty<T extends object>(held: T): T | undefined {
  for (const _ in held) return held;
  return undefined;
}

/** Reads what `pinnedText` wrote. */
export function readPinned(text: string): Pick<Run, PinnedField> {
  return { ...USUAL_PINNED, ...reviveJson<PinnedPart>(text) };
}

/** What is null in nearly every run is left out of its JSON, which is written twice a run and kept for long. */
const NULL_STATE = { error: null, waiting: null, resolution: null, startedAt: null, remainingMs: null } as const;
const NULL_UPSTREAM: UpstreamState = {
  runId: null,
  status: null,
  requestId: null,
  stopped: null,
  pollError: null,
  rateLimit: null,
};

/** The part of a run that moves change, as JSON without its nulls. */
export function stateText(run: Pick<Run, StateField>): string {
  const { upstream } = run;
  return JSON.stringify({
    accepted: run.accepted,
    upstream: {
      runId: upstream.runId ?? undefined,
      status: upstream.status ?? undefined,
      requestId: upstream.requestId ?? undefined,
      stopped: upstream.stopped ?? undefined,
      pollError: upstream.pollError ?? undefined,
      rateLimit: upstream.rateLimit ?? undefined,
    } satisfies Record<keyof UpstreamState, unknown>,
    error: run.error ?? undefined,
    waiting: run.waiting ?? undefined,
    partial: run.partial,
    attempts: run.attempts,
    resolution: run.resolution ?? undefined,
    startedAt: run.startedAt ?? undefined,
    deadlineAt: run.deadlineAt,
    remainingMs: run.remainingMs ?? undefined,
    care: run.care,
  } satisfies Record<StateField, unknown>);
}

/** Reads what `stateText` wrote. */
function readState(text: string): Pick<Run, StateField> {
  const state = reviveJson<Pick<Run, StateField>>(text);
  return { ...NULL_STATE, ...state, upstream: { ...NULL_UPSTREAM, ...state.upstream } };
}

/** True where a patch touches the part that is rarely rewritten. */
export function touchesPinned(patch: Partial<Run>): boolean {
  return PINNED_FIELDS.some((field) => field in patch);
}

/** Reads a row of `RUN_COLUMNS`. */
export function runFromRow(row: Row): Run {
  return {
    id: row[0] as RunId,
    version: row[1] as number,
    seq: row[2] as number,
    status: row[3] as RunStatus,
    lineage: row[4] as string,
    subject: row[5] as string | null,
    provider: row[6] as string,
    workflow: row[7] as string,
    owner: row[8] as Owner | null,
    dueAt: row[9] as number | null,
    finishedAt: row[10] as number | null,
    ...readPinned(row[11] as string),
    ...readState(row[12] as string),
  };
}

/** By which name a vendor's message finds the run; an ended one is looked for no more. */
export function findableVendorRunId({ finishedAt, upstream }: Pick<Run, 'finishedAt' | 'upstream'>): string | null {
  return finishedAt === null ? upstream.runId : null;
}

/** The values of one INSERT into `runs`. */
export function insertValues(
  run: Run,
  idempotencyKey: string | null,
  { log, inputs }: { log: string; inputs: string },
): Value[] {
  return [
    run.id,
    run.version,
    run.seq,
    run.status,
    run.lineage,
    run.subject,
    run.provider,
    run.workflow,
    run.owner,
    run.dueAt,
    run.finishedAt,
    findableVendorRunId(run),
    idempotencyKey,
    pinnedText(run),
    stateText(run),
    log,
    inputs,
  ];
}

/** Splits a payload into what stands in the row and what lies elsewhere. */
export function placePayload(value: JsonObject | RunOutput): { inRow: string; large: string | null } {
  const text = JSON.stringify(value);
  return text.length > INLINE_PAYLOAD_MAX ? { inRow: ELSEWHERE, large: text } : { inRow: text, large: null };
}
