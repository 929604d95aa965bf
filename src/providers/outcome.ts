import type { Json } from '../core/json.ts';

/** What a person reads, the vendor's result without its envelope, and its sources. */
export interface RunOutput {
  text: string | null;
  data: Json;
  citations: string[];
}

export interface WaitingFor {
  for: 'input' | 'resume' | 'approval';
  hint: Json;
}

interface Seen {
  /** The vendor's own word for the state; null where it has none. */
  status: string | null;
  /** The vendor's run id, where this answer names it. */
  runId?: string;
  /** The vendor's id of this request, for its support. */
  requestId?: string;
}

/** What a vendor's answer says of a run. */
export type Outcome =
  | ({ is: 'running' } & Seen)
  | ({ is: 'waiting'; waiting: WaitingFor } & Seen)
  | ({ is: 'succeeded'; output: RunOutput; partial: boolean } & Seen)
  | ({ is: 'failed'; message: string | null; code: string | null; output: RunOutput | null } & Seen)
  | ({ is: 'cancelled' } & Seen)
  | ({ is: 'timed_out'; message: string | null } & Seen);

type SeenInput = Partial<Seen>;

export function running(seen: SeenInput = {}): Outcome {
  return { is: 'running', ...seenOf(seen) };
}

export function waiting(waitingFor: WaitingFor, seen: SeenInput = {}): Outcome {
  return { is: 'waiting', waiting: waitingFor, ...seenOf(seen) };
}

export function succeeded(output: Partial<RunOutput>, seen: SeenInput & { partial?: boolean } = {}): Outcome {
  return { is: 'succeeded', output: outputOf(output), partial: seen.partial ?? false, ...seenOf(seen) };
}

export function failed(
  reason: { message?: string | null; code?: string | null; output?: Partial<RunOutput> | null },
  seen: SeenInput = {},
): Outcome {
  return {
    is: 'failed',
    message: reason.message ?? null,
    code: reason.code ?? null,
    output: reason.output ? outputOf(reason.output) : null,
    ...seenOf(seen),
  };
}

export function cancelled(seen: SeenInput = {}): Outcome {
  return { is: 'cancelled', ...seenOf(seen) };
}

function seenOf({ status = null, runId, requestId }: SeenInput): Seen {
  return { status, ...(runId === undefined ? {} : { runId }), ...(requestId === undefined ? {} : { requestId }) };
}

function outputOf({ text = null, data = {}, citations = [] }: Partial<RunOutput>): RunOutput {
  return { text, data, citations };
}

/** A vendor's answer as a kind reads it: JSON parsed, header names in lower case. */
export interface Answer {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: Json;
}

/** What an error answer says, as far as the kind understands it. */
export interface ReadFault {
  message?: string | null;
  code?: string | null;
  requestId?: string | null;
  /** The vendor tells a used-up quota from a rate limit, and this is the quota. */
  quotaExhausted?: boolean;
}
