import type { Clock } from '../../core/clock.ts';
import { firstRunIdAt, type RunId } from '../../core/ids.ts';
import { hasEnded, type Run } from '../../runs/model.ts';
import type {
  Change,
  Claimed,
  CountedStart,
  IdempotencyClaim,
  NewRun,
  RunStore,
  UnfinishedRun,
} from '../../runs/ports.ts';
import { deliveryRows } from './delivery-row.ts';
import { createDeliveryMethods } from './delivery-store.ts';
import { outputRows, placeEvents } from './event-log.ts';
import { fullProviders } from './execute-claim-operation.ts';
import type { Hints } from './hints.ts';
import { listRuns } from './list-runs.ts';
import type { ClaimRow, CountedRow, Move, Row } from './operations.ts';
import { createPurge } from './purge-runs.ts';
import { eventsAfter, findByKey, getRun, queuedShares, recentStarts, runOf } from './read-runs.ts';
import type { Reader } from './reader.ts';
import * as rows from './run-row.ts';
import { changedRun, firstSnapshot } from './run-snapshot.ts';
import { createUsage } from './usage.ts';
import type { Writer } from './writer.ts';

export interface RunStoreParts {
  writer: Writer;
  reader: Reader;
  hints: Hints;
  clock: Clock;
  /** How long an idempotency key is kept at least. */
  idempotencyMs: number;
  /** The serve lock is held, so every other owner is dead. */
  alone: boolean;
}

/** Runs in SQLite. Whole rows are computed here from the caller's snapshot; compare-and-set in SQL makes that safe. */
export function createRunStore(parts: RunStoreParts): RunStore {
  const { writer, reader, hints, clock } = parts;
  const purge = createPurge(parts);
  return {
    create: (run, options) => create(parts, run, options),
    move: (from, change) => move(parts, from, change),
    moveOnce: (from, change, idempotency) => moveOnce(parts, from.run, { change, idempotency }),
    async append(id, owner, events) {
      const seq = await writer.write('append', id, owner, outputRows(events));
      if (seq === null) return 'stale';
      hints.changed(id);
      return seq;
    },
    async remove(id) {
      const result = await writer.write('remove', id);
      if (result === 'removed') hints.changed(id);
      return result;
    },
    async resolve(id, resolution) {
      if ((await writer.write('run', 'resolveRun', [JSON.stringify(resolution), id])) === 0) return null;
      hints.changed(id);
      return reader.read((statements) => runOf(statements.run.get(id)));
    },
    async countedRuns({ lineage, day, tokenId }) {
      return reader.read(({ runsOfDay, runsOfToken }) => ({
        ofDay: (runsOfDay.get(day, lineage)?.[0] as number | undefined) ?? 0,
        ofToken: tokenId === null ? 0 : ((runsOfToken.get(tokenId)?.[0] as number | undefined) ?? 0),
      }));
    },
    async findByKey(claim) {
      return reader.read((statements) => findByKey(statements, claim, clock.now() - parts.idempotencyMs));
    },
    async get(id) {
      return reader.read((statements) => getRun(statements, id));
    },
    async peek(id) {
      return reader.read((statements) => runOf(statements.run.get(id)));
    },
    async list(filter, page) {
      return reader.read((statements) => listRuns(statements, filter, page));
    },
    async eventsAfter(id, seq, limit, charactersMax = Infinity) {
      return reader.read((statements) => eventsAfter(statements, id, { after: seq, limit, charactersMax }));
    },
    async findByVendorRun(provider, vendorRunId) {
      return reader.read((statements) => runOf(statements.runOfVendor.get(vendorRunId, provider)));
    },
    async hurry(id) {
      return (await writer.write('run', 'hurry', [clock.now(), id])) > 0;
    },
    async giveBackResumeKey(id, { lineage, subject, key }) {
      await writer.write('run', 'giveBackResumeKey', [lineage, subject, key, id]);
    },
    async hasten(byMs) {
      const values = [clock.now(), byMs];
      const statements = ['hastenRuns', 'hastenDeliveries', 'hastenWantedAgain'] as const;
      await Promise.all(statements.map((name) => writer.write('run', name, values)));
    },
    ...createDeliveryMethods(parts),
    async countUnfinished() {
      const [total, queued] = reader.read((statements) => statements.unfinished.get()) as [number, number];
      return { queued, total };
    },
    async claim(owner, limit, { inFlight, max } = { inFlight: new Map(), max: Infinity }) {
      if (limit <= 0) return [];
      const now = clock.now();
      const full = fullProviders(inFlight, max);
      // Nearly always nothing is due; finding that out costs no write.
      if (reader.read((statements) => statements.anyDue.get(now, full)) === null) return [];
      return (await writer.write('claim', owner, now, limit, [...inFlight], max)).map(rows.runFromRow);
    },
    async queuedShares() {
      return reader.read(queuedShares);
    },
    async claimQueued(owner, wanted) {
      const shares = wanted.filter(({ runs }) => runs > 0);
      if (shares.length === 0) return [];
      const values = shares.flatMap(({ provider, lineage, runs }) => [provider, lineage, runs]);
      return (await writer.write('claimQueued', owner, values)).map(rows.runFromRow);
    },
    async recentStarts(since) {
      return reader.read((statements) => recentStarts(statements, since));
    },
    // By way of the writer, which has a thread of its own: there may be very many.
    async unfinished() {
      return (await writer.write('unfinished')).map(unfinishedFromRow);
    },
    async reclaim(owner) {
      return parts.alone ? writer.write('reclaim', owner, clock.now()) : 0;
    },
    async beat(owner) {
      return (await writer.write('run', 'beat', [owner, clock.now()])) === 1 ? 'held' : 'lost';
    },
    async lastBeatAt() {
      const [at] = reader.read((statements) => statements.lastBeat.get()) as [number | null];
      return at;
    },
    async release(owner, except, beganBefore) {
      // Every run id is smaller than `s`.
      const before = beganBefore === undefined ? 's' : firstRunIdAt(beganBefore);
      return writer.write('release', owner, JSON.stringify(except), clock.now(), before);
    },
    watch: (hint, signal) => hints.watch(hint, signal),
    usage: createUsage(parts),
    purge,
  };
}

async function create(
  { writer, hints, clock, idempotencyMs }: RunStoreParts,
  newRun: NewRun,
  { idempotency, quota, token = null }: Parameters<RunStore['create']>[1],
): ReturnType<RunStore['create']> {
  const now = clock.now();
  const { inputs, events, dueInMs, countedStart } = newRun;
  const run = firstSnapshot(newRun, { seq: events.length, dueAt: dueInMs === null ? null : now + dueInMs });
  const place = rows.placePayload(inputs);
  // What begins a run is short, so all of it is in the row.
  const { near: log } = placeEvents(events, 1);
  const result = await writer.write(
    'create',
    rows.insertValues(run, idempotency?.key ?? null, { log, inputs: place.inRow }),
    idempotency === null ? null : startClaimRow(run, idempotency, { now, idempotencyMs }),
    place.large,
    countedStart === null ? null : countedRow(countedStart),
    quota === null ? null : [quota.day, run.lineage, quota.runsMax],
    token === null ? null : [token.id, token.runsMax, token.expiresAt],
  );
  if (result === null) {
    hints.changed(run.id);
    return { kind: 'created', run };
  }
  return result === 'over_quota' || result === 'over_token_quota' ? { kind: result } : earlierClaim(result);
}

function countedRow({ at, provider, credentialId }: CountedStart): CountedRow {
  return [at, provider, credentialId];
}

function unfinishedFromRow(row: Row): UnfinishedRun {
  const [id, status, lineage, provider, credentialId] = row;
  return { id, status, lineage, provider, credentialId } as UnfinishedRun;
}

function earlierClaim(result: 'reused' | { winner: string; run: Row | null }): Exclude<Claimed, { kind: 'created' }> {
  if (result === 'reused') return { kind: 'reused' };
  return { kind: 'same', runId: result.winner as RunId, run: runOf(result.run) };
}

interface ClaimTimes {
  now: number;
  idempotencyMs: number;
}

function startClaimRow(run: Run, claim: IdempotencyClaim, times: ClaimTimes): ClaimRow {
  // The key is given back by way of the run's own lineage and subject.
  if (claim.subject !== (run.subject ?? '')) throw anotherCaller();
  return claimRow(run, claim, times);
}

function claimRow(
  run: Run,
  { lineage, subject, key, fingerprint }: IdempotencyClaim,
  { now, idempotencyMs }: ClaimTimes,
): ClaimRow {
  if (lineage !== run.lineage) throw anotherCaller();
  return [lineage, subject, key, run.id, fingerprint, now, now - idempotencyMs];
}

function anotherCaller(): Error {
  return new Error('the claim belongs to another caller');
}

async function move(
  { writer, hints, clock }: RunStoreParts,
  from: Parameters<RunStore['move']>[0],
  change: Change,
): Promise<Run | 'stale'> {
  if (hasEnded(from.run)) return 'stale';
  const now = clock.now();
  const next = changedRun(from.run, change, now);
  if ((await writer.write('move', ...moveOperation(from, change, { next, now }))) === null) return 'stale';
  hints.changed(next.id);
  return next;
}

async function moveOnce(
  { writer, hints, clock, idempotencyMs }: RunStoreParts,
  run: Run,
  { change, idempotency }: { change: Change; idempotency: IdempotencyClaim },
): ReturnType<RunStore['moveOnce']> {
  const now = clock.now();
  const next = changedRun(run, change, now);
  const claim = claimRow(run, idempotency, { now, idempotencyMs });
  const result = await writer.write('moveOnce', claim, ...moveOperation({ run }, change, { next, now }));
  if (result === null) return 'stale';
  if (typeof result !== 'number') return earlierClaim(result);
  hints.changed(next.id);
  return { kind: 'moved', run: next };
}

function moveOperation(
  { run, owner }: Parameters<RunStore['move']>[0],
  change: Change,
  { next, now }: { next: Run; now: number },
): Move {
  const place = change.output === undefined ? null : rows.placePayload(change.output);
  const events = placeEvents(change.events, run.seq + 1);
  return [
    [
      next.seq,
      next.status,
      next.provider,
      next.workflow,
      next.owner,
      next.dueAt,
      next.finishedAt,
      rows.findableVendorRunId(next),
      rows.touchesPinned(change.patch) ? rows.pinnedText(next) : null,
      rows.stateText(next),
      place?.inRow ?? null,
      events.near,
      next.id,
      run.version,
      run.seq,
      owner ?? null,
    ],
    events.far,
    place?.large ?? null,
    change.giveBackKey ?? null,
    deliveryRows(change.deliveries, now),
    change.countedStart === undefined ? null : countedRow(change.countedStart),
  ];
}
