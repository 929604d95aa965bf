import type * as z from 'zod';
import type { ErrorCode } from '../../core/error-catalogue.ts';
import type { Json } from '../../core/json.ts';
import type { AnswerHeader, RequestHeader } from './headers.ts';

/** The groups of the reference, in its order. */
export const TAGS = {
  Runs: 'A run is one execution of a workflow, owned and recorded by Rungate, whatever the vendor keeps.',
  Webhooks: 'Signed messages: to those who began a run, and from vendors.',
  Access: 'What this key may do, and narrow tokens for browsers.',
  Catalogue: 'What this key may run: configured providers and registered workflows.',
  Health: 'For probes. No key is needed.',
  Documents: 'This description, for people and for programs. No key is needed.',
} as const;

/** The groups of the admin API's reference, in its order. */
export const ADMIN_TAGS = {
  Credentials: 'The vendors’ secrets. They go in, and no answer shows them.',
  Keys: 'Client keys. A new one is shown once.',
  Runs: 'Everyone’s runs.',
  Audit: 'Who did what to which key, credential, setting or run.',
  Usage: 'What was run, added up.',
  Health: TAGS.Health,
  Documents: TAGS.Documents,
} as const;

export interface Example {
  summary: string;
  value: Json;
}

export type Examples = Readonly<Record<string, Example>>;

/** One way in which an operation succeeds. */
export interface AnswerForm {
  description: string;
  /** Null: the answer has no body. */
  schema: z.ZodType | null;
  /** Default: `application/json`. */
  mediaType?: string;
  /** What it is instead for callers who would rather have `text/event-stream`. */
  stream?: { schema: z.ZodType; examples: Examples };
  /** Beside those that every answer has. */
  headers?: readonly AnswerHeader[];
  examples?: Examples;
}

/** What a route tells of itself beyond its request's schemas; it is for the documents, and costs a request nothing. */
export interface Operation {
  /** Names the operation in generated clients; never changes. */
  id: string;
  tag: keyof typeof TAGS | keyof typeof ADMIN_TAGS;
  summary: string;
  /** Paragraphs with `code` and [links](…). */
  description: string;
  /** Beside those that every operation takes. */
  headers?: readonly RequestHeader[];
  /** Of the request's body. */
  examples?: Examples;
  answers: Readonly<Record<number, AnswerForm>>;
  /** Beside those that its kind of route can give anyway: see `error-answers.ts`. */
  errors: readonly ErrorCode[];
  /** On refusals that may come once there is a run, beside those that every error has. */
  errorHeaders?: readonly AnswerHeader[];
}
