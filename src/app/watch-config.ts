import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { ConfigError } from '../config/config-error.ts';
import { isEmptyText, readConfigText } from '../config/load-config.ts';
import { pause, type Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import { succeeding, type Registry } from '../providers/registry.ts';
import type { ConfigAudit } from './audit-config.ts';
import { findChanges, type RegistryChanges } from './registry-changes.ts';

/*
 * The configuration in use, and the file that it came from.
 *
 * The file is looked at once a second: its time, size and inode first, then what is in it. A watch by the
 * operating system would be quicker and would miss renames, swapped links (as Kubernetes does it) and network
 * file systems. What is read has to be the same twice, so that a file in the middle of being written is not taken.
 *
 *   looked at, the same        → nothing
 *   other content, good        → it is in the audit log, then the new registry replaces the old one in one assignment; what
 *                                changed is logged
 *   other content, with faults → the last good one stays; every fault is logged, once for this content
 *   gone, or empty             → the last good one stays; logged once. `{}` is how a file says that there is nothing
 *   not to be read             → the last good one stays; logged once, and tried again each second
 *
 * One reading at a time: a second SIGHUP waits for the first.
 */

const POLL_MS = 1_000;
/** How long a content must last before it is taken for whole. */
const SETTLE_MS = 100;
const SETTLE_TRIES_MAX = 20;
const FAULTS_LOGGED_MAX = 100;
const STILL_WRITTEN = 'the configuration file is still being written; it is looked at again';
/** A file system that does not answer must not keep the process from ending. */
const STOP_MS_MAX = 2_000;

export interface ConfigWatchParts {
  /** May be absent when the server starts; once it was there, its absence is no configuration. */
  path: string;
  /** What the server started with; `text` is null where there was no file. */
  started: { registry: Registry; text: string | null };
  /** Throws `ConfigError` with all faults, or the signal's reason. */
  read: (text: string, signal: AbortSignal) => Promise<Registry>;
  /** Hears of another content before it is used; where it cannot, the last good one stays and the file is looked at again. */
  audit: Pick<ConfigAudit, 'reloaded'>;
  /** Hears of each that is in use from now on; never rejects. */
  used?: (registry: Registry) => Promise<void>;
  clock: Clock;
  log: Log;
  pollMs?: number;
}

export interface ConfigWatch {
  /** The configuration in use. */
  registry: () => Registry;
  /** Reads the file now, and says in the log what came of it even where it is unchanged. Never throws. */
  reload: () => Promise<void>;
  stop(): Promise<void>;
}

/** Keeps a registry equal to its file. */
export function watchConfig(parts: ConfigWatchParts): ConfigWatch {
  const watcher = new ConfigWatcher(parts);
  const polling = watcher.poll();
  return {
    registry: () => watcher.registry,
    reload: () => watcher.inTurn(() => watcher.look({ asked: true })),
    async stop() {
      watcher.stopped.abort();
      const ended = new AbortController();
      const lastTurn = polling.then(() => watcher.inTurn(async () => undefined)).finally(() => ended.abort());
      await Promise.race([lastTurn, pause(parts.clock, STOP_MS_MAX, ended.signal)]);
    },
  };
}

type Content = { is: 'text'; text: string } | { is: 'absent' } | { is: 'unreadable'; error: ConfigError };

class ConfigWatcher {
  registry: Registry;
  readonly stopped = new AbortController();
  readonly #parts: ConfigWatchParts;
  /** Of the content that was last judged. */
  #judged: string;
  /** Of the content in use. */
  #used: string;
  /** The file's time, size and inode when it was last read. */
  #mark = '';
  /** Files' times are coarse: a write may share the tick of the one that was read, so a changed file is read twice. */
  #lookAgain = true;
  #turn: Promise<void> = Promise.resolve();

  constructor(parts: ConfigWatchParts) {
    this.#parts = parts;
    this.registry = parts.started.registry;
    const { text } = parts.started;
    this.#judged = fingerprint(text === null ? { is: 'absent' } : { is: 'text', text });
    this.#used = this.#judged;
  }

  async poll(): Promise<void> {
    const { clock, pollMs = POLL_MS } = this.#parts;
    for (;;) {
      await pause(clock, pollMs, this.stopped.signal);
      if (this.stopped.signal.aborted) return;
      await this.inTurn(() => this.look({ asked: false }));
    }
  }

  /** One after another; what fails in a way that nobody foresaw is logged, and the configuration stays. */
  inTurn(work: () => Promise<void>): Promise<void> {
    const { log, path } = this.#parts;
    this.#turn = this.#turn
      .then(work)
      .catch((err: unknown) => log.error({ err, file: path }, 'configuration could not be read again'));
    return this.#turn;
  }

  async look({ asked }: { asked: boolean }): Promise<void> {
    // Those that were asked for before the stop may be many.
    if (this.stopped.signal.aborted) return;
    const mark = await markOf(this.#parts.path);
    if (mark === this.#mark && !this.#lookAgain && !asked) return;
    this.#lookAgain = mark !== this.#mark;
    this.#mark = mark;
    const content = await this.#readSettled();
    if (content === null) {
      // Still being written, or the process stops.
      this.#lookAgain = true;
      if (asked && !this.stopped.signal.aborted) this.#parts.log.warn({ file: this.#parts.path }, STILL_WRITTEN);
      return;
    }
    // What stood in the way may pass and leave no mark on the file: too many open files, say.
    if (content.is === 'unreadable') this.#lookAgain = true;
    const judged = fingerprint(content);
    if (judged === this.#judged && !asked) return;
    this.#judged = judged;
    await this.#judge(content);
  }

  async #readSettled(): Promise<Content | null> {
    const { path, clock } = this.#parts;
    let content = await readContent(path);
    // What is known already needs no second look.
    if (fingerprint(content) === this.#judged) return content;
    for (let tries = 0; tries < SETTLE_TRIES_MAX; tries++) {
      await pause(clock, SETTLE_MS, this.stopped.signal);
      if (this.stopped.signal.aborted) return null;
      const again = await readContent(path);
      if (fingerprint(again) === fingerprint(content)) return again;
      content = again;
    }
    return null;
  }

  async #judge(content: Content): Promise<void> {
    const { log, path, read } = this.#parts;
    if (content.is === 'absent' || (content.is === 'text' && isEmptyText(content.text))) {
      log.warn({ file: path }, 'there is no configuration file, or it is empty; the last good configuration stays');
      return;
    }
    try {
      if (content.is === 'unreadable') throw content.error;
      const next = await read(content.text, this.stopped.signal);
      const changes = findChanges(this.registry, next);
      await this.#use(content, next, changes);
      log.info({ file: path, ...changes }, 'configuration reloaded');
      await this.#parts.used?.(this.registry);
    } catch (error) {
      if (this.stopped.signal.aborted) return;
      if (!(error instanceof ConfigError)) {
        // It was not judged after all: the next look is to find it new.
        this.#judged = '';
        this.#lookAgain = true;
        throw error;
      }
      this.#logFaults(error);
    }
  }

  async #use(content: Content & { is: 'text' }, next: Registry, changes: RegistryChanges): Promise<void> {
    const used = fingerprint(content);
    const take = () => {
      this.registry = succeeding(next, this.registry);
      this.#used = used;
    };
    // Somebody asked for it to be read again, and it is as it was.
    if (used === this.#used) take();
    else await this.#parts.audit.reloaded(content.text, changes, take);
  }

  #logFaults({ faults }: ConfigError): void {
    const { log, path } = this.#parts;
    for (const { source, message, ...place } of faults.slice(0, FAULTS_LOGGED_MAX)) {
      log.error({ file: source, ...place, expected: message }, 'fault in the configuration');
    }
    log.error({ file: path, faults: faults.length }, 'configuration not reloaded; the last good one stays');
  }
}

async function readContent(path: string): Promise<Content> {
  try {
    const text = await readConfigText(path);
    return text === null ? { is: 'absent' } : { is: 'text', text };
  } catch (error) {
    if (error instanceof ConfigError) return { is: 'unreadable', error };
    throw error;
  }
}

function fingerprint(content: Content): string {
  const said = content.is === 'text' ? content.text : content.is === 'unreadable' ? content.error.message : '';
  return `${content.is} ${createHash('sha256').update(said).digest('base64url')}`;
}

/** Changes whenever the file, or what a link at its place leads to, may have another content. */
async function markOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch {
    return 'no file';
  }
}
