import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pauseMs } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { reviveJson, type JsonObject } from '../../../../src/core/json.ts';
import { createCommandLine } from '../../command-line.ts';
import { linesUntil, startChild, type Child } from '../child.ts';
import { PROGRAM } from '../../program.ts';

const VENDOR = fileURLToPath(new URL('../../../../bench/support/static-vendor.ts', import.meta.url));
const CONNECTIONS = 128;
/** Arrivals of one tick are sent together; smaller ticks cost more than the requests. */
const TICK_MS = 4;
/** Compilers warm up before anything is measured. */
const WARM_UP_S = 2;
const FAULTS_KEPT_MAX = 100;

export interface ReloadGame {
  requestsPerSecond: number;
  seconds: number;
  /** How often the file is written. */
  rewriteMs: number;
}

export interface PlayedReload {
  sent: number;
  /** Answered with 200 and a run that has succeeded. */
  answered: number;
  faults: readonly string[];
  /** A second, until the last was sent and until the last was answered. */
  rates: { sent: number; answered: number };
  /** Of the answers, in milliseconds from the moment at which each was to be sent. */
  latencyMs: { median: number; p99: number; max: number };
  written: number;
  /** What the gateway's log says. */
  reloaded: number;
  refused: number;
  complaints: readonly string[];
  ending: string;
}

/**
 * A real gateway process over a vendor that answers at once. Requests arrive by the clock, whether earlier ones
 * were answered or not, while the file is written again and again: two good versions and one with faults in turn,
 * half of them put into place and half written in place, every second write followed by SIGHUP.
 */
export async function playReload(game: ReloadGame): Promise<PlayedReload> {
  const commandLine = await createCommandLine();
  const file = join(commandLine.dataDir, 'rungate.yaml');
  const vendor = startChild([VENDOR], {});
  const children = [vendor];
  try {
    const [line = ''] = await linesUntil(vendor, isAny, () => 'the vendor did not start');
    const versions = versionsOf(`http://127.0.0.1:${reviveJson<{ port: number }>(line).port}`);
    await writeFile(file, versions[0] ?? '');
    const { key } = await commandLine.document<{ key: string }>(['keys', 'create', '--name', 'load']);
    const gateway = startChild([PROGRAM, 'serve'], environmentOf(commandLine.dataDir, file));
    children.push(gateway);
    const log = readLog(gateway);
    const banner = await linesUntil(gateway, isBanner, () => `the gateway did not start: ${log.complaints.join('\n')}`);
    const url = /http:\/\/\S+/.exec(banner.find((text) => text.startsWith('runs API')) ?? '')?.[0] ?? '';
    await sendLoad({ url, key, game: { ...game, seconds: WARM_UP_S } });
    const stop = new AbortController();
    const writing = rewrite({ file, versions, everyMs: game.rewriteMs, gateway, signal: stop.signal });
    const load = await sendLoad({ url, key, game });
    stop.abort();
    const written = await writing;
    gateway.signal('SIGTERM');
    return { ...load, written, ...log, ending: await gateway.gone };
  } finally {
    for (const child of children) child.signal('SIGKILL');
    await Promise.all(children.map(({ gone }) => gone));
    await commandLine.remove();
  }
}

const isAny = () => true;
const isBanner = (line: string) => line.startsWith('admin API');

function environmentOf(dataDir: string, file: string): Record<string, string> {
  return {
    RUNGATE_DATA_DIR: dataDir,
    RUNGATE_CONFIG: file,
    RUNGATE_PORT: '0',
    RUNGATE_ADMIN_PORT: '0',
    RUNGATE_LOG_LEVEL: 'info',
    STATIC_KEY: 'sk_static',
  };
}

/** `hello` is in each good one, by another provider and another schema each time. */
function versionsOf(vendorUrl: string): string[] {
  const provider = {
    kind: 'ai-tutor',
    base_url: vendorUrl,
    allow_private_network: true,
    credentials: ['env:STATIC_KEY'],
  };
  const workflow = { workflow: 'wf_hello', defaults: { tone: 'dry' }, timeout_s: 60 };
  const inputs = { type: 'object', required: ['name'], properties: { name: { type: 'string', pattern: '^\\w+$' } } };
  const first = { providers: { first: provider }, workflows: { hello: { ...workflow, provider: 'first' } } };
  const second = {
    providers: { second: provider, spare: provider },
    workflows: { hello: { ...workflow, provider: 'second', inputs }, other: { ...workflow, provider: 'spare' } },
  };
  const faulty = {
    providers: { first: { ...provider, base_url: 'nowhere' } },
    workflows: { hello: { provider: 'x' } },
  };
  return [first, second, faulty].map((version) => JSON.stringify(version, null, 2));
}

async function rewrite({
  file,
  versions,
  everyMs,
  gateway,
  signal,
}: {
  file: string;
  versions: readonly string[];
  everyMs: number;
  gateway: Child;
  signal: AbortSignal;
}): Promise<number> {
  let written = 0;
  while (!signal.aborted) {
    written += 1;
    const text = versions[written % versions.length] ?? '';
    const target = written % 4 < 2 ? `${file}.new` : file;
    await writeFile(target, text);
    if (target !== file) await rename(target, file);
    if (written % 2 === 0) gateway.signal('SIGHUP');
    await pauseMs(everyMs);
  }
  return written;
}

/** What the process logs, counted as it comes. */
function readLog(gateway: Child): { reloaded: number; refused: number; complaints: string[] } {
  const seen = { reloaded: 0, refused: 0, complaints: [] as string[] };
  gateway.stderr.on('line', (line: string) => {
    const { msg, level } = line.startsWith('{')
      ? reviveJson<{ msg?: string; level?: string }>(line)
      : { msg: line, level: 'error' };
    if (msg === 'configuration reloaded') seen.reloaded += 1;
    else if (msg === 'configuration not reloaded; the last good one stays') seen.refused += 1;
    else if (level === 'error' && msg !== 'fault in the configuration' && seen.complaints.length < FAULTS_KEPT_MAX) {
      seen.complaints.push(line);
    }
  });
  return seen;
}

type Load = Pick<PlayedReload, 'sent' | 'answered' | 'faults' | 'rates' | 'latencyMs'>;

/** Sends requests when they are due, however many are open. */
async function sendLoad({ url, key, game }: { url: string; key: string; game: ReloadGame }): Promise<Load> {
  const pool = new Pool(url, { connections: CONNECTIONS, pipelining: 1 });
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ workflow: 'hello', inputs: { name: 'Ada' } });
  const wanted = Math.round(game.requestsPerSecond * game.seconds);
  const latencies: number[] = [];
  const faults: string[] = [];
  const open = new Set<Promise<void>>();
  const begunMs = performance.now();

  async function send(dueMs: number): Promise<void> {
    try {
      const answer = await pool.request({ path: '/runs', method: 'POST', headers, body });
      const run = reviveJson<JsonObject>(await answer.body.text());
      if (answer.statusCode === 200 && run.status === 'succeeded') latencies.push(performance.now() - dueMs);
      else faults.push(`${answer.statusCode} ${JSON.stringify(run).slice(0, 300)}`);
    } catch (error) {
      faults.push(String(error));
    }
  }

  let sent = 0;
  while (sent < wanted) {
    const due = Math.min(wanted, Math.ceil(((performance.now() - begunMs) / 1000) * game.requestsPerSecond));
    for (; sent < due; sent++) {
      const sending = send(begunMs + (sent / game.requestsPerSecond) * 1000);
      open.add(sending);
      void sending.then(() => open.delete(sending));
    }
    await pauseMs(TICK_MS);
  }
  const sendingMs = performance.now() - begunMs;
  await Promise.all(open);
  const answeringMs = performance.now() - begunMs;
  await pool.close();
  const rates = { sent: (sent / sendingMs) * 1000, answered: (latencies.length / answeringMs) * 1000 };
  return { sent, answered: latencies.length, faults, rates, latencyMs: percentiles(latencies) };
}

function percentiles(latencies: readonly number[]): PlayedReload['latencyMs'] {
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
  return { median: at(0.5), p99: at(0.99), max: at(1) };
}
