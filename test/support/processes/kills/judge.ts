import type { RenderedRun } from '../../../../src/runs/render-run.ts';
import type { Check } from '../checks.ts';
import type { SeenStart } from '../sandbox-process.ts';
import type { ClientRecord, Kill, PlayedKills } from './play.ts';

/** Within this of the restart, everything whose vendor has ended, or whose fate nobody can learn, has ended. */
const END_PATIENCE_MS = 45_000;
/** A serving process waits 5 s for another's lock; a database that is free at once is served sooner. */
const READY_MS_MAX = 5_000;

/** Everything about one client's wish. */
interface Story {
  client: ClientRecord;
  runs: RenderedRun[];
  starts: SeenStart[];
  begun: number;
}

/** What was promised, and whether it was kept. */
export function judgeKills(played: PlayedKills): Check[] {
  const stories = storiesOf(played);
  return [
    judgeLoss(played),
    judgeStarts(stories),
    judgeKeys(stories),
    judgeLastEnds(played, stories),
    judgeEachRestart(played, stories),
    judgeAgreement(played, stories),
    judgeRestarts(played),
    judgeHealth(played, stories),
  ];
}

/** How many runs of each vendor ended how, most frequent first. */
export function tableOfEnds({ runs }: PlayedKills): string {
  const counts = new Map<string, number>();
  for (const run of runs.values()) {
    const row = `${run.provider.padEnd(15)} ${endOf(run)}`;
    counts.set(row, (counts.get(row) ?? 0) + 1);
  }
  const rows = [...counts].sort(([a], [b]) => a.localeCompare(b));
  return rows.map(([row, count]) => `${String(count).padStart(6)}  ${row}`).join('\n');
}

function storiesOf({ clients, runs, starts }: PlayedKills): Story[] {
  const runsByWorkflow = Map.groupBy(runs.values(), ({ workflow }) => workflow);
  const startsByWorkflow = Map.groupBy(starts, ({ workflow }) => workflow);
  return clients.map((client) => {
    const { workflow, workflowId } = client.planned;
    const own = startsByWorkflow.get(workflow) ?? [];
    return {
      client,
      runs: runsByWorkflow.get(workflowId) ?? [],
      starts: own,
      begun: own.filter(({ began }) => began).length,
    };
  });
}

function endOf(run: RenderedRun): string {
  return run.error?.code ?? run.status;
}

function judgeLoss({ clients, found, runs }: PlayedKills): Check {
  const faults = clients.flatMap(({ planned, acknowledged }) =>
    acknowledged.flatMap((id) => {
      const { status, run } = found.get(id) ?? { status: 0, run: null };
      if (run === null || !runs.has(id)) return [`${planned.marker}: ${id} was acknowledged and is gone (${status})`];
      return run.inputs?.marker === planned.marker ? [] : [`${planned.marker}: ${id} is another's run`];
    }),
  );
  const detail = `${found.size} of ${runs.size} runs were acknowledged`;
  return { name: 'no acknowledged run is lost', detail, faults };
}

function judgeStarts(stories: readonly Story[]): Check {
  const faults = stories.flatMap(({ client: { planned }, starts, begun, runs }) => {
    if (begun > 1) return [`${planned.marker}: ${begun} runs began at ${planned.kind}`];
    // A refusal that proves that nothing began gives the key back, and another run may ask again.
    const allowed = planned.shape.refused ? runs.length : Math.min(1, runs.length);
    return starts.length > allowed ? [`${planned.marker}: sent ${starts.length} times for ${runs.length} runs`] : [];
  });
  const begun = stories.reduce((sum, story) => sum + story.begun, 0);
  return { name: 'no start is doubled', detail: `${begun} runs began at the vendors`, faults };
}

function judgeKeys(stories: readonly Story[]): Check {
  const faults = stories.flatMap(({ client, runs }) => {
    const { planned, acknowledged, refusals, again } = client;
    const { marker, idempotencyKey, shape } = planned;
    if (refusals.length > 0) return [`${marker}: ${refusals.join(', ')}`];
    if (idempotencyKey === null) return runs.length > 1 ? [`${marker}: one call made ${runs.length} runs`] : [];
    if (acknowledged.length === 0) return [`${marker}: never answered`];
    if (again !== null && (!again.replayed || again.runId !== acknowledged.at(-1))) {
      return [`${marker}: its key named ${acknowledged.join(', ')}, and later ${again.runId}`];
    }
    return runs.length > 1 && !shape.refused ? [`${marker}: one key, ${runs.length} runs`] : [];
  });
  const clients = stories.map(({ client }) => client);
  const sum = (of: (client: ClientRecord) => number) => clients.reduce((total, client) => total + of(client), 0);
  const detail = `${clients.length} clients, ${sum(({ calls }) => calls)} calls, ${sum(({ broken }) => broken)} broken`;
  return { name: 'a key keeps naming its run, and every client that sends again is answered', detail, faults };
}

function judgeLastEnds({ ready, readAt }: PlayedKills, stories: readonly Story[]): Check {
  const restartedAt = ready.at(-1)?.at ?? 0;
  const measured = stories.flatMap((story) =>
    story.runs.map((run) => ({ run, story, lateMs: latenessOf(run, story, { restartedAt, readAt }) })),
  );
  const late = measured.filter(
    ({ run, story, lateMs }) => lateMs > END_PATIENCE_MS || (run.finished_at === null && !mayStillBeAsked(story)),
  );
  return {
    name: `every run has ended within ${END_PATIENCE_MS / 1000} s of the last restart`,
    detail: `the last one after ${seconds(Math.max(0, ...measured.map(({ lateMs }) => lateMs)))}`,
    faults: late.map(({ run }) => `${run.id} is ${run.status}, ended ${run.finished_at ?? 'never'} (${run.workflow})`),
  };
}

/** B3OS is asked for a run of ours that it does not know for 30 s; whoever looked sooner sees it open. */
function mayStillBeAsked({ client, begun }: Story): boolean {
  return client.planned.kind === 'b3os' && begun === 0;
}

function judgeEachRestart({ kills, ready, readAt }: PlayedKills, stories: readonly Story[]): Check {
  const measured = stories.flatMap((story) =>
    story.runs.flatMap((run) => {
      const kill = firstKillDuring(run, kills);
      const restart = kill && ready.find(({ at }) => at >= kill.at);
      return restart ? [{ run, lateMs: latenessOf(run, story, { restartedAt: restart.at, readAt }) }] : [];
    }),
  );
  const late = measured.filter(({ lateMs }) => lateMs > END_PATIENCE_MS);
  return {
    name: `every run that a kill met has ended within ${END_PATIENCE_MS / 1000} s of the restart after it`,
    detail: `${measured.length} runs, the last one after ${seconds(Math.max(0, ...measured.map(({ lateMs }) => lateMs)))}`,
    faults: late.map(({ run, lateMs }) => `${run.id} ended after ${seconds(lateMs)} (${run.workflow}, ${endOf(run)})`),
  };
}

/** Milliseconds from the restart, or from the vendor's end where that is later, to the run's end; to now where it is open. */
function latenessOf(
  run: RenderedRun,
  { client, starts }: Story,
  { restartedAt, readAt }: { restartedAt: number; readAt: number },
): number {
  const start = starts.at(-1);
  const vendorEndedAt = start ? Date.parse(start.at) + client.planned.shape.vendorMs : 0;
  const endedAt = run.finished_at === null ? readAt : Date.parse(run.finished_at);
  return endedAt - Math.max(restartedAt, vendorEndedAt);
}

function firstKillDuring(run: RenderedRun, kills: readonly Kill[]): Kill | undefined {
  const createdAt = Date.parse(run.created_at);
  const endedAt = run.finished_at === null ? Number.POSITIVE_INFINITY : Date.parse(run.finished_at);
  return kills.find(({ at, goneAt }) => createdAt <= goneAt && endedAt >= at);
}

function judgeAgreement({ kills }: PlayedKills, stories: readonly Story[]): Check {
  const faults = stories.flatMap((story) =>
    story.runs.flatMap((run) => {
      const allowed = allowedEnds(story, firstKillDuring(run, kills) !== undefined);
      if (run.finished_at === null || allowed.includes(endOf(run))) return [];
      const { marker, kind } = story.client.planned;
      return [
        `${marker} at ${kind} (${run.workflow}): ended ${endOf(run)}, ${story.begun} begun, not ${allowed.join(' or ')}`,
      ];
    }),
  );
  const unknown = stories.flatMap(({ runs }) => runs).filter((run) => endOf(run) === 'outcome_unknown').length;
  return { name: 'each end says what the vendor did', detail: `${unknown} ended outcome_unknown`, faults };
}

/** Ends that only a run has which began. */
const ENDS_OF_BEGUN: readonly string[] = ['succeeded', 'cancelled', 'workflow_failed'];

function allowedEnds({ client: { planned }, begun }: Story, met: boolean): string[] {
  const { shape, kind } = planned;
  const undisturbed = ENDS_OF_BEGUN.includes(shape.end) && begun === 0 ? [] : [shape.end];
  if (!met) return undisturbed;
  // B3OS is asked by our id: it knows the run or it does not, whatever its first answer was.
  if (kind === 'b3os' && begun > 0)
    return shape.end === 'upstream_unavailable' ? [shape.end, 'succeeded'] : [shape.end];
  return [...undisturbed, 'outcome_unknown'];
}

function judgeRestarts({ kills, ready }: PlayedKills): Check {
  const slow = ready.filter(({ tookMs }) => tookMs > READY_MS_MAX);
  const took = ready.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  const middle = Math.round(took[Math.floor(took.length / 2)] ?? 0);
  return {
    name: 'a kill frees the database at once, and the next process is ready',
    detail: `${kills.length} kills, ${ready.length} times ready, after ${middle} ms (median) to ${Math.round(took.at(-1) ?? 0)} ms`,
    faults: [
      ...kills.flatMap(({ lockFree }, i) => (lockFree ? [] : [`kill ${i + 1}: the serve lock was still held`])),
      ...slow.map(({ tookMs }) => `a process was ready only after ${seconds(tookMs)}`),
    ],
  };
}

/** The test itself must bite: kills that meet no run prove nothing. */
function judgeHealth({ complaints, kills }: PlayedKills, stories: readonly Story[]): Check {
  const met = stories.flatMap(({ runs }) => runs).filter((run) => firstKillDuring(run, kills) !== undefined).length;
  return {
    name: 'kills met runs under way, and no process complained',
    detail: `${met} runs met a kill`,
    faults: [...(met === 0 ? ['no kill met a run'] : []), ...complaints],
  };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
