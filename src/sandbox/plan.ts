import type { Damage } from './damages.ts';

/** What a vendor has beyond a start, so that a fault can be told to mean something there. */
export type Trait =
  | 'poll'
  | 'cancel'
  | 'client-run-id'
  | 'waiting'
  | 'asking'
  | 'pause'
  | 'resume'
  | 'partial'
  | 'user-abort'
  | 'vendor-cancel'
  | 'loop-guard'
  | 'archive'
  | 'steps'
  | 'citations'
  /** Its runs can be read as they go on. */
  | 'stream'
  /** Its stream is opened beside the run, and may be refused by itself. */
  | 'follow'
  /** Its stream has several formats. */
  | 'stream-formats'
  /** Its stream is a WebSocket. */
  | 'socket';

export type End = 'success' | 'failure' | 'user-aborted' | 'cancelled' | 'partial' | 'looping';

export interface RepeatedDamage {
  damage: Damage;
  /** How many answers in a row it befalls; Infinity for all of them. */
  times: number;
}

/** How the sandbox treats one workflow. */
export interface Plan {
  start: Damage | null;
  polls: readonly RepeatedDamage[];
  cancels: readonly RepeatedDamage[];
  /** Of a stream that is opened beside the run. */
  streams: readonly RepeatedDamage[];
  pauses: readonly RepeatedDamage[];
  resumes: readonly RepeatedDamage[];
  /** Whether a start begins a run, whatever is answered. */
  begins: boolean;
  /** Milliseconds after its beginning until reads find the run. */
  knownAfterMs: number;
  /** Milliseconds that the start's answer is held back; the run has begun before. */
  slowMs: number;
  /** Milliseconds that a run takes; null: the vendor's ordinary time. */
  runMs: number | null;
  end: End;
  /** Milliseconds of waiting for somebody after `runMs`; null: does not wait. */
  waitsMs: number | null;
  /** How many answers it asks for, one after the other, each after `runMs`. */
  asks: number;
  pausable: boolean;
  cancel: { kind: 'works'; slowMs: number } | { kind: 'refused' };
  archived: boolean;
  /** Steps whose output can be downloaded. */
  outputs: number;
  /** Null: no `citations` field. */
  citations: number | null;
  stream: StreamPlan;
}

/** How a run is streamed. */
export interface StreamPlan {
  format: StreamForm;
  /** In how many pieces the answer comes (or how many steps are told); null: word by word (three steps). */
  pieces: number | null;
  /** What befalls the stream after so many pieces. */
  trouble: { after: number; is: 'break' | 'stall' | 'error' | 'end' } | null;
  /** Frames between the pieces that are none of the format. */
  rubbish: boolean;
  /** Frames between the pieces of types that no document names. */
  unknown: boolean;
  /** Whether it tells the run's id. */
  named: boolean;
  /** The WebSocket is closed with this code once the start was read, which is then refused. */
  closeCode: number | null;
}

export type StreamForm = 'text' | 'data' | 'ui' | 'sse' | 'ndjson';

/** One entry of the table of special workflow ids. */
export interface FaultEntry {
  /** How it is written: `slow-<ms>`. */
  form: string;
  examples: readonly string[];
  effect: string;
  /** What a vendor must have for this to mean anything; null: every vendor. */
  needs: Trait | null;
  /** Which of the vendor's answers, or the run itself, it concerns. */
  concerns: Concern;
}

export type Concern = 'start' | 'poll' | 'cancel' | 'pause' | 'resume' | 'run' | 'stream';

export interface RunRule extends FaultEntry {
  pattern: RegExp;
  apply(plan: Plan, argument: number | null): Partial<Plan>;
}

/** What the sandbox does with a workflow that has no special name. */
export const ORDINARY: Plan = {
  start: null,
  polls: [],
  cancels: [],
  streams: [],
  pauses: [],
  resumes: [],
  begins: true,
  knownAfterMs: 0,
  slowMs: 0,
  runMs: null,
  end: 'success',
  waitsMs: null,
  asks: 0,
  pausable: true,
  cancel: { kind: 'works', slowMs: 0 },
  archived: false,
  outputs: 1,
  citations: null,
  stream: {
    format: 'text',
    pieces: null,
    trouble: null,
    rubbish: false,
    unknown: false,
    named: true,
    closeCode: null,
  },
};

/** One entry whose form is also its pattern: `<ms>` is a number, `[-<n>]` one that may be left out. */
export function rule(
  form: string,
  effect: string,
  given: Pick<RunRule, 'apply'> & Partial<Pick<RunRule, 'examples' | 'needs' | 'concerns'>>,
): RunRule {
  const source = form.replace(/\[-<\w+>\]/, '(?:-(\\d{1,9}))?').replace(/<\w+>/, '(\\d{1,9})');
  return { form, effect, examples: [form], needs: null, concerns: 'run', pattern: new RegExp(`^${source}$`), ...given };
}
