import type { ErrorBody } from '../core/errors.ts';
import { subjectOf } from '../core/caller.ts';
import type { Attempt, RunWithPayloads } from '../runs/model.ts';
import { printableJson } from './printable.ts';
import { details, formatTime, table } from './table.ts';

/** All that is known of a run, for people: what it has always, then what it may have, then its payloads. */
export function runText(run: RunWithPayloads): string {
  const { upstream } = run;
  const known: [string, string | null][] = [
    ['id', run.id],
    ['status', run.partial ? `${run.status} (partial)` : run.status],
    ['provider', run.provider],
    ['workflow', run.workflow],
    ['key', `${run.keyName} (${run.keyId})`],
    ['created', formatTime(run.createdAt)],
    ['started', formatTime(run.startedAt)],
    ['finished', formatTime(run.finishedAt)],
    ['deadline', formatTime(run.deadlineAt)],
    ['vendor id', upstream.runId],
    ['vendor status', upstream.status],
    ['error', errorText(run.error)],
  ];
  const possible: [string, string | null][] = [
    ['subject', subjectOf(run.subject)],
    ['metadata', jsonOrNull(run.metadata)],
    ['tags', run.tags.length === 0 ? null : run.tags.join(', ')],
    ['waiting', run.waiting && `for ${run.waiting.for}: ${printableJson(run.waiting.hint)}`],
    ['last poll', errorText(upstream.pollError)],
    ['vendor stopped', upstream.stopped === null ? null : String(upstream.stopped)],
    ['vendor request', upstream.requestId],
    ['resolution', run.resolution && printableJson(run.resolution)],
  ];
  return [
    details([...known, ...possible.filter(([, value]) => value !== null)]),
    ...(run.attempts.length === 0 ? [] : [`attempts\n${attemptsTable(run.attempts)}`]),
    `inputs\n${printableJson(run.inputs, 2)}`,
    `output\n${printableJson(run.output, 2)}`,
  ].join('\n\n');
}

function attemptsTable(attempts: readonly Attempt[]): string {
  return table(
    ['at', 'step', 'provider', 'workflow', 'credential', 'error'],
    attempts.map(({ at, step, provider, workflow, credentialId, errorCode }) => [
      formatTime(at),
      step,
      provider,
      workflow,
      credentialId,
      errorCode,
    ]),
  );
}

function errorText(error: ErrorBody | null): string | null {
  return error && `${error.code}: ${error.message}`;
}

function jsonOrNull(value: Readonly<Record<string, string>>): string | null {
  return Object.keys(value).length === 0 ? null : printableJson(value);
}
