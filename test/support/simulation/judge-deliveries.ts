import { isoTime } from '../../../src/core/iso-time.ts';
import type { RunId } from '../../../src/core/ids.ts';
import { hasEnded, type Delivery, type Run } from '../../../src/runs/model.ts';
import { renderRun } from '../../../src/runs/render-run.ts';
import { wantedOf, type DeliveryNoted } from './journal-deliveries.ts';
import type { Journal, RunHistory } from './journal.ts';

/** What the rules about messages to webhooks look at. */
export interface DeliveriesPlayed {
  histories: readonly RunHistory[];
  journal: Pick<Journal, 'deliveries' | 'removed'>;
  deliveries: ReadonlyMap<RunId, readonly Delivery[]>;
}

/** Seconds after a failed try, as the contract has them. */
const LADDER_S = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000];

/** What does not hold of messages to webhooks, as sentences. */
export function judgeDeliveries({ histories, journal, deliveries }: DeliveriesPlayed): string[] {
  const faults: string[] = [];
  const byId = Map.groupBy(journal.deliveries, ({ id }) => id);
  const runs = new Map(histories.map((history) => [history.run.id, history]));
  const known = new Set<string>();
  for (const [runId, rows] of deliveries) {
    const history = runs.get(runId);
    if (!history) {
      // Of a run that was begun late.
      for (const { id } of rows) known.add(id);
      continue;
    }
    faults.push(...judgeRows(history, rows).map((fault) => `${runId}: ${fault}`));
    for (const row of rows) {
      if (known.has(row.id)) faults.push(`${row.id}: two messages have this id`);
      known.add(row.id);
      const noted = byId.get(row.id) ?? [];
      faults.push(...judgeMessage(row, history, noted).map((fault) => `${row.id} (${row.event}): ${fault}`));
    }
  }
  for (const [id, noted] of byId) {
    faults.push(...judgeTries(noted).map((fault) => `${id}: ${fault}`));
    const isOfRemoved = [...journal.removed.keys()].some((runId) => id.includes(runId.slice('run_'.length)));
    if (!known.has(id) && !isOfRemoved) faults.push(`${id}: it was sent, and nobody wrote it`);
  }
  return [...faults, ...judgeGone(journal.deliveries)];
}

/** Each event that the webhook wants has its message, in the same order. */
function judgeRows({ run, events }: RunHistory, rows: readonly Delivery[]): string[] {
  const wanted = wantedOf(run, events).join();
  const written = rows.map(({ event }) => event).join();
  return wanted === written ? [] : [`its events want messages of ${wanted}, and it has ${written}`];
}

function judgeMessage(row: Delivery, { run }: RunHistory, noted: readonly DeliveryNoted[]): string[] {
  const faults: string[] = [];
  const posts = noted.filter((entry) => entry.is === 'posted');
  const statuses = noted.flatMap((entry) => (entry.is === 'answered' && entry.status !== null ? [entry.status] : []));
  const [first] = posts;
  if (posts.some(({ body }) => body !== first?.body)) faults.push('it was sent with two texts');
  if (first) faults.push(...judgeText(first.body, row, run));
  const wasTaken = statuses.some((status) => status >= 200 && status <= 299);
  if (row.status === 'delivered' && !wasTaken) faults.push('it counts as delivered, and nobody took it');
  if (row.status === 'failed' && row.tries !== LADDER_S.length + 1)
    faults.push(`it was given up after ${row.tries} tries`);
  if (row.status === 'pending') faults.push('it is pending for ever');
  const again = noted.findLastIndex((entry) => entry.is === 'redelivered');
  // One that was under way is not what was asked for.
  const taken = noted.findIndex(({ is }, i) => i > again && is === 'claimed');
  const isSentAfter = taken >= 0 && noted.slice(taken).some(({ is }) => is === 'posted');
  if (again >= 0 && row.status !== 'gone' && !isSentAfter) faults.push('it was to be sent again, and was not');
  return faults;
}

function judgeText(text: string, row: Delivery, run: RunHistory['run']): string[] {
  const { type, timestamp, data } = JSON.parse(text) as {
    type: string;
    timestamp: string;
    data: Record<string, unknown>;
  };
  if (type !== row.event || timestamp !== isoTime(row.createdAt)) return [`it says ${type} at ${timestamp}`];
  if (data['id'] !== run.id || `run.${String(data['status'])}` !== row.event)
    return [`it says that ${String(data['id'])} is ${String(data['status'])}`];
  if (!hasEnded({ status: data['status'] as Run['status'] }))
    return data['waiting'] === null ? ['it waits for nothing'] : [];
  const rendered = renderRun({ ...run, resolution: null }, { include: { inputs: true, output: true }, showKey: false });
  return JSON.stringify(data) === JSON.stringify(rendered) ? [] : ['it says something else than the run'];
}

/** Each try comes after its step of the ladder, and one after the other. */
function judgeTries(noted: readonly DeliveryNoted[]): string[] {
  const faults: string[] = [];
  let failed = 0;
  let notBefore = 0;
  let isWanted = false;
  let underWay: { process: number; number: number } | null = null;
  for (const entry of noted) {
    switch (entry.is) {
      case 'posted':
        // Where somebody wants it again while it is tried, the next try may have been taken up already.
        if (entry.at < notBefore && !isWanted)
          faults.push(`try ${failed + 1} came ${notBefore - entry.at} ms too early`);
        if (underWay?.process === entry.process) faults.push('two tries were under way at once');
        underWay = entry;
        isWanted = false;
        break;
      case 'answered':
        if (underWay?.number === entry.number) underWay = null;
        break;
      case 'settled':
        if (entry.status !== 'pending') break;
        notBefore = entry.at + (LADDER_S[failed] ?? Infinity) * 1000;
        failed += 1;
        break;
      case 'redelivered':
        underWay = null;
        failed = 0;
        notBefore = 0;
        isWanted = true;
        break;
      case 'claimed':
        break;
    }
  }
  return faults;
}

/** After a 410 nothing goes to the run's target any more, but what was taken up before and what somebody asks for again. */
function judgeGone(noted: readonly DeliveryNoted[]): string[] {
  const faults: string[] = [];
  const gone = new Set<RunId>();
  for (const entry of noted) {
    switch (entry.is) {
      case 'claimed':
        if (gone.has(entry.runId)) faults.push(`${entry.id}: its target was gone, and it was taken up`);
        break;
      case 'settled':
        if (entry.status === 'gone') gone.add(entry.runId);
        break;
      case 'redelivered':
        // Whoever asks for it again believes that there is somebody.
        gone.delete(entry.runId);
        break;
      case 'posted':
      case 'answered':
        break;
    }
  }
  return faults;
}
