import * as z from 'zod';
import { classifyAddress } from '../core/addresses.ts';
import { JWT_ALGORITHMS, type JwtAlgorithm } from '../core/access-settings.ts';
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import { WEIGHT_MAX } from '../core/weight.ts';
import { inPlainWords } from '../core/in-plain-words.ts';

const CREDENTIALS_MAX = 100;
const DESCRIPTION_CHARACTERS_MAX = 1000;
const TIMEOUT_S_MAX = 86_400;
const TARGETS_MAX = 20;
const FALLBACKS_MAX = 10;
const CONCURRENCY_MAX = 100_000;
const REQUESTS_PER_MINUTE_MAX = 1_000_000;
const CALL_TIMEOUT_S_MIN = 0.01;
const SILENCE_S_MAX = 3600;
const ORIGINS_MAX = 100;
const ISSUERS_MAX = 10;
const ACCESS_TEXT_CHARACTERS_MAX = 300;
/** Of a client key's public part. */
const KEY_ID = /^[0-9a-hjkmnp-tv-z]{16}$/;
export const DEFAULT_ALGORITHM: JwtAlgorithm = 'RS256';
/** Of a metadata key, as callers may send it. */
const METADATA_KEY_CHARACTERS_MAX = 64;

export const NAME_FORM = 'expected a name of 1 to 63 lower-case letters, digits and hyphens, beginning with no hyphen';

/** Any object; what is in it is looked at where it is known what it belongs to. */
export const object = z.custom<JsonObject>((value) => isJsonObject(value), 'expected an object');

/** An entry that is read by a schema of its own, so that one at fault hides no other. */
const anything = z.custom<Json>(() => true);

export const ConfigFile = z.strictObject({
  providers: object.nullish().describe('Upstreams by name. Every kind is there under its own name without an entry.'),
  workflows: object.nullish().describe('Names for vendors’ workflows, which callers use.'),
  access: object.nullish().describe('Which browser pages may come, and who signs users in.'),
});

export const AccessEntry = z.strictObject({
  origins: z
    .array(z.string())
    .max(ORIGINS_MAX)
    .nullish()
    .describe('Browser origins, such as https://app.example.com, that any key or token may be used from.'),
  issuers: z
    .array(anything)
    .max(ISSUERS_MAX)
    .nullish()
    .describe('OpenID Connect issuers whose signed-in users may come with their own JWT.'),
});

const accessText = z.string().min(1).max(ACCESS_TEXT_CHARACTERS_MAX);

export const IssuerEntry = z.strictObject({
  issuer: accessText.describe('Its URL, exactly as its JWTs have it in iss.'),
  audience: accessText.describe('What aud must hold: the name that the issuer knows this gateway by.'),
  jwks_uri: accessText.nullish().describe('Where its public keys are. None: as its discovery document says.'),
  algorithms: z
    .array(z.enum(JWT_ALGORITHMS))
    .min(1)
    .max(JWT_ALGORITHMS.length)
    .nullish()
    .describe(`What its JWTs may be signed with; any other is refused. Default ${DEFAULT_ALGORITHM}.`),
  key: z
    .string()
    .regex(KEY_ID, 'expected the id of a key, as `rungate keys list` shows it')
    .describe('Id of the client key, of role runs, whose rights, limits and runs its users share.'),
  subject_claim: accessText.nullish().describe('The claim that names the user. Default sub.'),
  allow_private_network: z
    .boolean()
    .nullish()
    .describe('Lets http:// and private, loopback and link-local addresses pass.'),
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
    .array(anything)
    .max(CREDENTIALS_MAX)
    .nullish()
    .describe(
      'References such as env:AI_TUTOR_KEY, file:/run/secrets/ai-tutor or vault:kv/ai-tutor#key, or { ref, weight }; starts are spread over all. None: the vault’s.',
    ),
  limits: object.nullish().describe('What this provider is sent at most. Runs beyond it wait, or are refused.'),
  timeouts: object.nullish().describe('How long one call may take. None: the process’s settings, or the kind’s own.'),
});

export const CredentialEntry = z.strictObject({
  ref: z
    .string()
    .describe('A reference such as env:AI_TUTOR_KEY, file:/run/secrets/ai-tutor or vault:kv/ai-tutor#key.'),
  weight: z.int().min(1).max(WEIGHT_MAX).nullish().describe('Its share of the starts, beside the others’. Default 1.'),
});

const START_LIMITS = {
  concurrency: z
    .int()
    .min(1)
    .max(CONCURRENCY_MAX)
    .nullish()
    .describe('Runs that are begun and neither ended nor waiting.'),
  requests_per_minute: z.int().min(1).max(REQUESTS_PER_MINUTE_MAX).nullish().describe('Starts in any 60 s.'),
};

export const PerCredentialEntry = z.strictObject(START_LIMITS);

export const LimitsEntry = z.strictObject({
  ...START_LIMITS,
  per_credential: object.nullish().describe('The same for each of its credentials.'),
});

const silenceS = z.number().min(CALL_TIMEOUT_S_MIN).max(SILENCE_S_MAX).nullish();

export const TimeoutsEntry = z.strictObject({
  headers_s: silenceS.describe('Until the head of an answer to a start is there.'),
  idle_s: silenceS.describe('How long the body of an answer may be silent.'),
  total_s: z.number().min(CALL_TIMEOUT_S_MIN).max(TIMEOUT_S_MAX).nullish().describe('One call as a whole.'),
});

export const WorkflowEntry = z.strictObject({
  provider: z.string().nullish().describe('A provider’s name. Needed where there are no targets, and only there.'),
  workflow: z.string().nullish().describe('The vendor’s own id. Needed where there are no targets, and only there.'),
  targets: z
    .array(anything)
    .min(1)
    .max(TARGETS_MAX)
    .nullish()
    .describe('Several places, by weight, instead of provider and workflow.'),
  sticky_by: z
    .string()
    .min(1)
    .max(METADATA_KEY_CHARACTERS_MAX)
    .nullish()
    .describe('A key of metadata: runs with the same value of it go to the same target.'),
  fallbacks: z
    .array(anything)
    .max(FALLBACKS_MAX)
    .nullish()
    .describe('Tried in order while every start so far provably began nothing.'),
  description: z.string().max(DESCRIPTION_CHARACTERS_MAX).nullish().describe('For people.'),
  inputs: object.nullish().describe('JSON Schema (2020-12) that a run’s inputs must fit, defaults included.'),
  defaults: object.nullish().describe('Inputs that are merged under the caller’s.'),
  timeout_s: z.int().min(1).max(TIMEOUT_S_MAX).nullish().describe('A run’s time by default, and at most.'),
});

const TARGET = {
  provider: z.string().describe('A provider’s name.'),
  workflow: z.string().describe('The vendor’s own id.'),
};

export const TargetEntry = z.strictObject({
  ...TARGET,
  weight: z.int().min(0).max(WEIGHT_MAX).nullish().describe('Its share of the runs; 0: none for now. Default 1.'),
});

export const FallbackEntry = z.strictObject({
  ...TARGET,
  when: z
    .array(z.string())
    .min(1)
    .nullish()
    .describe('The errors that lead here. None: those that may be over elsewhere.'),
});

/** Finds what is wrong with a base URL; null: nothing. Never quotes it, as it may hold a password. */
export function baseUrlFault(text: string, allowPrivateNetwork: boolean): string | null {
  const url = URL.canParse(text) && !/[\s\p{Cc}]/u.test(text) ? new URL(text) : null;
  if (url === null || !['http:', 'https:'].includes(url.protocol)) return 'expected an https:// URL';
  if (url.username !== '' || url.password !== '') return 'expected a URL without user and password';
  if (/[?#]/.test(text)) return 'expected a URL without query and fragment';
  if (url.protocol === 'http:' && !allowPrivateNetwork) {
    return 'expected https://; http:// is only for private networks, with allow_private_network: true';
  }
  // What a name stands for is only known when it is connected to; a literal address would be refused then, every time.
  const literal = classifyAddress(url.hostname.replace(/^\[|\]$/g, ''));
  if (!['public', 'not_an_address'].includes(literal) && !allowPrivateNetwork) {
    return 'expected a public address; others are only for private networks, with allow_private_network: true';
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
  const message = inPlainWords(issue.message);
  return issue.code === 'invalid_type' && issue.message.endsWith(', received undefined')
    ? `required: ${message}`
    : message;
}

/** The fields of an object's schema, for hints; empty where it is none. */
export function fieldsOf(schema: z.ZodType): string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}
