import * as z from 'zod';
import { GatewayError } from '../../core/errors.ts';
import { parseRunId, type RunId } from '../../core/ids.ts';
import { EXAMPLE_RUN_ID } from './parts.ts';

export const runPathSchema = z.object({
  id: z.string().meta({ description: 'The run’s id.', example: EXAMPLE_RUN_ID }),
});

/** A command without parameters: no body, or an empty object. */
export const emptyBodySchema = z.strictObject({}).optional();

/** The run that a path names. Throws `not_found` where no run can have that id. */
export function runIdOf({ id }: { id: string }): RunId {
  const runId = parseRunId(id);
  if (runId === null) throw new GatewayError('not_found');
  return runId;
}
