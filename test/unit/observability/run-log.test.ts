import { describe, expect, it } from 'vitest';
import { errorBody } from '../../../src/core/errors.ts';
import type { LogFields } from '../../../src/core/log.ts';
import { createRunLog } from '../../../src/observability/run-log.ts';
import { createWorkflowLabel } from '../../../src/observability/workflow-label.ts';
import { endedRun } from './runs.ts';

function setUp() {
  const lines: { fields: LogFields; message: string }[] = [];
  const workflowLabel = createWorkflowLabel((name) => name === 'summarize-ticket');
  const log = { info: (fields: LogFields, message: string) => void lines.push({ fields, message }) };
  return { lines, runLog: createRunLog({ log, workflowLabel }) };
}

describe('the line of a run that has ended', () => {
  it('has these fields and no other', () => {
    const { lines, runLog } = setUp();
    runLog.ended(endedRun());
    expect(lines).toEqual([
      {
        message: 'run ended',
        fields: {
          run_id: 'run_01k9zq00000000000000000000',
          trace_id: '0af7651916cd43dd8448eb211c80319c',
          key_id: 'key_1',
          provider: 'ai-tutor',
          workflow: 'summarize-ticket',
          status: 'succeeded',
          code: null,
          attempts: 1,
          ms: 500,
        },
      },
    ]);
  });

  it('tells a failure by its code alone, and a vendor’s own workflow as `other`', () => {
    const { lines, runLog } = setUp();
    const error = errorBody('workflow_failed', { message: 'a-marker' });
    runLog.ended(endedRun({ status: 'failed', error, workflow: 'a-marker', trace: null }));
    expect(lines[0]?.fields).toMatchObject({ code: 'workflow_failed', workflow: 'other', trace_id: null });
    expect(JSON.stringify(lines)).not.toContain('a-marker');
  });
});
