import type { RunId } from '../../../src/core/ids.ts';
import type { Attempt, Run } from '../../../src/runs/model.ts';

export const REQUEST_TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

export function attemptAt(at: number, changes: Partial<Attempt> = {}): Attempt {
  return {
    number: 1,
    step: 'start',
    provider: 'ai-tutor',
    kind: 'ai-tutor',
    origin: 'https://vendor.test',
    credentialId: 'cred_1',
    workflow: 'wf_of_a_caller',
    at,
    state: 'began',
    errorCode: null,
    ...changes,
  };
}

/** A run that has succeeded, as far as logs and traces look at it. */
export function endedRun(changes: Partial<Run> = {}): Run {
  return {
    id: 'run_01k9zq00000000000000000000' as RunId,
    status: 'succeeded',
    keyId: 'key_1',
    keyName: 'a name',
    provider: 'ai-tutor',
    workflow: 'summarize-ticket',
    metadata: { note: 'a-marker' },
    error: null,
    attempts: [attemptAt(1_010)],
    trace: { traceparent: REQUEST_TRACE, tracestate: 'a=1' },
    createdAt: 1_000,
    finishedAt: 1_500,
    ...changes,
  } as Run;
}
