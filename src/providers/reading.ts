import * as z from 'zod';
import type { ExactNumber } from '../core/exact-json.ts';
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import type { StreamSignal } from './define-provider.ts';
import type { Answer, ReadFault } from './outcome.ts';

/** Longer vendor messages are cut: they go into errors, rows and logs. */
const MESSAGE_CHARACTERS_MAX = 500;
const CODE_CHARACTERS_MAX = 100;
const PROGRESS_CHARACTERS_MAX = 8 * 1024;

/** A JSON value whose form nobody here relies on. */
export const anyJson: z.ZodType<Json> = z.custom<Json>((value) => value !== undefined);

/** A number that is held as it was written. */
export const exactNumber: z.ZodType<ExactNumber> = z.custom<ExactNumber>((value) => JSON.isRawJSON(value));

/** A JSON object as it came: not copied, so that no key is lost or changed. */
export const anyJsonObject: z.ZodType<JsonObject> = z.custom<JsonObject>(isJsonObject);

/** An id that a vendor made and that we will put into a path: visible ASCII, and no `.` or `..`. */
export const vendorId: z.ZodType<string> = z.string().regex(/^(?!\.{1,2}$)[\x21-\x7e]{1,200}$/);

/** An optional field that is simply left out where its form is not the documented one. */
export function lenient<T extends z.ZodType>(schema: T): z.ZodCatch<z.ZodOptional<T>> {
  return z.optional(schema).catch(undefined);
}

/** A vendor's text, trimmed and cut to `max` characters; null where there is none. Never throws. */
export function shortText(value: unknown, max = MESSAGE_CHARACTERS_MAX): string | null {
  if (typeof value !== 'string') return null;
  const text = value.trim();
  if (text === '') return null;
  return (text.length > max ? `${text.slice(0, max - 1)}…` : text).toWellFormed();
}

/** What a vendor hints at may have so many characters as JSON. */
export const HINT_CHARACTERS_MAX = 2_000;

/** The text of an `error` field, which vendors fill with a string, or with an object that has a `message`. */
export function reasonText(error: Json | undefined): string | null {
  return isJsonObject(error) ? shortText(error.message) : shortText(error);
}

/**
 * Restates the error bodies that vendors' documents show: `{error: {message, code}}`, `{error: "…", code}`
 * and `{message, code, requestId}`. Never throws, whatever the body is.
 */
export function readFault({ status, body }: { status: number; body: Json | undefined }): ReadFault {
  if (!isJsonObject(body)) return {};
  const nestedCode = isJsonObject(body.error) ? body.error.code : undefined;
  return {
    message: reasonText(body.error) ?? shortText(body.message),
    code: codeText(nestedCode, status) ?? codeText(body.code, status),
    requestId: shortText(body.requestId, CODE_CHARACTERS_MAX),
  };
}

/** A code that only repeats the HTTP status says nothing. */
function codeText(code: Json | undefined, status: number): string | null {
  if (typeof code === 'number') return code === status ? null : String(code);
  if (JSON.isRawJSON(code)) return shortText(code.rawJSON, CODE_CHARACTERS_MAX);
  return shortText(code, CODE_CHARACTERS_MAX);
}

/**
 * The vendor's documented refusals of a run that did not begin: credential, credit, rights, unknown workflow,
 * rate limit.
 */
export function refusedBeforeStart({ status }: Pick<Answer, 'status'>): boolean {
  return status === 401 || status === 402 || status === 403 || status === 404 || status === 429;
}

/** The `content-type` without its parameters, in lower case; '' where there is none. */
export function mediaType(headers: Readonly<Record<string, string>>): string {
  return (headers['content-type'] ?? '').split(';', 1).join('').trim().toLowerCase();
}

/** What `path` names in nested objects. */
export function valueAt(body: Json, path: readonly string[]): Json | undefined {
  return path.reduce<Json | undefined>(
    (value, name) => (isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined),
    body,
  );
}

/** The first of these places that has an id of the wanted form; null where none has. */
export function firstId(body: Json, places: readonly (readonly string[])[], form: z.ZodType<string>): string | null {
  for (const place of places) {
    const id = form.safeParse(valueAt(body, place));
    if (id.success) return id.data;
  }
  return null;
}

/** A vendor's step as a caller sees it; data beyond 8 KB is left out, and said to be. */
export function progress(name: string, data: Json): StreamSignal {
  const length = JSON.stringify(data).length;
  const kept: Json = length > PROGRESS_CHARACTERS_MAX ? { left_out: `${length} characters of data` } : data;
  return { is: 'progress', name: shortText(name, CODE_CHARACTERS_MAX) ?? 'step', data: kept };
}
