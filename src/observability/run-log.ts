import type { Log } from '../core/log.ts';
import { traceIdOf } from '../core/tracing.ts';
import { startsOf } from '../runs/model.ts';
import type { RunObserver } from '../runs/observer.ts';
import type { WorkflowLabel } from './workflow-label.ts';

/** One line for each run's end, of listed fields only: nothing that a caller or a vendor has written. */
export function createRunLog({
  log,
  workflowLabel,
}: {
  log: Pick<Log, 'info'>;
  workflowLabel: WorkflowLabel;
}): Pick<RunObserver, 'ended'> {
  return {
    ended(run) {
      log.info(
        {
          run_id: run.id,
          trace_id: traceIdOf(run.trace),
          key_id: run.keyId,
          provider: run.provider,
          workflow: workflowLabel(run),
          status: run.status,
          code: run.error?.code ?? null,
          attempts: startsOf(run),
          ms: run.finishedAt === null ? null : run.finishedAt - run.createdAt,
        },
        'run ended',
      );
    },
  };
}
