import { GatewayError } from '../core/errors.ts';
import { parseRunId, type RunId } from '../core/ids.ts';

/** Reads a run's id from the command line. Throws `not_found` where it cannot be one. */
export function readRunId(text: string): RunId {
  const id = parseRunId(text);
  if (id === null) throw runNotFound();
  return id;
}

/** The same answer where the store has no such run. */
export async function unlessThereIsNone<Result>(command: Promise<Result>): Promise<Result> {
  try {
    return await command;
  } catch (error) {
    throw error instanceof GatewayError && error.code === 'not_found' ? runNotFound() : error;
  }
}

export function runNotFound(): GatewayError {
  return new GatewayError('not_found', {
    message: "There is no such run. List them with: rungate runs list, with --sandbox for the sandbox's",
  });
}
