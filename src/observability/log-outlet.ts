import { write, writeSync } from 'node:fs';
import type { DestinationStream } from 'pino';

/** Takes whole lines. */
export type LogDestination = Pick<DestinationStream, 'write'>;

/** Where the log of a process goes. */
export interface LogOutlet extends LogDestination {
  /** Hears how many lines were lost, while lines are taken again. */
  onLost(tell: (lines: number) => void): void;
  /** Resolves when everything is written, or is not taken for a second. */
  close(): Promise<void>;
}

const STANDARD_ERROR = 2;
/** Each write wakes a thread of the pool, so a busy gateway writes many lines at a time. */
const BATCH_CHARACTERS = 15_360;
const FLUSH_MS = 250;
/** So much waits for a reader that has stopped, or for a full disk; what comes beyond it is lost, and counted. */
const WAITING_BYTES_MAX = 16_777_216;
const TELL_LOST_MS = 1_000;
/** Until a pipe that is full, and a disk that is, are tried again. */
const AGAIN_MS = 2;
/** A pipe that stays full is tried half as often each time, down to this. */
const AGAIN_MS_MAX = 128;
const AGAIN_AFTER_FAULT_MS = 1_000;
/** At the end of the process, for a reader who is slow. */
const LAST_WRITE_MS = 1_000;

/**
 * Opens standard error; lines are gathered for at most a quarter of a second. Whatever becomes of the log, the process goes
 * on, and ends when it should: a full disk, a closed terminal or a reader that has stopped cost lines, not runs. Only a
 * terminal that its user has stopped holds up the end until it goes on. Name look-ups share the threads that write: where
 * all of them hang, the log waits.
 *
 * sonic-boom, pino's own, does not fit: it counts the bytes of all that it has gathered anew at each line (6 % of a run), and
 * at the end tries for ever what is not taken.
 *
 * States: idle; writing (a thread has the first batch: where the process ends abruptly, what of it is not taken at once is
 * lost, and the line behind it begins in the middle of one); resting (the first batch was not taken, a timer runs).
 */
export function openLogOutlet(): LogOutlet {
  openWithoutBlocking();
  let gathered = '';
  /** The oldest first, of which a part may have been written. */
  const batches: Buffer[] = [];
  let waitingBytes = 0;
  let state: 'idle' | 'writing' | 'resting' = 'idle';
  let againMs = AGAIN_MS;
  let lost = 0;
  let toldAt = -Infinity;
  let tellLost: (lines: number) => void = () => undefined;
  let whenIdle: () => void = () => undefined;

  function endBatch(): void {
    if (gathered === '') return;
    const batch = Buffer.from(gathered);
    gathered = '';
    if (waitingBytes + batch.length > WAITING_BYTES_MAX) {
      lost += linesOf(batch);
      return;
    }
    batches.push(batch);
    waitingBytes += batch.length;
  }

  function took(place: number, bytes: number): void {
    const batch = batches[place];
    waitingBytes -= bytes;
    if (batch === undefined || bytes >= batch.length) batches.splice(place, 1);
    else batches[place] = batch.subarray(bytes);
  }

  function writeNext(): void {
    if (state !== 'idle') return;
    const [first] = batches;
    if (first === undefined) return whenIdle();
    state = 'writing';
    write(STANDARD_ERROR, first, (error, bytes) => {
      if (error) return rest(error);
      state = 'idle';
      againMs = AGAIN_MS;
      took(0, bytes);
      countLost();
      writeNext();
    });
  }

  function rest(error: NodeJS.ErrnoException): void {
    state = 'resting';
    let restMs = AGAIN_AFTER_FAULT_MS;
    if (isFull(error)) {
      restMs = againMs;
      againMs = Math.min(againMs * 2, AGAIN_MS_MAX);
    }
    setTimeout(() => {
      state = 'idle';
      writeNext();
    }, restMs).unref();
  }

  function countLost(): void {
    const now = performance.now();
    if (lost === 0 || now - toldAt < TELL_LOST_MS) return;
    const lines = lost;
    lost = 0;
    toldAt = now;
    tellLost(lines);
  }

  /** Writes what no thread has, as far as it is taken within a second. */
  function writeRest(): void {
    endBatch();
    const untilMs = performance.now() + LAST_WRITE_MS;
    const place = state === 'writing' ? 1 : 0;
    for (let batch = batches[place]; batch !== undefined && performance.now() < untilMs; batch = batches[place]) {
      try {
        took(place, writeSync(STANDARD_ERROR, batch));
      } catch (error) {
        if (!isFull(error as NodeJS.ErrnoException)) return;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_MS);
      }
    }
  }

  function flush(): void {
    endBatch();
    writeNext();
  }

  setInterval(flush, FLUSH_MS).unref();
  process.once('exit', writeRest);
  return {
    write(line) {
      gathered += line;
      if (gathered.length >= BATCH_CHARACTERS) flush();
    },
    onLost: (tell) => (tellLost = tell),
    async close() {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LAST_WRITE_MS);
        whenIdle = () => {
          clearTimeout(timer);
          resolve();
        };
        flush();
      });
    },
  };
}

/**
 * Has Node.js open the stream, which makes a pipe non-blocking: a write to one that nobody reads would otherwise hold the
 * process when it should end. The stream itself is not used.
 */
function openWithoutBlocking(): boolean {
  return process.stderr.writable;
}

function linesOf(batch: Buffer): number {
  let lines = 0;
  for (const byte of batch) if (byte === 0x0a) lines += 1;
  return lines;
}

/** A pipe that takes nothing at the moment. */
function isFull({ code }: NodeJS.ErrnoException): boolean {
  return code === 'EAGAIN';
}
