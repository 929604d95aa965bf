import type { Run } from '../runs/model.ts';

/** What stands for every workflow that is not registered: a vendor's id can be a caller's text. */
const OTHER = 'other';

/** The run's workflow, where its name is one of `rungate.yaml`; `other` otherwise. */
export type WorkflowLabel = (run: Pick<Run, 'workflow'>) => string;

/** Labels by what is registered at that moment. */
export function createWorkflowLabel(isRegistered: (name: string) => boolean): WorkflowLabel {
  return ({ workflow }) => (isRegistered(workflow) ? workflow : OTHER);
}
