import { createAttendances } from '../../src/runs/attendance.ts';
import type { Clock } from '../../src/core/clock.ts';
import type { RunId } from '../../src/core/ids.ts';
import type { Json } from '../../src/core/json.ts';
import { createFeed, type Feed } from '../../src/runs/feed.ts';
import {
  EVENT_TYPES,
  hasEnded,
  type EventType,
  type Run,
  type RunEvent,
  type RunWithPayloads,
} from '../../src/runs/model.ts';
import type { RunService } from '../../src/runs/run-service.ts';
import { engineLimits } from './engine-limits.ts';

const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** The event logs of runs in memory, with a real feed on them. */
export interface MemoryLog extends Pick<RunService, 'attend'> {
  readonly feed: Feed;
  /** What the feed has asked for, so that a test can count. */
  readonly reads: { eventsAfter: number; get: number };
  append(id: RunId, type: EventType, data?: Json): void;
  events(id: RunId, after: number, limit: number): RunEvent[];
  follow: Feed['follow'];
  /** A turn of the sweep. */
  sweep(): void;
  forget(id: RunId): void;
}

export interface MemoryLogParts {
  runs: Map<RunId, RunWithPayloads>;
  clock: Pick<Clock, 'now' | 'monotonic'>;
  cancel: (id: RunId) => Promise<Pick<Run, 'status'>>;
  limits?: Parameters<typeof engineLimits>[0];
}

export function createMemoryLog({ runs, clock, cancel, limits }: MemoryLogParts): MemoryLog {
  const logs = new Map<RunId, RunEvent[]>();
  const reads = { eventsAfter: 0, get: 0 };
  const events: MemoryLog['events'] = (id, after, limit) =>
    (logs.get(id) ?? []).filter(({ seq }) => seq > after).slice(0, limit);
  const store = {
    async get(id: RunId) {
      reads.get++;
      return runs.get(id) ?? null;
    },
    peek: async (id: RunId) => runs.get(id) ?? null,
    async eventsAfter(id: RunId, after: number, limit: number) {
      reads.eventsAfter++;
      return events(id, after, limit);
    },
  };
  const feed = createFeed({ store, clock, log: SILENT, limits: engineLimits(limits) });
  const attendances = createAttendances({ clock, log: SILENT, isFollowed: (id) => feed.isFollowed(id), cancel });
  return {
    feed,
    reads,
    append(id, type, data = {}) {
      const run = runs.get(id);
      if (!run) return;
      const log = logs.get(id) ?? [];
      const isEnd = hasEnded({ status: statusOf(type) });
      log.push({ seq: log.length + 1, type, at: clock.now(), data: isEnd ? null : data });
      logs.set(id, log);
      runs.set(id, { ...run, seq: log.length });
      feed.changed(id);
    },
    events,
    follow(run, after, reader) {
      attendances.followed(run.id);
      return feed.follow(run, after, reader);
    },
    attend: (run, joined) => attendances.attend(run, joined),
    sweep() {
      feed.sweep();
      attendances.sweep();
    },
    forget: (id) => void logs.delete(id),
  };
}

/** The event that says that a run has become so; null where none does. */
export function eventOf(status: RunWithPayloads['status']): EventType | null {
  const type = `run.${status === 'running' ? 'started' : status}`;
  return EVENT_TYPES.find((known) => known === type) ?? null;
}

function statusOf(type: EventType): RunWithPayloads['status'] {
  return type.slice('run.'.length) as RunWithPayloads['status'];
}
