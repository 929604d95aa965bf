import * as z from 'zod';
import { parseRunId, type RunId } from '../../core/ids.ts';
import { RUN_STATUSES } from '../../runs/model.ts';

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 100;
const FILTER_LENGTH_MAX = 200;
const CURSOR_LENGTH_MAX = 100;

const PAYLOADS = ['inputs', 'output'] as const;

/** `a,b`, each one of `choices`. */
function listOf<const T extends string>(choices: readonly T[]) {
  return z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(choices)).max(choices.length));
}

/** The query of `GET /runs`. Parameters are refused when repeated, because one of them would be dropped. */
export const runListSchema = z.strictObject({
  status: listOf(RUN_STATUSES).optional(),
  provider: z.string().min(1).max(FILTER_LENGTH_MAX).optional(),
  workflow: z.string().min(1).max(FILTER_LENGTH_MAX).optional(),
  include: listOf(PAYLOADS).optional(),
  limit: z
    .string()
    .regex(/^[0-9]{1,3}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(1).max(LIMIT_MAX))
    .default(LIMIT_DEFAULT),
  cursor: z.string().max(CURSOR_LENGTH_MAX).transform(readCursor).optional(),
});

/** Callers treat it as opaque; it is the last run of the page. */
export function writeCursor(id: RunId): string {
  return Buffer.from(id).toString('base64url');
}

function readCursor(text: string, context: z.RefinementCtx): RunId {
  const id = parseRunId(Buffer.from(text, 'base64url').toString('latin1'));
  if (id !== null && writeCursor(id) === text) return id;
  context.addIssue({ code: 'custom', message: 'must be the `next_cursor` of another page' });
  return z.NEVER;
}
