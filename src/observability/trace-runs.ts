import type { TraceContext } from '../core/outbound.ts';
import type { SpanAttributes, Tracing } from '../core/tracing.ts';
import { startsOf, type Attempt, type Run } from '../runs/model.ts';
import type { RunObserver } from '../runs/observer.ts';
import { spanIdFrom } from './span-ids.ts';
import type { WorkflowLabel } from './workflow-label.ts';

/**
 * The spans of runs. A run outlives its request, and may outlive its process, so neither its span nor those of its
 * attempts are held open: their ids follow from the run's id, and they are written from its row when it has ended.
 * Until then calls hang below a span that is yet to come.
 */
export interface RunTraces extends Pick<RunObserver, 'ended'> {
  /** What calls for this run hang below: its latest attempt's span, or what its request was told where nothing is traced. */
  contextOf(run: Pick<Run, 'id' | 'trace' | 'attempts'>): TraceContext | null;
}

const SAMPLED = 1;

export function createRunTraces({
  tracing,
  workflowLabel,
}: {
  tracing: Tracing;
  workflowLabel: WorkflowLabel;
}): RunTraces {
  return {
    contextOf({ id, trace, attempts }) {
      if (!tracing.enabled || trace === null || !isSampled(trace)) return trace;
      const latest = attempts.at(-1);
      return below(trace, latest === undefined ? nameOfRun(id) : nameOfAttempt(id, latest));
    },
    ended(run) {
      const { trace } = run;
      if (!tracing.enabled || trace === null || !isSampled(trace)) return;
      const error = run.error?.code ?? null;
      const finishedAt = run.finishedAt ?? run.createdAt;
      const span = tracing.start('run', {
        parent: trace,
        idFrom: nameOfRun(run.id),
        startedAt: run.createdAt,
        attributes: attributesOf(run, workflowLabel(run)),
      });
      for (const [index, attempt] of run.attempts.entries()) {
        const next = run.attempts[index + 1];
        const attemptSpan = tracing.start('attempt', {
          parent: span.context,
          idFrom: nameOfAttempt(run.id, attempt),
          startedAt: attempt.at,
          attributes: attributesOfAttempt(run, attempt),
        });
        const { errorCode } = attempt;
        attemptSpan.end(errorCode ?? (next === undefined ? error : null), Math.max(attempt.at, next?.at ?? finishedAt));
      }
      span.end(error, finishedAt);
    },
  };
}

function attributesOf(run: Run, workflow: string): SpanAttributes {
  return {
    'rungate.run_id': run.id,
    'rungate.provider': run.provider,
    'rungate.workflow': workflow,
    'rungate.status': run.status,
    'rungate.attempts': startsOf(run),
  };
}

function attributesOfAttempt(run: Run, { number, step, provider, state }: Attempt): SpanAttributes {
  return {
    'rungate.run_id': run.id,
    'rungate.provider': provider,
    'rungate.attempt': number,
    'rungate.step': step,
    'rungate.state': state,
  };
}

function nameOfRun(id: string): string {
  return id;
}

function nameOfAttempt(id: string, { number }: Pick<Attempt, 'number'>): string {
  return `${id}/${number}`;
}

/** The context of a span of this trace, known by the text that its id follows from. */
function below({ traceparent, tracestate }: TraceContext, idFrom: string): TraceContext {
  return { traceparent: `${traceparent.slice(0, 36)}${spanIdFrom(idFrom)}${traceparent.slice(52)}`, tracestate };
}

function isSampled({ traceparent }: TraceContext): boolean {
  return (Number.parseInt(traceparent.slice(53, 55), 16) & SAMPLED) !== 0;
}
