import type { RunId } from '../../core/ids.ts';
import { reviveJson, type JsonObject } from '../../core/json.ts';
import { hasEnded, type Run, type RunEvent, type RunOutput, type RunWithPayloads } from '../../runs/model.ts';
import type { Claimed, CountedStart, IdempotencyClaim, QueuedShare } from '../../runs/ports.ts';
import { mergeEvents } from './event-log.ts';
import type { Row } from './operations.ts';
import type { ReadStatements } from './read-statements.ts';
import { ELSEWHERE, runFromRow } from './run-row.ts';

/** What the key was used for; null: nothing, or what it was used for has served. */
export function findByKey(
  statements: ReadStatements,
  claim: IdempotencyClaim,
  expiredBefore: number,
): Exclude<Claimed, { kind: 'created' }> | null {
  const row = statements.claim.get(claim.lineage, claim.subject, claim.key);
  if (row === null) return null;
  const [runId, fingerprint, createdAt] = row as [RunId, string, number];
  const run = runOf(statements.run.get(runId));
  if (createdAt < expiredBefore && (run === null || hasEnded(run))) return null;
  return fingerprint === claim.fingerprint ? { kind: 'same', runId, run } : { kind: 'reused' };
}

/** The run with its payloads. */
export function getRun(statements: ReadStatements, id: RunId): RunWithPayloads | null {
  const row = statements.runWithPayloads.get(id);
  if (row === null) return null;
  const inputs = payloadText(statements, id, 'inputs', row[13] as string);
  const output = payloadText(statements, id, 'output', row[14] as string | null);
  return {
    ...runFromRow(row),
    inputs: inputs === null ? {} : reviveJson<JsonObject>(inputs),
    output: output === null ? null : reviveJson<RunOutput>(output),
  };
}

function payloadText(statements: ReadStatements, id: RunId, part: string, inRow: string | null): string | null {
  if (inRow !== ELSEWHERE) return inRow;
  return (statements.payload.get(id, part)?.[0] as string | undefined) ?? null;
}

/** The run in a row of `RUN_COLUMNS`. */
export function runOf(row: Row | null): Run | null {
  return row === null ? null : runFromRow(row);
}

/** Events behind `after`, in order: at most `limit`, and no more once they hold `charactersMax` together. */
export function eventsAfter(
  statements: ReadStatements,
  id: RunId,
  page: { after: number; limit: number; charactersMax: number },
): RunEvent[] {
  const log = statements.log.get(id)?.[0];
  if (typeof log !== 'string') return [];
  const rows: Row[] = [];
  let characters = 0;
  for (const row of statements.events.each(id, page.after, page.limit)) {
    rows.push(row);
    characters += (row[3] as string).length;
    if (characters >= page.charactersMax) break;
  }
  const events = mergeEvents(log, rows, page);
  const cutAt = characters >= page.charactersMax ? (rows.at(-1)?.[0] as number) : Infinity;
  // What was written between the two reads is seen in one of the places only: the numbers have no gaps, so the page ends there.
  return events.filter(({ seq }, i) => seq === page.after + 1 + i && seq <= cutAt);
}

/** How many runs wait to be begun, by provider and key lineage. */
export function queuedShares(statements: ReadStatements): QueuedShare[] {
  return statements.queuedShares.all().map((row) => {
    const [provider, lineage, runs] = row as [string, string, number];
    return { provider, lineage, runs };
  });
}

/** Counted starts since a moment, oldest first. */
export function recentStarts(statements: ReadStatements, since: number): CountedStart[] {
  return statements.recentStarts.all(since).flatMap((row) => {
    const [provider, credentialId, at, starts] = row as [string, string, number, number];
    return Array.from({ length: starts }, () => ({ provider, credentialId, at }));
  });
}
