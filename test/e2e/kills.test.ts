import { beforeAll, describe, expect, it } from 'vitest';
import { judgeKills } from '../support/processes/kills/judge.ts';
import { playKills, type PlayedKills } from '../support/processes/kills/play.ts';

/** Names of the promises that were not kept. */
function broken(played: PlayedKills): string[] {
  return judgeKills(played).flatMap(({ name, faults }) => (faults.length === 0 ? [] : [name]));
}

describe('a gateway that is killed while clients send runs', () => {
  let played: PlayedKills;

  beforeAll(async () => {
    played = await playKills({ seed: 5, kills: 3, runs: 60, patient: false });
  }, 90_000);

  it('loses nothing, starts nothing twice, and ends every run as the vendor says', () => {
    expect(played.kills).toHaveLength(3);
    expect(judgeKills(played).filter(({ faults }) => faults.length > 0)).toEqual([]);
  });

  it('would be convicted of a lost run', () => {
    const [id = ''] = played.found.keys();
    expect(broken({ ...played, found: new Map([...played.found].filter(([other]) => other !== id)) })).toEqual([
      'no acknowledged run is lost',
    ]);
  });

  it('would be convicted of a doubled start', () => {
    const begun = played.starts.filter(({ began }) => began).slice(0, 1);
    expect(broken({ ...played, starts: [...played.starts, ...begun] })).toEqual(['no start is doubled']);
  });

  it('would be convicted of a success without a run at the vendor', () => {
    const succeeded = [...played.runs.values()].find(({ status }) => status === 'succeeded');
    // The vendor's own id of the workflow is not its name everywhere.
    const { planned } = played.clients.find(({ planned: { workflowId } }) => workflowId === succeeded?.workflow)!;
    const starts = played.starts.filter(({ workflow }) => workflow !== planned.workflow);
    expect(broken({ ...played, starts })).toContain('each end says what the vendor did');
  });

  it('would be convicted of a run that never ends', () => {
    const run = [...played.runs.values()].find(({ status }) => status === 'succeeded');
    const runs = new Map([...played.runs, [run!.id, { ...run!, status: 'running' as const, finished_at: null }]]);
    expect(broken({ ...played, runs })).toEqual(['every run has ended within 45 s of the last restart']);
  });
});
