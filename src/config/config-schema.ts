import * as z from 'zod';
import { isJsonObject, type JsonObject } from '../core/json.ts';

const CREDENTIALS_MAX = 100;
const DESCRIPTION_CHARACTERS_MAX = 1000;
const TIMEOUT_S_MAX = 86_400;

/** Names of providers and workflows: they stand in paths, allow-lists and metric labels. */
export const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
export const NAME_FORM = 'expected a name of 1 to 63 lower-case letters, digits and hyphens, beginning with no hyphen';

const object = z.custom<JsonObject>((value) => isJsonObject(value), 'expected an object');

export const ConfigFile = z.strictObject({ providers: object.nullish(), workflows: object.nullish() });

export const ProviderEntry = z.strictObject({
  kind: z.string().nullish(),
  base_url: z.string().nullish(),
  allow_private_network: z.boolean().nullish(),
  settings: object.nullish(),
  credentials: z.array(z.string()).max(CREDENTIALS_MAX).nullish(),
});

export const WorkflowEntry = z.strictObject({
  provider: z.string(),
  workflow: z.string(),
  description: z.string().max(DESCRIPTION_CHARACTERS_MAX).nullish(),
  defaults: object.nullish(),
  timeout_s: z.int().min(1).max(TIMEOUT_S_MAX).nullish(),
});

/** Fields that a later version has. They are refused by name: a limit that silently does nothing is worse than none. */
export const LATER_FIELDS: readonly string[] = ['limits', 'inputs', 'targets', 'fallbacks'];

/** Finds what is wrong with a base URL; null: nothing. Never quotes it, as it may hold a password. */
export function baseUrlFault(text: string, allowPrivateNetwork: boolean): string | null {
  const url = URL.canParse(text) && !/[\s\p{Cc}]/u.test(text) ? new URL(text) : null;
  if (url === null || !['http:', 'https:'].includes(url.protocol)) return 'expected an https:// URL';
  if (url.username !== '' || url.password !== '') return 'expected a URL without user and password';
  if (/[?#]/.test(text)) return 'expected a URL without query and fragment';
  if (url.protocol === 'http:' && !allowPrivateNetwork) {
    return 'expected https://; http:// is only for private networks, with allow_private_network: true';
  }
  return null;
}

/** The URL as it is used: normalised, and without a trailing slash, as the kind's paths are appended to it. */
export function normalizeBaseUrl(text: string): string {
  const { origin, pathname } = new URL(text);
  return origin + pathname.replace(/\/+$/, '');
}

/** What a schema expected, without the value that it found. */
export function expectationOf(issue: z.core.$ZodIssue): string {
  const message = issue.message.replace(/^(Invalid input|Too big|Too small|Invalid string): /, '');
  return message.endsWith(', received undefined')
    ? `required: ${message.replace(', received undefined', '')}`
    : message;
}

/** The fields of an object's schema, for hints; empty where it is none. */
export function fieldsOf(schema: z.ZodType): string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}
