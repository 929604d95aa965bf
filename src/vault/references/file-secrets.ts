import type { BigIntStats } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import type { Clock } from '../../core/clock.ts';
import { GatewayError } from '../../core/errors.ts';
import { Secret } from '../../core/secret.ts';
import { READ_WITHOUT_WAITING, readAtMost } from '../../core/read-at-most.ts';
import type { ReferenceIn, SecretSource } from './secret-source.ts';

/** More than any secret that a header can carry. */
const FILE_BYTES_MAX = 16 * 1024;
/** A file is looked at so often at most; a vendor call in between costs no look. */
const LOOK_AGAIN_MS = 1_000;
/** What was changed so shortly ago may be half written. */
const SETTLED_MS = 100;
const FILES_MAX = 1_000;

type Seen =
  { is: 'text'; secret: Secret; version: string } | { is: 'absent' } | { is: 'fault'; reason: string; cause: unknown };

interface Watched {
  seen: Seen | null;
  /** On the monotonic clock. */
  lookedAt: number;
  looking: Promise<Seen> | null;
}

/**
 * Secrets in files, such as Docker and Kubernetes mount them: read again when they change, without one line break at
 * their end. What is no regular file, is too large or cannot be read is a fault and never waits; and so is one of `refused`, whatever
 * link leads there.
 */
export function createFileSecrets({
  clock,
  refused = null,
}: {
  clock: Pick<Clock, 'now' | 'monotonic'>;
  /** Files that hold no vendor's secret, and what they are: `it` and so on. */
  refused?: { paths: readonly string[]; reason: string } | null;
}): SecretSource<ReferenceIn<'file'>> {
  const files = new Map<string, Watched>();

  function watched(path: string): Watched {
    let file = files.get(path);
    if (file === undefined) {
      if (files.size >= FILES_MAX) files.delete(files.keys().next().value ?? '');
      file = { seen: null, lookedAt: -Infinity, looking: null };
      files.set(path, file);
    }
    return file;
  }

  async function lookAt(path: string, file: Watched): Promise<Seen> {
    const begunAt = clock.monotonic();
    const seen = await look(path, { before: file.seen, nowMs: clock.now(), refused });
    file.seen = seen;
    file.lookedAt = begunAt;
    file.looking = null;
    return seen;
  }

  return {
    isSet: () => true,
    async read({ path }) {
      const file = watched(path);
      const isFresh = clock.monotonic() - file.lookedAt < LOOK_AGAIN_MS;
      const seen = file.seen !== null && isFresh ? file.seen : await (file.looking ??= lookAt(path, file));
      switch (seen.is) {
        case 'text':
          return seen.secret;
        case 'absent':
          return null;
        case 'fault': {
          // The path is for the log: messages also go to callers.
          const cause = new Error(`${path}: ${seen.reason}`, { cause: seen.cause });
          const message = `The file of a secret cannot be used: ${seen.reason}. The operator looks at the file.`;
          throw new GatewayError('vault_unavailable', { message, cause });
        }
      }
    },
    expire({ path }) {
      watched(path).lookedAt = -Infinity;
    },
  };
}

type Refused = Parameters<typeof createFileSecrets>[0]['refused'];

async function look(
  path: string,
  { before, nowMs, refused }: { before: Seen | null; nowMs: number; refused: Refused },
): Promise<Seen> {
  try {
    await using handle = await open(path, READ_WITHOUT_WAITING);
    const stats = await handle.stat({ bigint: true });
    if (!stats.isFile()) return { is: 'fault', reason: `it is ${kindOf(stats)}, not a file`, cause: undefined };
    if (refused && (await isAnyOf(stats, refused.paths)))
      return { is: 'fault', reason: refused.reason, cause: undefined };
    const { dev, ino, size, mtimeNs, ctimeNs, mtimeMs } = stats;
    const version = [dev, ino, size, mtimeNs, ctimeNs].join(':');
    if (before?.is === 'text') {
      const isHot = Math.abs(nowMs - Number(mtimeMs)) < SETTLED_MS;
      if (before.version === version || isHot) return before;
    }
    const bytes = await readAtMost(handle, FILE_BYTES_MAX);
    if (bytes === null) {
      return { is: 'fault', reason: `it is longer than ${FILE_BYTES_MAX} bytes`, cause: undefined };
    }
    const text = bytes.toString('utf8').replace(/\r?\n$/, '');
    bytes.fill(0);
    return { is: 'text', secret: new Secret(text), version };
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown fault';
    if (code === 'ENOENT' || code === 'ENOTDIR') return { is: 'absent' };
    return { is: 'fault', reason: REASONS[code] ?? `it cannot be read (${code})`, cause };
  }
}

/** By what the system tells files apart by, so that links are seen through. */
async function isAnyOf({ dev, ino }: BigIntStats, paths: readonly string[]): Promise<boolean> {
  const others = await Promise.all(paths.map((path) => stat(path, { bigint: true }).catch(() => null)));
  return others.some((other) => other !== null && other.dev === dev && other.ino === ino);
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'Rungate may not read it (EACCES)',
  ELOOP: 'its links lead in a circle (ELOOP)',
  // A socket, or a pipe's other end, cannot be opened.
  ENXIO: 'it is no file (ENXIO)',
};

function kindOf(stats: BigIntStats): string {
  return stats.isDirectory() ? 'a directory' : stats.isFIFO() ? 'a pipe' : 'a device';
}
