import * as z from 'zod';
import { isLonger, pageLimit } from './parts.ts';
import { isSubject, SUBJECT_LENGTH_MAX } from '../../access/token-limits.ts';
import { parseRunId, type RunId } from '../../core/ids.ts';
import { RUN_STATUSES } from '../../runs/model.ts';
import {
  METADATA_KEY_LENGTH_MAX,
  METADATA_PAIRS_MAX,
  METADATA_VALUE_LENGTH_MAX,
  NAME_LENGTH_MAX,
  PAGE_DEFAULT,
  PAGE_MAX,
  TAG_LENGTH_MAX,
} from './run-limits.ts';

const CURSOR_LENGTH_MAX = 100;

const PAYLOADS = ['inputs', 'output'] as const;
const METADATA_PARAMETER = /^metadata\[(.+)\]$/s;

/** `a,b`, each one of `choices`. */
function listOf<const T extends string>(choices: readonly T[]) {
  return z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(choices)).max(choices.length))
    .meta({ type: 'array', items: { type: 'string', enum: [...choices] }, maxItems: choices.length });
}

function text(lengthMax: number) {
  return z.string().min(1).max(lengthMax);
}

/** A time that a caller gives; becomes milliseconds since 1970. */
export const timeParameter = z.iso
  .datetime({ offset: true, error: 'must be a time of RFC 3339, such as 2026-01-31T12:00:00Z (a + is sent as %2B)' })
  .transform((value, context) => {
    const ms = Date.parse(value);
    if (Number.isFinite(ms)) return ms;
    context.addIssue({ code: 'custom', message: 'there is no such time' });
    return z.NEVER;
  });

const metadataValue = z
  .string()
  .refine((value) => !isLonger(value, METADATA_VALUE_LENGTH_MAX), `at most ${METADATA_VALUE_LENGTH_MAX} characters`);

const metadata = z
  .record(z.string().max(METADATA_KEY_LENGTH_MAX), metadataValue)
  .refine((pairs) => Object.keys(pairs).length <= METADATA_PAIRS_MAX, `at most ${METADATA_PAIRS_MAX} pairs`);

/** The query of `GET /runs`. Parameters are refused when repeated, because one of them would be dropped. */
export const runListSchema = z.preprocess(
  gatherMetadata,
  z.strictObject({
    status: listOf(RUN_STATUSES).optional().meta({ description: 'Any of these.' }),
    provider: text(NAME_LENGTH_MAX).optional().meta({ description: 'A provider’s name.' }),
    workflow: text(NAME_LENGTH_MAX)
      .optional()
      .meta({ description: 'As the runs were begun with: a registered name, or the vendor’s id.' }),
    tag: text(TAG_LENGTH_MAX).optional().meta({ description: 'One of the run’s tags.' }),
    subject: text(SUBJECT_LENGTH_MAX)
      .refine(isSubject, 'must be printable')
      .optional()
      .meta({ description: 'The user behind a browser token.' }),
    metadata: metadata
      .optional()
      .meta({ description: '`metadata[key]=value`: pairs that the run was begun with, all of them.' }),
    created_after: timeParameter.optional().meta({ description: 'Begun at this time or later.' }),
    created_before: timeParameter.optional().meta({ description: 'Begun at this time or earlier.' }),
    include: listOf(PAYLOADS).optional().meta({ description: 'What lists leave out otherwise.' }),
    limit: pageLimit({ max: PAGE_MAX, usual: PAGE_DEFAULT, description: 'Runs a page.' }),
    cursor: z
      .string()
      .max(CURSOR_LENGTH_MAX)
      .transform(toRunId)
      .optional()
      .meta({ description: 'The `next_cursor` of the page before.' }),
  }),
);

/** Puts `metadata[key]=value` together. What is no such parameter is left for the schema to judge. */
function gatherMetadata(query: unknown): unknown {
  if (typeof query !== 'object' || query === null) return query;
  const others: [string, unknown][] = [];
  const pairs: [string, unknown][] = [];
  for (const [name, value] of Object.entries(query)) {
    const key = METADATA_PARAMETER.exec(name)?.[1];
    // No run has a key of this name, and an object with one is not what it seems.
    if (key === undefined || key === '__proto__') others.push([name, value]);
    else pairs.push([key, value]);
  }
  if (pairs.length > 0 && !Object.hasOwn(query, 'metadata')) others.push(['metadata', Object.fromEntries(pairs)]);
  return Object.fromEntries(others);
}

/** Callers treat it as opaque; it is the last run of the page. */
export function writeCursor(id: RunId): string {
  return Buffer.from(id).toString('base64url');
}

/** Null where no page has this cursor. */
export function readCursor(cursor: string): RunId | null {
  const id = parseRunId(Buffer.from(cursor, 'base64url').toString('latin1'));
  return id !== null && writeCursor(id) === cursor ? id : null;
}

function toRunId(cursor: string, context: z.RefinementCtx): RunId {
  const id = readCursor(cursor);
  if (id !== null) return id;
  context.addIssue({ code: 'custom', message: 'must be the `next_cursor` of another page' });
  return z.NEVER;
}
