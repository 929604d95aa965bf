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
 * Each write wakes a thread of the pool, so a busy gateway writes many lines at a time. They are gathered here, because
 * sonic-boom counts the bytes of all that it has gathered again at each line.
 */
const GATHERED_CHARACTERS = 15_360;
const FLUSH_MS = 250;
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

  // The library, which also calls this at the exit, tries for ever to write what is left: the process would stay.
  const flushSync = stream.flushSync.bind(stream);
  stream.flushSync = () => {
    passOn();
    if (!failing && takesWrites(STANDARD_ERROR)) flushSync();
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

/** False for a terminal that was closed. */
function takesWrites(descriptor: number): boolean {
  try {
    writeSync(descriptor, '');
    return true;
  } catch {
    return false;
  }
}
