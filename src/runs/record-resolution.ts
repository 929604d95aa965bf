import type { Actor } from '../core/audit.ts';
import type { Audited } from '../core/audited.ts';
import type { Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import type { RunId } from '../core/ids.ts';
import { isoTime } from '../core/iso-time.ts';
import { hasEnded, type Run, type RunWithPayloads } from './model.ts';
import type { RunStore } from './ports.ts';

export const NOTE_LENGTH_MAX = 1_000;
const PRINTABLE = /^[^\p{Cc}\p{Cs}]+$/u;

/** What an operator found out about a run whose outcome nobody knew. */
export interface Finding {
  as: 'succeeded' | 'failed';
  /** How they know: 1 to 1,000 printable characters. */
  note: string;
  /** Replaces what was recorded before. */
  force: boolean;
}

export interface ResolutionParts {
  store: Pick<RunStore, 'peek' | 'resolve' | 'get'>;
  clock: Pick<Clock, 'now'>;
  audited: Audited;
}

/**
 * Records a finding on a run that ended as `outcome_unknown`, audited ahead; its status and events stay. Throws `not_found`,
 * `invalid_request` for the note, and `unsupported_operation` where the run ended in another way or is resolved already.
 */
export async function recordResolution(
  id: RunId,
  { as, note, force }: Finding,
  actor: Actor,
  { store, clock, audited }: ResolutionParts,
): Promise<RunWithPayloads> {
  checkNote(note);
  const run = await store.peek(id);
  if (run === null) throw notFound();
  requireUnknown(run);
  if (run.resolution !== null && !force) throw resolvedAlready(run.id);
  const deed = { actor, action: 'run.resolve', target: { type: 'run', id }, details: { as, note, force } } as const;
  return audited(deed, async () => {
    const by = actor.type === 'command' ? 'command line' : 'admin API';
    if ((await store.resolve(id, { as, note, at: isoTime(clock.now()), by })) === null) throw notFound();
    const resolved = await store.get(id);
    if (resolved === null) throw notFound();
    return resolved;
  });
}

function checkNote(note: string): void {
  if (note.length <= NOTE_LENGTH_MAX && PRINTABLE.test(note)) return;
  const message = `A note has 1 to ${NOTE_LENGTH_MAX} characters on one line.`;
  throw new GatewayError('invalid_request', { message, param: 'note' });
}

function requireUnknown(run: Run): void {
  if (run.error?.code === 'outcome_unknown' && hasEnded(run)) return;
  const message = `Only a run that ended as outcome_unknown can be resolved; ${run.id} is ${run.status}${
    run.error === null ? '' : ` (${run.error.code})`
  }.`;
  throw new GatewayError('unsupported_operation', { message });
}

function resolvedAlready(id: string): GatewayError {
  const message = `${id} is resolved already: see \`rungate runs get ${id}\`. To replace that, add \`--force\`, or \`"force": true\` in a request.`;
  return new GatewayError('unsupported_operation', { message });
}

function notFound(): GatewayError {
  return new GatewayError('not_found', { message: 'There is no such run, or it has not ended.' });
}
