import { writeSync } from 'node:fs';
import { destination as openDestination, type DestinationStream } from 'pino';

/** Takes whole lines. */
export type LogDestination = Pick<DestinationStream, 'write'>;

/** Where the log of a process goes. */
export interface LogOutlet extends LogDestination {
  /** Hands over everything that was gathered, as far as it is taken. */
  flushSync(): void;
  /** Hears how many lines were lost, once lines are taken again. */
  onLost(tell: (lines: number) => void): void;
}

const STANDARD_ERROR = 2;
/**
 * Each write wakes a thread of the pool, so a busy gateway writes many lines at a time: about what a pipe's reader takes at
 * once. They are gathered here, because sonic-boom would count the bytes of all that it has gathered anew at each line.
 */
const GATHERED_CHARACTERS = 15_360;
const FLUSH_MS = 250;
/** At the end of the process, for a reader who is slow; and how long until it is asked again. */
const LAST_WRITE_MS = 1_000;
const AGAIN_MS = 10;
/** So much waits for a reader that has stopped, or for a full disk; what comes beyond it is lost, and counted. */
const WAITING_BYTES_MAX = 16_777_216;

/** Opens standard error; lines are gathered for at most a quarter of a second. */
export function openLogOutlet(): LogOutlet {
  // With a `minLength`, `flush` tries again what could not be written.
  const stream = openDestination({
    fd: STANDARD_ERROR,
    sync: false,
    minLength: 1,
    maxLength: WAITING_BYTES_MAX,
  });
  let gathered = '';
  let lost = 0;
  let tellLost: (lines: number) => void = () => undefined;
  // A full disk under the log must not end the process: lines are lost, runs are not.
  let failing = false;
  stream.on('error', () => (failing = true));
  stream.on('write', () => (failing = false));
  stream.on('drop', (text: string) => (lost += text.split('\n').length - 1));
  stream.on('drain', () => {
    if (lost === 0) return;
    const lines = lost;
    lost = 0;
    tellLost(lines);
  });

  function passOn(): void {
    if (gathered === '') return;
    const text = gathered;
    gathered = '';
    stream.write(text);
  }

  // The library, which also calls this at the exit, tries for ever to write what is left: the process would stay. What was
  // gathered does not go by way of it here: it would hand it to a thread, which ends with the process.
  const flushSync = stream.flushSync.bind(stream);
  stream.flushSync = () => {
    if (failing || !takesWrites(STANDARD_ERROR)) return;
    flushSync();
    writeNow(gathered);
    gathered = '';
  };
  setInterval(() => {
    passOn();
    stream.flush();
  }, FLUSH_MS).unref();
  process.once('exit', () => stream.flushSync());
  return {
    write(line) {
      gathered += line;
      if (gathered.length >= GATHERED_CHARACTERS) passOn();
    },
    flushSync: () => stream.flushSync(),
    onLost: (tell) => (tellLost = tell),
  };
}

/** Writes as much as is taken within a second. */
function writeNow(text: string): void {
  const untilMs = performance.now() + LAST_WRITE_MS;
  let left = Buffer.from(text);
  while (left.length > 0 && performance.now() < untilMs) {
    try {
      left = left.subarray(writeSync(STANDARD_ERROR, left));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_MS);
    }
  }
}

/** False for a terminal that was closed. */
function takesWrites(descriptor: number): boolean {
  try {
    writeSync(descriptor, '');
    return true;
  } catch {
    return false;
  }
}
