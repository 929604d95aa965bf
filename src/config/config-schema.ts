import * as z from 'zod';
import { isJsonObject, type JsonObject } from '../core/json.ts';
import { withoutVerdict } from '../core/without-verdict.ts';

const CREDENTIALS_MAX = 100;
const DESCRIPTION_CHARACTERS_MAX = 1000;
const TIMEOUT_S_MAX = 86_400;

/** Names of providers and workflows: they stand in paths, allow-lists and metric labels. */
export const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
export const NAME_FORM = 'expected a name of 1 to 63 lower-case letters, digits and hyphens, beginning with no hyphen';

/** Any object; what is in it is looked at where it is known what it belongs to. */
export const object = z.custom<JsonObject>((value) => isJsonObject(value), 'expected an object');

export const ConfigFile = z.strictObject({
  providers: object.nullish().describe('Upstreams by name. Every kind is there under its own name without an entry.'),
  workflows: object.nullish().describe('Names for vendors’ workflows, which callers use.'),
});

export const ProviderEntry = z.strictObject({
  kind: z.string().nullish().describe('Which API it speaks. Needed where the name of the entry is no kind.'),
  base_url: z
    .string()
    .nullish()
    .describe('Replaces the kind’s own; its paths are appended. https://, without user, query or fragment.'),
  allow_private_network: z
    .boolean()
    .nullish()
    .describe('Lets http:// and private, loopback and link-local addresses pass.'),
  settings: object.nullish().describe('The kind’s own.'),
  credentials: z
    .array(z.string())
    .max(CREDENTIALS_MAX)
    .nullish()
    .describe('References such as env:AI_TUTOR_KEY, the first that is set counts. None: those of the vault.'),
});

export const WorkflowEntry = z.strictObject({
  provider: z.string().describe('A provider’s name.'),
  workflow: z.string().describe('The vendor’s own id.'),
  description: z.string().max(DESCRIPTION_CHARACTERS_MAX).nullish().describe('For people.'),
  inputs: object.nullish().describe('JSON Schema (2020-12) that a run’s inputs must fit, defaults included.'),
  defaults: object.nullish().describe('Inputs that are merged under the caller’s.'),
  timeout_s: z.int().min(1).max(TIMEOUT_S_MAX).nullish().describe('A run’s time by default, and at most.'),
});

/** Fields that a later version has. They are refused by name: a limit that silently does nothing is worse than none. */
export const LATER_FIELDS: readonly string[] = ['limits', 'targets', 'fallbacks'];

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
  const message = withoutVerdict(issue.message);
  return message.endsWith(', received undefined')
    ? `required: ${message.replace(', received undefined', '')}`
    : message;
}

/** The fields of an object's schema, for hints; empty where it is none. */
export function fieldsOf(schema: z.ZodType): string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}
