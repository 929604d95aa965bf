import { beforeEach, describe, expect, it } from 'vitest';
import { GatewayError } from '../../../src/core/errors.ts';
import { createIds, type RunId } from '../../../src/core/ids.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { createFeed, type Feed } from '../../../src/runs/feed.ts';
import type { EventType, RunEvent, RunWithPayloads } from '../../../src/runs/model.ts';
import type { EventReader, Following } from '../../../src/runs/run-service.ts';
import { newRun } from '../../contract/store/sample-run.ts';

const SLOW_MS = 10_000;
const ids = createIds({ clock: systemClock, random: createSystemRandom() });

/** A store of one run, whose reads are counted and can be held up or refused. */
function createLog() {
  const id = ids.run();
  const events: RunEvent[] = [];
  const reads = { eventsAfter: 0, get: 0, peek: 0 };
  let run: RunWithPayloads | null = {
    ...newRun(id, 1_769_860_800_000),
    seq: 0,
    version: 1,
    dueAt: null,
    output: null,
  };
  let down = false;
  let gate: Promise<void> | null = null;
  async function answer<T>(value: () => T): Promise<T> {
    if (down) throw new GatewayError('store_unavailable');
    const result = value();
    await gate;
    return result;
  }
  return {
    id,
    reads,
    run: () => run as RunWithPayloads,
    add(type: EventType = 'run.output.delta', data: RunEvent['data'] = { text: 'x' }) {
      const seq = events.length + 1;
      events.push({ seq, type, at: 1_769_860_800_000 + seq, data });
      if (run)
        run = {
          ...run,
          seq,
          status: type === 'run.succeeded' ? 'succeeded' : run.status,
          resolution: { note: 'later' },
        };
    },
    remove() {
      run = null;
      events.length = 0;
    },
    down: (is: boolean) => (down = is),
    /** What is read from now on arrives when the returned function is called. */
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate = promise;
      return () => {
        gate = null;
        resolve();
      };
    },
    store: {
      async get(_id: RunId) {
        reads.get++;
        return answer(() => run);
      },
      async peek(_id: RunId) {
        reads.peek++;
        return answer(() => run);
      },
      async eventsAfter(_id: RunId, after: number, limit: number) {
        reads.eventsAfter++;
        return answer(() => events.filter(({ seq }) => seq > after).slice(0, limit));
      },
    },
  };
}

/** Keeps what it is told; takes no more while `full`. */
function createReader() {
  const reader = {
    text: '',
    closed: null as string | null,
    full: false,
    write(frames: string) {
      reader.text += frames;
      return !reader.full;
    },
    close(reason: string) {
      reader.closed = reason;
    },
    seqs: () => Array.from(reader.text.matchAll(/^id: (\d+)$/gm), ([, seq]) => Number(seq)),
  };
  return reader satisfies EventReader;
}

const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, i) => first + i);
/** Lets everything that is under way come to rest. */
const rest = () => new Promise((resolve) => setImmediate(resolve));

let nowMs: number;
let log: ReturnType<typeof createLog>;
let feed: Feed;
let warnings: number;

beforeEach(() => {
  nowMs = 1_000;
  warnings = 0;
  log = createLog();
  const warn = () => void warnings++;
  feed = createFeed({
    store: log.store,
    clock: { monotonic: () => nowMs },
    log: { debug: warn, info: warn, warn, error: warn },
    limits: { readerBufferCharacters: 1_000, slowReaderMs: SLOW_MS },
  });
});

function follow(after = 0, reader = createReader()) {
  const following = feed.follow(log.run(), after, reader);
  return { reader, following: following as Following, ended: following === 'ended' };
}

async function happen(...types: EventType[]) {
  for (const type of types) log.add(type);
  feed.changed(log.id);
  await rest();
}

describe('a follower', () => {
  it('is told what was, then what comes, and is closed after the end', async () => {
    log.add('run.created', {});
    const { reader } = follow();
    await rest();
    expect(reader.seqs()).toEqual([1]);
    await happen('run.started');
    await happen('run.output.delta', 'run.output.delta');
    expect(reader.seqs()).toEqual([1, 2, 3, 4]);
    expect(reader.closed).toBeNull();
    await happen('run.succeeded');
    expect(reader.seqs()).toEqual([1, 2, 3, 4, 5]);
    expect(reader.closed).toBe('done');
    expect([feed.size(), feed.isFollowed(log.id)]).toEqual([0, false]);
  });

  it('is told frames as the contract writes them, the end with the run and no resolution', async () => {
    log.add('run.output.delta', { text: 'a\nb' });
    log.add('run.succeeded');
    const { reader } = follow();
    await rest();
    const [delta = '', end = ''] = reader.text.split('\n\n');
    const at = '2026-01-31T12:00:00.001Z';
    const told = { run_id: log.id, seq: 1, type: 'run.output.delta', at, data: { text: 'a\nb' } };
    expect(delta).toBe(`id: 1\nevent: run.output.delta\ndata: ${JSON.stringify(told)}`);
    const { data } = JSON.parse(end.split('data: ')[1] ?? '') as { data: { run: { resolution: unknown; id: string } } };
    expect([data.run.id, data.run.resolution]).toEqual([log.id, null]);
  });

  it.each([0, 1, 99, 100, 101, 250, 349])('that comes back behind %d misses nothing', async (after) => {
    for (let i = 0; i < 349; i++) log.add();
    const { reader } = follow(after);
    await rest();
    await happen('run.succeeded');
    await rest();
    expect(reader.seqs()).toEqual(upTo(350, after + 1));
    expect(reader.closed).toBe('done');
  });

  it('misses nothing that happens between the reading of the run and its coming', async () => {
    log.add('run.created');
    const stale = log.run();
    log.add('run.started');
    const reader = createReader();
    feed.follow(stale, 0, reader);
    await rest();
    expect(reader.seqs()).toEqual([1, 2]);
  });

  it('misses nothing that happens while its first page is read, and is told nothing twice', async () => {
    log.add('run.created');
    const release = log.hold();
    const { reader } = follow();
    log.add('run.started');
    feed.changed(log.id);
    release();
    await rest();
    expect(reader.seqs()).toEqual([1, 2]);
  });

  it('that has seen what others have not been told yet is told only what is new to it', async () => {
    log.add('run.created');
    const first = follow();
    await rest();
    log.add('run.started');
    const ahead = follow(2);
    await happen('run.output.delta');
    expect(first.reader.seqs()).toEqual([1, 2, 3]);
    expect(ahead.reader.seqs()).toEqual([3]);
  });

  it('hears of what was not hinted at within a second', async () => {
    const { reader } = follow();
    await rest();
    log.add();
    nowMs += 999;
    feed.sweep();
    await rest();
    expect(reader.seqs()).toEqual([]);
    nowMs += 1;
    feed.sweep();
    await rest();
    expect(reader.seqs()).toEqual([1]);
  });

  it('hears at the next sweep of what another process wrote', async () => {
    const { reader } = follow();
    await rest();
    log.add();
    feed.changed(null);
    feed.sweep();
    await rest();
    expect(reader.seqs()).toEqual([1]);
  });

  it('behind the end is told that there is nothing, and one beyond the log is refused', async () => {
    log.add();
    expect(() => follow(2)).toThrow(expect.objectContaining({ code: 'invalid_request' }));
    log.add('run.succeeded');
    expect(follow(2).ended).toBe(true);
    expect(() => follow(3)).toThrow(GatewayError);
    expect(feed.size()).toBe(0);
    expect(feed.isFollowed(log.id)).toBe(false);
  });

  it('that leaves is told nothing more', async () => {
    log.add();
    const { reader, following } = follow();
    following.stop();
    await happen('run.succeeded');
    expect([reader.text, reader.closed, feed.size()]).toEqual(['', null, 0]);
  });

  it('gets a comment every 15 s', async () => {
    const { reader } = follow();
    for (const [ms, comments] of [
      [14_999, 0],
      [1, 1],
      [14_999, 1],
      [1, 2],
    ] as const) {
      nowMs += ms;
      feed.sweep();
      expect(reader.text.split(': keep-alive\n\n')).toHaveLength(comments + 1);
    }
  });
});

describe('many followers of one run', () => {
  it('cost one read of the log an event, and one read of the run at its end', async () => {
    log.add('run.created');
    const readers = Array.from({ length: 2_000 }, () => follow().reader);
    await rest();
    log.reads.eventsAfter = 0;
    for (let i = 0; i < 20; i++) await happen('run.output.delta');
    expect(log.reads.eventsAfter).toBe(20);
    await happen('run.succeeded');
    expect([log.reads.eventsAfter, log.reads.get]).toEqual([21, 1]);
    for (const reader of readers) expect([reader.closed, reader.text]).toEqual(['done', readers[0]?.text]);
    expect(readers[0]?.seqs()).toEqual(upTo(22));
  });

  it('are told the end of one reading of the run, wherever they are', async () => {
    for (let i = 0; i < 10; i++) log.add();
    log.add('run.succeeded');
    const readers = upTo(10).map((after) => follow(after).reader);
    await rest();
    expect(readers.map((reader) => reader.closed)).toEqual(readers.map(() => 'done'));
    expect(log.reads.get).toBe(1);
  });
});

describe('a reader that takes no more', () => {
  it('keeps its place, and goes on from there', async () => {
    const { reader, following } = follow();
    reader.full = true;
    await happen('run.created');
    for (let i = 0; i < 200; i++) await happen('run.output.delta');
    expect(reader.seqs()).toEqual([1]);
    reader.full = false;
    following.drained();
    await rest();
    await happen('run.succeeded');
    await rest();
    expect(reader.seqs()).toEqual(upTo(202));
    expect(reader.closed).toBe('done');
  });

  it('is given a bounded text at once', async () => {
    for (let i = 0; i < 90; i++) log.add('run.output.delta', { text: 'x'.repeat(100) });
    const { reader } = follow();
    reader.full = true;
    await rest();
    expect(reader.text.length).toBeGreaterThan(100);
    expect(reader.text.length).toBeLessThanOrEqual(1_000);
  });

  it('is cut off after a while, and told where to come back', async () => {
    const { reader } = follow();
    reader.full = true;
    await happen('run.created', 'run.started');
    nowMs += SLOW_MS - 1;
    feed.sweep();
    expect(reader.closed).toBeNull();
    nowMs += 1;
    feed.sweep();
    expect(reader.closed).toBe('slow');
    expect(reader.text).toMatch(/\n\n: [^\n]*Last-Event-ID: 2\n\n$/);
    expect(reader.text).not.toContain('keep-alive');
    const again = follow(2);
    await happen('run.succeeded');
    expect(again.reader.seqs()).toEqual([3]);
  });

  it('at the end is closed once it has taken it', async () => {
    const { reader, following } = follow();
    reader.full = true;
    await happen('run.succeeded');
    expect(reader.closed).toBeNull();
    following.drained();
    expect([reader.closed, reader.seqs()]).toEqual(['done', [1]]);
  });
});

describe('a store that is down', () => {
  it('is asked again, and nothing is lost', async () => {
    log.add('run.created');
    log.down(true);
    const { reader } = follow();
    await rest();
    feed.sweep();
    await rest();
    expect([reader.text, reader.closed]).toEqual(['', null]);
    expect(warnings).toBe(1);
    log.down(false);
    log.add('run.started');
    feed.sweep();
    await rest();
    expect(reader.seqs()).toEqual([1, 2]);
  });

  it('at the end of a run delays the end', async () => {
    const { reader } = follow();
    await rest();
    log.down(true);
    await happen('run.succeeded');
    expect(reader.closed).toBeNull();
    log.down(false);
    nowMs += 200;
    feed.sweep();
    await rest();
    expect([reader.seqs(), reader.closed]).toEqual([[1], 'done']);
  });
});

describe('a run that is deleted', () => {
  it('while it is followed lets its followers go', async () => {
    log.add('run.created');
    const { reader } = follow();
    await rest();
    log.remove();
    nowMs += 15_000;
    feed.sweep();
    await rest();
    expect([reader.closed, feed.size()]).toEqual(['done', 0]);
  });

  it('while its log is read lets its followers go', async () => {
    log.add('run.created');
    const release = log.hold();
    const { reader } = follow();
    log.remove();
    release();
    await rest();
    nowMs += 15_000;
    feed.sweep();
    await rest();
    expect([reader.closed, feed.size()]).toEqual(['done', 0]);
  });
});

describe('a drain', () => {
  it('tells everybody to come back, not all at once', async () => {
    log.add('run.created');
    const readers = upTo(10).map(() => follow().reader);
    await rest();
    feed.releaseAll();
    const retries = readers.map(({ text }) => Number(/^retry: (\d+)$/m.exec(text)?.[1]));
    expect(readers.map(({ closed }) => closed)).toEqual(readers.map(() => 'drain'));
    expect(new Set(retries).size).toBe(10);
    expect(Math.min(...retries)).toBeGreaterThanOrEqual(1_000);
    expect(readers[0]?.text).toMatch(/Last-Event-ID: 1\n/);
    expect(feed.size()).toBe(0);
  });

  it('tells who comes later what there is, and then to come back', async () => {
    for (let i = 0; i < 250; i++) log.add();
    feed.releaseAll();
    const { reader } = follow();
    await rest();
    expect(reader.seqs()).toEqual(upTo(250));
    expect(reader.closed).toBe('drain');
    const slow = createReader();
    slow.full = true;
    follow(0, slow);
    await rest();
    expect([slow.closed, feed.size()]).toEqual(['drain', 0]);
  });

  it('does not keep anybody from the end of a run', async () => {
    log.add('run.succeeded');
    feed.releaseAll();
    const { reader } = follow();
    await rest();
    expect([reader.seqs(), reader.closed]).toEqual([[1], 'done']);
  });
});
