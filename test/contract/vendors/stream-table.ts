import type { AnyProviderKind } from '../../../src/providers/define-provider.ts';
import { startExpectation, type Code } from './contract-table.ts';

/** What a run that was begun with a listener comes to. */
export interface StreamedEnd {
  status: 'succeeded' | 'failed' | 'cancelled' | 'waiting';
  /** Where it failed. */
  code?: Code;
  /** Whether the vendor may have begun a run. */
  begins: boolean;
  /** `whole`: the joined pieces are the output's text; `part`: its beginning, or there is no output. */
  text: 'whole' | 'part' | 'none' | 'any';
  waitsFor?: object;
  /** Where it waits: whether it ends by itself. */
  endsLater?: boolean;
  timeoutS?: number;
}

/** How a kind's runs are read while somebody listens. */
export type Way = 'http' | 'websocket' | 'follow' | 'polls';

/** The formats of an HTTP stream, as the sandbox's parts; the first is plain text. */
export const FORMATS = ['as-text', 'as-data-stream', 'as-ui-messages', 'as-sse', 'as-ndjson'] as const;
type Format = (typeof FORMATS)[number];

/** By this a stream's end is told from its break: lines of JSON and plain text have no mark of it that is documented. */
const MARKED: ReadonlySet<Format> = new Set<Format>(['as-data-stream', 'as-ui-messages']);

export function wayOf({ startStream, follow }: AnyProviderKind): Way {
  if (startStream !== undefined) return startStream.via;
  return follow === undefined ? 'polls' : 'follow';
}

/**
 * Contract sections 2 and 3 for a run of this special workflow id that somebody listens to; null where the table says
 * nothing of it.
 */
export function streamedEnd(kind: AnyProviderKind, workflow: string): StreamedEnd | null {
  const way = wayOf(kind);
  const parts = workflow.split('.');
  const format = FORMATS.find((one) => parts.includes(one)) ?? 'as-text';
  const id = parts.find((part) => part !== format && part !== 'unnamed') ?? 'deltas-3';
  const plain = startExpectation(kind, id);
  if (plain === null) return troubled({ way, format, named: !parts.includes('unnamed') }, id);
  if (way === 'websocket' && /^(status|cut|reset|answer|never|stall)-/.test(id)) return refusedSocket(id, plain.begins);
  if (way === 'websocket' && id.startsWith('interim-')) return { ...WELL, text: 'whole' };
  if (way === 'http' && id === 'status-204') return { ...UNKNOWN, text: 'none' };
  const { begins, timeoutS } = plain;
  const shared = { begins, ...(timeoutS === undefined ? {} : { timeoutS }) };
  const streams = way === 'http' || way === 'websocket';
  if ('error' in plain) {
    const cut =
      way === 'http' && /^(cut-in-body|reset-in-body|answer-half|answer-broken-chunks|stall-in-body)$/.test(id);
    return { ...shared, status: 'failed', code: plain.error, text: cut ? 'part' : 'none' };
  }
  const { run: status, code, waitsFor, endsLater } = plain;
  // Nobody could answer a run that has no name.
  if (waitsFor !== undefined && parts.includes('unnamed')) return { ...UNKNOWN, text: 'any' };
  return {
    ...shared,
    status,
    text: !streams ? 'none' : status === 'succeeded' ? 'whole' : 'any',
    ...(code === undefined ? {} : { code }),
    ...(waitsFor === undefined ? {} : { waitsFor }),
    ...(endsLater === undefined ? {} : { endsLater }),
  };
}

const WELL = { status: 'succeeded', begins: true } as const;
const UNKNOWN = { status: 'failed', code: 'outcome_unknown', begins: true } as const;
const FAILED = { status: 'failed', code: 'workflow_failed', begins: true } as const;
const UNREADABLE = { status: 'failed', code: 'upstream_invalid_response', begins: true } as const;

/** A refusal closes the socket after the message that may have begun the run, and no document says what that means. */
function refusedSocket(id: string, begins: boolean): StreamedEnd {
  const speaks = id.startsWith('answer-') && begins;
  return speaks ? { ...UNREADABLE, text: 'none' } : { ...UNKNOWN, begins, text: 'none' };
}

interface Streamed {
  way: Way;
  format: Format;
  named: boolean;
}

function troubled(stream: Streamed, id: string): StreamedEnd | null {
  const { way } = stream;
  if (way === 'polls') return null;
  // Only a poll says what became of a run whose stream stands beside it.
  if (way === 'follow') return id.startsWith('errs-') ? { ...FAILED, text: 'none' } : { ...WELL, text: 'none' };
  const fault = id.replace(/-\d+$/, '');
  return way === 'http' ? troubledHttp(stream, fault, id) : troubledSocket(stream, fault, id);
}

function troubledHttp({ format }: Streamed, fault: string, id: string): StreamedEnd | null {
  const marked = MARKED.has(format);
  switch (fault) {
    case 'as-data-stream':
    case 'as-ui-messages':
    case 'as-sse':
    case 'as-ndjson':
    case 'unknown-events':
      return { ...WELL, text: 'whole' };
    case 'deltas': {
      if (id !== 'deltas-0') return { ...WELL, text: 'whole' };
      // `[DONE]` is an end too; an end without a word is none, and `{"done":true}` alone is no answer.
      if (format === 'as-ndjson') return { ...UNREADABLE, text: 'none' };
      return marked || format === 'as-sse' ? { ...WELL, text: 'none' } : { ...UNKNOWN, text: 'none' };
    }
    case 'breaks':
    case 'stalls':
      return { ...UNKNOWN, text: 'part' };
    case 'unended':
      return marked ? { ...UNKNOWN, text: 'part' } : { ...WELL, text: 'whole' };
    case 'errs':
      return format === 'as-text' ? { ...UNKNOWN, text: 'part' } : { ...FAILED, text: 'part' };
    case 'rubbish-frames':
      return format === 'as-ndjson' ? { ...UNREADABLE, text: 'any' } : { ...WELL, text: 'whole' };
    default:
      return null;
  }
}

/** What the vendor has named can be polled. */
function troubledSocket({ named }: Streamed, fault: string, id: string): StreamedEnd | null {
  switch (fault) {
    case 'deltas':
      return { ...WELL, text: id === 'deltas-0' ? 'none' : 'whole' };
    case 'unnamed':
    case 'unknown-events':
      return { ...WELL, text: 'whole' };
    case 'breaks':
    case 'stalls':
    case 'unended':
      return named ? { ...WELL, text: 'part' } : { ...UNKNOWN, text: 'part' };
    case 'errs':
      return { ...FAILED, text: 'part' };
    case 'rubbish-frames':
      return named ? { ...WELL, text: 'part' } : { ...UNREADABLE, text: 'any' };
    case 'closes':
      return { ...UNKNOWN, begins: false, text: 'none' };
    default:
      return null;
  }
}

const STATUS_CODES: Readonly<Record<string, Code>> = {
  401: 'upstream_auth_failed',
  402: 'upstream_payment_required',
  403: 'upstream_forbidden',
  404: 'upstream_workflow_not_found',
  409: 'upstream_conflict',
  429: 'upstream_rate_limited',
  503: 'upstream_unavailable',
  529: 'upstream_unavailable',
};

/** The error of a run whose token could not be had because of this damage: by its status where there is one. */
export function tokenError(damage: string): Code {
  const status = /^status-(\d+)/.exec(damage)?.[1];
  if (status !== undefined) {
    if (/^[23]/.test(status)) return 'upstream_invalid_response';
    return STATUS_CODES[status] ?? (status.startsWith('4') ? 'upstream_rejected_input' : 'upstream_error');
  }
  switch (damage) {
    case 'cut-in-error-body':
      return 'upstream_error';
    case 'answer-echo-key':
      return 'upstream_rejected_input';
    case 'never-answers':
      return 'upstream_timeout';
    case 'cut-on-accept':
    case 'cut-before-headers':
    case 'cut-in-headers':
    case 'reset-before-headers':
    case 'reset-in-headers':
    case 'answer-many-headers':
      return 'upstream_unreachable';
    default:
      return 'upstream_invalid_response';
  }
}
