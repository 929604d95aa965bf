import type { StatementSync } from 'node:sqlite';
import type { Row } from './operations.ts';

/** Runs a statement that writes. Returns how many rows it changed. */
export function changes(statement: StatementSync, values: Row): number {
  return Number(statement.run(...values).changes);
}

/** The first row of a statement made by `arrays`; null where there is none. */
export function get(statement: StatementSync, values: Row): Row | null {
  return (statement.get(...values) as unknown as Row | undefined) ?? null;
}

/** Makes a statement give its rows as arrays in the order of the columns. */
export function arrays(statement: StatementSync): StatementSync {
  statement.setReturnArrays(true);
  return statement;
}
