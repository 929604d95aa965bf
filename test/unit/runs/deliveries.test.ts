import { describe, expect, it } from 'vitest';
import type { Owner, RunId } from '../../../src/core/ids.ts';
import { deliveriesOf, withDeliveries } from '../../../src/runs/deliveries.ts';
import { WEBHOOK_EVENTS, type Run } from '../../../src/runs/model.ts';
import type { Change } from '../../../src/runs/ports.ts';
import { newRun, success } from '../../contract/store/sample-run.ts';

const AT = 1_764_000_000_000;
const ID = 'run_01k9zq3v5w8x7y6z5a4b3c2d1e' as RunId;

function run(changes: Partial<Run> = {}): Run {
  const { inputs: _inputs, events: _events, dueInMs: _due, ...fields } = newRun(ID, AT);
  return {
    ...fields,
    version: 3,
    seq: 7,
    dueAt: null,
    webhook: { url: 'https://a.example', events: WEBHOOK_EVENTS },
    ...changes,
  };
}

const waits: Change = {
  status: 'waiting',
  patch: { waiting: { for: 'approval', hint: null }, deadlineAt: AT + 60_000 },
  events: [{ type: 'run.waiting', at: AT + 5, data: {} }],
  owner: null,
  dueInMs: 1_000,
};

describe('the messages that a change owes', () => {
  it('are one for an end, and say nothing that the row will not say', () => {
    expect(deliveriesOf(run(), success(run(), AT + 9))).toEqual([
      { id: 'dlv_01k9zq3v5w8x7y6z5a4b3c2d1e_8', event: 'run.succeeded', snapshot: null, createdAt: AT + 9 },
    ]);
  });

  it('have the same ids however often the change is tried', () => {
    expect(deliveriesOf(run(), waits)).toEqual(deliveriesOf(run(), waits));
  });

  it('hold what a waiting run was like, for it goes on', () => {
    const [message] = deliveriesOf(run(), waits);
    expect(message).toMatchObject({
      event: 'run.waiting',
      snapshot: {
        status: 'waiting',
        waiting: { for: 'approval', hint: null },
        deadline_at: new Date(AT + 60_000).toISOString(),
        output: null,
        error: null,
        finished_at: null,
      },
    });
    expect(message?.snapshot).not.toHaveProperty('inputs');
    expect(message?.snapshot).not.toHaveProperty('metadata');
  });

  it('are none where no webhook is set, or it wants another event, or nothing has happened', () => {
    const choosy = run({ webhook: { url: 'https://a.example', events: ['run.failed'] } });
    expect(deliveriesOf(run({ webhook: null }), waits)).toEqual([]);
    expect(deliveriesOf(choosy, waits)).toEqual([]);
    expect(deliveriesOf(run(), { ...waits, events: [] })).toEqual([]);
    expect(deliveriesOf(run(), { ...waits, events: [{ type: 'run.resumed', at: AT, data: {} }] })).toEqual([]);
  });

  it('cost a run without a webhook nothing', () => {
    expect(withDeliveries(run({ webhook: null, owner: 'own_a' as Owner }), waits)).toBe(waits);
  });
});
