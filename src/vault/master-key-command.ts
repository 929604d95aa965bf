import { spawn } from 'node:child_process';
import { pause, type Clock } from '../core/clock.ts';
import { Secret } from '../core/secret.ts';
import { parseMasterKeys, unusable, type MasterKey, type MasterKeys } from './master-key.ts';

/*
 * Master keys that a command prints, such as a secret manager's client: newest first, one a line, as in a key file. It runs
 * at the start, and again when something is met that none of the keys opens, or that the newest seals no more: at most one
 * at a time and one every few seconds, for which those who need it wait. What it prints is never shown.
 */

const NAME = 'RUNGATE_MASTER_KEY_COMMAND';
const RUN_MS_MAX = 10_000;
/** Between the end of one run and the next. */
const REST_MS = 2_000;
const OUTPUT_BYTES_MAX = 4096;
const COMPLAINT_LENGTH_MAX = 200;
/** What looks like a key is not repeated, wherever the command wrote it. */
const KEY_LIKE = /[A-Za-z0-9+/_-]{32,}=*/g;

/** The command, and what it finds in its environment. */
export interface MasterKeyCommand {
  /** For `sh -c`. */
  command: Secret;
  environment: Readonly<Record<string, string | undefined>>;
}

type Keys = [MasterKey, ...MasterKey[]];

/** Runs the command once. Throws `vault_unavailable`, with its exit status and the first line of its standard error. */
export async function runMasterKeyCommand(
  { command, environment }: MasterKeyCommand,
  { clock, runMsMax = RUN_MS_MAX }: { clock: Clock; runMsMax?: number },
): Promise<Keys> {
  const { promise, resolve, reject } = Promise.withResolvers<Secret>();
  // A group of its own, so that whatever the shell began can be ended with it.
  const child = spawn('sh', ['-c', command.open()], {
    env: { ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const output = collect(child.stdout, () => give('printed too much for master keys'));
  const complaint = collect(child.stderr, () => undefined);
  const stopClock = clock.after(runMsMax, () => give(`took longer than ${runMsMax / 1000} s and was ended`));

  function give(reason: string, cause?: unknown): void {
    reject(failed(reason, { complaint: complaint(), cause }));
  }
  child.once('error', (error) => give('cannot be run', error));
  child.once('close', (code, signal) => {
    if (code === 0) resolve(new Secret(output()));
    else give(signal === null ? `failed with exit status ${code}` : `was ended by ${signal}`);
  });
  try {
    return parseMasterKeys(await promise, `What ${NAME} prints`);
  } finally {
    stopClock();
    endGroup(child.pid);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

/** Keys that a command printed, which is asked again for those that are not among them. */
export function masterKeysByCommand(
  first: Keys,
  { run, clock }: { run: () => Promise<Keys>; clock: Clock },
): MasterKeys {
  let known = first;
  let restedAt = clock.monotonic() + REST_MS;
  let underWay: Promise<void> | null = null;

  async function readAgain(): Promise<void> {
    await pause(clock, Math.max(0, restedAt - clock.monotonic()));
    try {
      known = await run();
    } finally {
      restedAt = clock.monotonic() + REST_MS;
      underWay = null;
    }
  }
  const among = (fingerprint: string) => known.find((key) => key.fingerprint === fingerprint) ?? null;
  return {
    async newest(retired) {
      if (known[0].fingerprint === retired) await (underWay ??= readAgain());
      return known[0];
    },
    async find(fingerprint) {
      const found = among(fingerprint);
      if (found !== null) return found;
      await (underWay ??= readAgain());
      return among(fingerprint);
    },
  };
}

/** Keeps the beginning of what comes; the rest is read and forgotten, so that nobody waits for us. */
function collect(stream: NodeJS.ReadableStream, onTooMuch: () => void): () => string {
  const chunks: Buffer[] = [];
  let length = 0;
  stream.on('data', (chunk: Buffer) => {
    if (length < OUTPUT_BYTES_MAX) chunks.push(chunk.subarray(0, OUTPUT_BYTES_MAX - length));
    length += chunk.length;
    if (length > OUTPUT_BYTES_MAX) onTooMuch();
  });
  return () => Buffer.concat(chunks).toString('utf8');
}

function failed(reason: string, { complaint, cause }: { complaint: string; cause: unknown }): Error {
  const [line = ''] = complaint.trim().split(/\r?\n/, 1);
  // oxlint-disable-next-line no-control-regex -- a terminal is not to be told what to do
  const said = line.replace(KEY_LIKE, '[…]').replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
  const quoted = said === '' ? '' : ` It says: ${said.slice(0, COMPLAINT_LENGTH_MAX)}`;
  return unusable(`The command of ${NAME} ${reason}.${quoted}`, cause);
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended, with all that it began.
  }
}
