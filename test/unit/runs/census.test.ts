import { describe, expect, it } from 'vitest';
import type { RunId } from '../../../src/core/ids.ts';
import { createCensus } from '../../../src/runs/census.ts';
import type { Run } from '../../../src/runs/model.ts';
import type { UnfinishedRun } from '../../../src/runs/ports.ts';

type SeenRun = UnfinishedRun & Pick<Run, 'version'>;

const run = (id: string, changes: Partial<SeenRun> = {}): SeenRun => ({
  id: `run_${id}` as RunId,
  status: 'running',
  lineage: 'key',
  provider: 'ai-tutor',
  credentialId: 'cred_1',
  version: 1,
  ...changes,
});

describe('the count of unfinished runs', () => {
  it('counts a run by its key, and where it is begun', () => {
    const census = createCensus();
    census.saw(run('1'));
    census.saw(run('2', { status: 'queued' }));
    census.saw(run('3', { status: 'waiting' }));
    census.saw(run('4', { status: 'cancelling', credentialId: 'cred_2' }));
    expect(census.unfinishedOf('key')).toBe(4);
    expect(census.busyAt('ai-tutor')).toBe(2);
    expect([census.busyWith('ai-tutor', 'cred_1'), census.busyWith('ai-tutor', 'cred_2')]).toEqual([1, 1]);
  });

  it('counts nothing twice, however often a run is seen', () => {
    const census = createCensus();
    for (let i = 0; i < 3; i++) census.saw(run('1'));
    expect([census.unfinished, census.busyAt('ai-tutor')]).toEqual([1, 1]);
  });

  it('follows a run that goes elsewhere, waits, and ends', () => {
    const census = createCensus();
    census.saw(run('1'));
    census.saw(run('1', { provider: 'b3os', credentialId: 'cred_9' }));
    expect([census.busyAt('ai-tutor'), census.busyWith('b3os', 'cred_9')]).toEqual([0, 1]);
    census.saw(run('1', { provider: 'b3os', credentialId: 'cred_9', status: 'waiting' }));
    expect([census.busyAt('b3os'), census.unfinishedOf('key')]).toEqual([0, 1]);
    census.saw(run('1', { provider: 'b3os', status: 'succeeded' }));
    expect([census.unfinished, census.unfinishedOf('key')]).toEqual([0, 0]);
  });

  it('counts the newest row, whatever comes late', () => {
    const census = createCensus();
    census.saw(run('1', { version: 2 }));
    census.saw(run('1', { version: 1, status: 'queued' }));
    expect(census.busyAt('ai-tutor')).toBe(1);
    census.saw(run('1', { version: 3, status: 'succeeded' }));
    census.saw(run('1', { version: 2 }));
    census.saw(run('2', { version: 4, status: 'cancelled' }));
    census.saw(run('2', { version: 1, status: 'queued' }));
    expect([census.unfinished, census.unfinishedOf('key'), census.busyAt('ai-tutor')]).toEqual([0, 0, 0]);
  });

  it('counts a run that was looked for before it was written', () => {
    const census = createCensus();
    census.forget('run_1' as RunId);
    census.saw(run('1'));
    expect(census.unfinished).toBe(1);
  });

  it('does not remember ended runs for ever', () => {
    const census = createCensus({ endedMax: 2 });
    for (const id of ['1', '2', '3']) census.saw(run(id, { version: 2, status: 'succeeded' }));
    for (const id of ['1', '2', '3']) census.saw(run(id));
    expect(census.unfinished).toBe(2);
  });

  it('begins anew from rows, and forgets a run whose row is gone', () => {
    const census = createCensus();
    census.saw(run('1'));
    census.recount([run('2'), run('3', { lineage: 'other' })]);
    expect([census.unfinished, census.unfinishedOf('key'), census.busyAt('ai-tutor')]).toEqual([2, 1, 2]);
    census.forget('run_2' as RunId);
    census.forget('run_2' as RunId);
    expect([census.unfinished, census.busyAt('ai-tutor')]).toEqual([1, 1]);
  });
});
