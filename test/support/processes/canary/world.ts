import { spawn } from 'node:child_process';
import { mkdtemp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { linesUntil, startChild, type Child } from '../child.ts';
import type { Evidence } from './markers.ts';
import { PROGRAM } from '../../program.ts';

const COMMAND_TIMEOUT_MS = 30_000;
const CALL_TIMEOUT_MS = 15_000;

export interface Command {
  stdin?: string;
  environment?: Readonly<Record<string, string>>;
  /** Whether its answer is the one place where new secrets are shown: what those are. */
  shows?: (stdout: string) => readonly string[];
}

export interface Call {
  method?: string;
  headers?: Readonly<Record<string, string>>;
  body?: unknown;
  shows?: (text: string) => readonly string[];
}

/** A data directory, processes over it, and everything that any of them wrote. */
export class CanaryWorld implements AsyncDisposable {
  readonly directory: string;
  readonly evidence: Evidence[] = [];
  readonly environment: Record<string, string> = {};
  /** How often each command and route was used. */
  readonly used = new Map<string, number>();
  url = '';
  adminUrl = '';
  #child: Child | null = null;

  constructor(directory: string) {
    this.directory = directory;
  }

  get dataDir(): string {
    return join(this.directory, 'data');
  }

  get configPath(): string {
    return join(this.directory, 'rungate.yaml');
  }

  /** Runs a command in a process of its own. */
  async command(argv: readonly string[], { stdin = '', environment = {}, shows }: Command = {}): Promise<string> {
    const env = { ...this.environment, ...environment };
    const child = spawn(process.execPath, [PROGRAM, ...argv], { env, timeout: COMMAND_TIMEOUT_MS });
    child.stdin.on('error', () => undefined).end(stdin);
    const [stdout, stderr] = await Promise.all([buffer(child.stdout), buffer(child.stderr)]);
    const name = argv.join(' ');
    const shown = shows === undefined ? {} : { shows: shows(stdout.toString()) };
    this.evidence.push({ place: `standard output of ${name}`, bytes: stdout, ...shown });
    this.evidence.push({ place: `standard error of ${name}`, bytes: stderr });
    this.#count(
      argv
        .slice(0, 2)
        .filter((word) => /^[a-z]+$/.test(word))
        .join(' '),
    );
    return stdout.toString();
  }

  /** Starts the gateway; resolves to false where it did not come up. */
  async serve(environment: Readonly<Record<string, string>> = {}): Promise<boolean> {
    const child = startChild([PROGRAM, 'serve'], { ...this.environment, ...environment });
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].on('line', (line: string) => {
        this.evidence.push({ place: `${stream} of the gateway`, bytes: Buffer.from(`${line}\n`) });
      });
    }
    const isLast = (line: string) => line.startsWith('admin API');
    const lines = await linesUntil(child, isLast, () => 'it did not start').catch(() => null);
    if (lines === null) return false;
    const addressOf = (api: string) => /http:\/\/\S+/.exec(lines.find((line) => line.startsWith(api)) ?? '')?.[0] ?? '';
    [this.url, this.adminUrl] = [addressOf('runs API'), addressOf('admin API')];
    this.#child = child;
    return true;
  }

  signal(signal: 'SIGHUP' | 'SIGKILL' | 'SIGTERM'): void {
    this.#child?.signal(signal);
  }

  async gone(): Promise<void> {
    await this.#child?.gone;
    this.#child = null;
  }

  /** Calls an API and keeps the whole answer. Its text; empty where none came. */
  async call(target: string, { method = 'GET', headers = {}, body, shows }: Call = {}): Promise<string> {
    const signal = AbortSignal.timeout(CALL_TIMEOUT_MS);
    const sent = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) };
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    this.#count(`${method} ${new URL(target).pathname.replace(/(?:run|cred|msg)_[^/]+|%[^/]+/g, '{id}')}`);
    try {
      const answer = await fetch(target, {
        method,
        headers: { ...type, ...headers },
        ...sent,
        signal,
        redirect: 'manual',
      });
      const text = await answer.text();
      const head = `${answer.status} ${answer.statusText}\n${JSON.stringify([...answer.headers])}\n`;
      const shown = shows === undefined ? {} : { shows: shows(text) };
      this.evidence.push({ place: `answer to ${method} ${target}`, bytes: Buffer.from(head + text), ...shown });
      return text;
    } catch (error) {
      this.evidence.push({ place: `failure of ${method}`, bytes: Buffer.from(String(error)) });
      return '';
    }
  }

  /** Takes every file below the data directory as it is now. */
  async takeFiles(when: string): Promise<number> {
    const entries = await readdir(this.directory, { recursive: true, withFileTypes: true });
    const files = entries.filter(
      (entry) => entry.isFile() && !entry.parentPath.startsWith(join(this.directory, 'secret')),
    );
    for (const { parentPath, name } of files) {
      if (join(parentPath, name) === this.configPath) continue;
      const bytes = await readFile(join(parentPath, name)).catch(() => Buffer.alloc(0));
      this.evidence.push({ place: `the file ${name}, ${when}`, bytes });
    }
    return files.length;
  }

  /** What the gateway said last. */
  lastLines(): string {
    const lines = this.evidence.filter(({ place }) => place.endsWith('of the gateway'));
    return Buffer.concat(lines.slice(-10).map(({ bytes }) => bytes)).toString();
  }

  #count(name: string): void {
    this.used.set(name, (this.used.get(name) ?? 0) + 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal('SIGKILL');
    await this.gone();
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** Makes the directories: `secret` holds what operators keep apart, and is not looked into. */
export async function makeCanaryWorld(secretFiles: Readonly<Record<string, string>>): Promise<CanaryWorld> {
  const world = new CanaryWorld(await mkdtemp(join(tmpdir(), 'rungate-canary-')));
  await mkdir(join(world.directory, 'secret'), { mode: 0o700 });
  await mkdir(world.dataDir);
  for (const [name, text] of Object.entries(secretFiles)) {
    await writeFile(join(world.directory, 'secret', name), text, { mode: 0o600 });
  }
  return world;
}
