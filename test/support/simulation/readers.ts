import type { Caller } from '../../../src/core/caller.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import type { RunId } from '../../../src/core/ids.ts';
import type { EventReader, Following, RunService } from '../../../src/runs/run-service.ts';
import type { AttendanceNoted, Journal } from './journal.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedClock } from './simulated-clock.ts';

/** An event as a reader was told it. */
export interface Told {
  seq: number;
  type: string;
  at: string;
  data: unknown;
}

/** Somebody who reads a run's events over all their connections. */
export interface Reader {
  readonly runId: RunId;
  /** Everything that they have kept, in order. */
  readonly seen: Told[];
  /** `done`: they were told that nothing more comes. `gone`: they have left for good, or the run is deleted. */
  state: 'reading' | 'done' | 'gone';
}

/** The process that serves now, as its clients see it. */
export interface Serving {
  readonly number: number;
  readonly service: RunService;
  readonly alive: () => boolean;
}

export interface Readers {
  readonly all: readonly Reader[];
  /** Begins to read at once. */
  read(id: RunId, options: ReaderOptions): void;
  /** The connections of a process break off. */
  cut(process: number): void;
  /** Connections of a process that are open. */
  open(process: number): number;
}

export interface ReaderOptions {
  /** Of the request that has begun the run; told once, how its connection ended. */
  attends?: (how: 'left' | 'answered') => void;
}

interface ReadersParts {
  clock: SimulatedClock;
  random: SeededRandom;
  journal: Journal;
  serving: () => Serving;
  caller: Caller;
  /** After so long nobody leaves any more. */
  untilMs: number;
}

interface Connection {
  readonly reader: Reader;
  readonly process: number;
  state: 'open' | 'full' | 'over';
  /** The last event that was written to it. */
  seq: number;
  following: Following | null;
}

const FRAME = /^id: (\d+)\nevent: (\S+)\ndata: (.*)$/;
const COMES_BACK = /^: (?:this gateway stops|too slow); come back with Last-Event-ID: (\d+)/;

/** Readers who leave and come back whenever they like, with the last event that they have kept. */
export function createReaders(parts: ReadersParts): Readers {
  const { clock, random, journal } = parts;
  const all: Reader[] = [];
  const connections = new Set<Connection>();
  /** What was told of each event first: it must never be told otherwise. */
  const texts = new Map<string, string>();

  const complain = (reader: Reader, text: string) =>
    void journal.complaints.push(`a reader of ${reader.runId} ${text}`);

  function note(is: AttendanceNoted['is'], { process, reader }: Connection): void {
    journal.attendance.push({ is, at: clock.now(), process, id: reader.runId });
  }

  function take(connection: Connection, frames: string): void {
    const { reader } = connection;
    for (const text of frames.split('\n\n').slice(0, -1)) {
      const comeBack = COMES_BACK.exec(text);
      if (comeBack && Number(comeBack[1]) !== connection.seq)
        complain(reader, `was at ${connection.seq} and is to come back with ${comeBack[1]}`);
      if (text.startsWith(':')) continue;
      const [, id, type = '', data = ''] = FRAME.exec(text) ?? [];
      if (id === undefined) return complain(reader, `was told ${text.slice(0, 80)}`);
      const seq = Number(id);
      if (connection.state === 'full') complain(reader, `was told ${seq} although it took no more`);
      if (seq !== connection.seq + 1) complain(reader, `was told ${seq} after ${connection.seq}`);
      connection.seq = seq;
      const key = `${reader.runId} ${seq}`;
      if ((texts.get(key) ?? text) !== text) complain(reader, `was told ${seq} otherwise than before`);
      texts.set(key, text);
      reader.seen.push(told(seq, type, data));
    }
  }

  /** What was under way when a connection breaks does not arrive. */
  function lose({ seen }: Reader): void {
    if (random.chance(0.3)) seen.splice(Math.max(0, seen.length - random.below(4)));
  }

  function over(connection: Connection): boolean {
    if (connection.state === 'over') return false;
    connection.state = 'over';
    connections.delete(connection);
    if (connection.following) note('unfollowed', connection);
    return true;
  }

  function comeBack(reader: Reader): void {
    const ms = random.below(random.chance(0.2) ? 8_000 : 1_500);
    clock.after(ms, () => connect(reader));
  }

  function readerOf(connection: Connection, attends: ReaderOptions['attends']): EventReader {
    const { reader } = connection;
    return {
      write(frames) {
        if (connection.state === 'over') return false;
        take(connection, frames);
        if (random.chance(0.85)) return connection.state === 'open';
        if (connection.state === 'open') {
          connection.state = 'full';
          const forEver = random.chance(0.1) && clock.monotonic() < parts.untilMs;
          if (!forEver) clock.after(random.below(3_000), () => drained(connection));
        }
        return false;
      },
      close(reason) {
        if (!over(connection)) return;
        attends?.('answered');
        if (reason === 'done') reader.state = 'done';
        else comeBack(reader);
      },
    };
  }

  function drained(connection: Connection): void {
    if (connection.state !== 'full') return;
    connection.state = 'open';
    connection.following?.drained();
  }

  function leave(connection: Connection, attends: ReaderOptions['attends']): void {
    if (!over(connection)) return;
    connection.following?.stop();
    attends?.('left');
    lose(connection.reader);
    if (random.chance(0.2)) connection.reader.state = 'gone';
    else comeBack(connection.reader);
  }

  function connect(reader: Reader, { attends }: ReaderOptions = {}): void {
    if (reader.state !== 'reading') return;
    const { number, service } = parts.serving();
    const seq = reader.seen.at(-1)?.seq ?? 0;
    const connection: Connection = { reader, process: number, state: 'open', seq, following: null };
    connections.add(connection);
    service.follow(parts.caller, reader.runId, seq, readerOf(connection, attends)).then(
      (following) => {
        if (following === 'ended') {
          if (!over(connection)) return;
          reader.state = 'done';
          attends?.('answered');
          return;
        }
        connection.following = following;
        note('followed', connection);
        if (connection.state !== 'over') return;
        following.stop();
        note('unfollowed', connection);
      },
      (error: unknown) => {
        if (!over(connection)) return;
        attends?.('answered');
        const code = error instanceof GatewayError ? error.code : String(error);
        if (code === 'not_found' && journal.removed.has(reader.runId)) reader.state = 'gone';
        else if (code === 'store_unavailable' || code === 'shutting_down') comeBack(reader);
        else complain(reader, `behind ${seq} was refused with ${code}`);
      },
    );
    if (clock.monotonic() < parts.untilMs && random.chance(0.6))
      clock.after(random.below(random.chance(0.5) ? 1_500 : 12_000), () => leave(connection, attends));
  }

  return {
    all,
    read(id, options) {
      const reader: Reader = { runId: id, seen: [], state: 'reading' };
      all.push(reader);
      connect(reader, options);
    },
    cut(process) {
      for (const connection of connections) {
        if (connection.process !== process || !over(connection)) continue;
        lose(connection.reader);
        comeBack(connection.reader);
      }
    },
    open: (process) => [...connections].filter((connection) => connection.process === process).length,
  };
}

function told(seq: number, type: string, data: string): Told {
  const event = JSON.parse(data) as { seq: number; type: string; at: string; data: unknown };
  return { seq: event.seq === seq ? seq : -1, type: event.type === type ? type : '', at: event.at, data: event.data };
}
