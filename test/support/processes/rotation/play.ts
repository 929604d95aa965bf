import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pauseMs } from 'node:timers/promises';
import { systemClock as clock } from '../../../../src/core/clock.ts';
import { reviveJson } from '../../../../src/core/json.ts';
import { Secret } from '../../../../src/core/secret.ts';
import { openStore, type Store } from '../../../../src/store/open-store.ts';
import { parseMasterKeys } from '../../../../src/vault/master-key.ts';
import { startChild, type Child } from '../child.ts';
import { prepareGatewayProcess, type GatewayProcess } from '../gateway-process.ts';
import { createHttpClient } from '../http-client.ts';
import { runOnce, startLoad, type Load } from './load.ts';
import {
  insertSecrets,
  openEverySecret,
  scanBoxes,
  SECRETS_PER_PROVIDER,
  type KnownSecrets,
  type Opened,
} from './secrets.ts';
import { startStrictVendor } from './vendor.ts';
import { PROGRAM } from '../../program.ts';

/** Providers that have no credentials at first, and get them meanwhile. */
const GROWING = 10;
const WARM_UP_MS = 2_000;
const LOOK_MS = 3;
const SWEEP_CLIENTS = 8;
/** Of the rows, when a rotation is killed: once its key is in the file, and twice in the middle. */
const KILL_AT_SHARES = [0, 0.3, 0.7];

/** What the command prints. */
export interface RotationDocument {
  master_key: string;
  added: boolean;
  rewrapped: number;
  retired: string[];
  scan: { column: string; rows: number; master_key: string; version: number }[];
  cannot_open: unknown[];
}

export interface KilledRotation {
  wantedShare: number;
  /** How it ended: `SIGKILL`, where it was killed in time. */
  ending: string;
  /** Of the rows, once it was gone. */
  rewrapped: number;
  rows: number;
  ms: number;
}

/** Everything there is to judge. */
export interface PlayedRotation {
  load: Load;
  refusedByVendor: number;
  killed: KilledRotation[];
  last: { document: RotationDocument | null; complaint: string; ms: number };
  oldKey: string;
  /** Fingerprints in the file, newest first, before the old ones were taken out. */
  keysInFile: string[];
  modeOfFile: number;
  scan: ReturnType<typeof scanBoxes>;
  opened: Opened;
  /** Runs at every provider, by the gateway that was started again with the new key alone. */
  swept: { runs: number; faults: string[] };
  ms: { insert: number; whole: number };
  complaints: readonly string[];
}

/**
 * A gateway process with `secrets` credentials under load, while the master key is rotated by commands that are killed three
 * times in the middle; then to the end, and on with the new key alone.
 */
export async function playRotation({ secrets }: { secrets: number }): Promise<PlayedRotation> {
  const begunMs = performance.now();
  const known: KnownSecrets = new Map();
  const named = (prefix: string, n: number) => Array.from({ length: n }, (_, i) => `${prefix}${i}`);
  const providers = named('p', Math.ceil(secrets / SECRETS_PER_PROVIDER));
  const growing = named('more', GROWING);
  await using vendor = await startStrictVendor(known);
  await using gateway = await prepareGatewayProcess({
    config: configOf([...providers, ...growing], vendor.url),
    // Many requests arrive at once, on a machine that has more to do.
    environment: { RUNGATE_OVERLOAD_DELAY_MS: '60000', RUNGATE_OVERLOAD_AT_ONCE_MAX: '100000' },
  });
  const { dataDir } = gateway.commandLine;
  const keyFile = join(dataDir, 'master.key');
  // The gateway makes its first key itself.
  await gateway.start();
  const [old] = await keysIn(keyFile);
  if (old === undefined) throw new Error('the gateway has made no master key');
  const store = await openStore({ url: `sqlite:${join(dataDir, 'rungate.db')}`, role: 'command', clock, log: SILENT });
  try {
    await insertSecrets(store, { known, providers, count: secrets, key: old });
    const insert = performance.now() - begunMs;
    const load = await startLoad({ gateway, known, providers, growing });
    await pauseMs(WARM_UP_MS);
    const killed: KilledRotation[] = [];
    for (const share of KILL_AT_SHARES) killed.push(await killRotation(share, { dataDir, keyFile, store, old }));
    const last = await finishRotation(dataDir);
    await load.stop();

    const keysInFile = (await keysIn(keyFile)).map(({ fingerprint }) => fingerprint);
    const { mode } = await stat(keyFile);
    const [newest = ''] = (await readFile(keyFile, 'utf8')).split('\n');
    await writeFile(keyFile, `${newest}\n`);
    await gateway.stop();
    await gateway.start();
    return {
      load: load.done,
      killed,
      last,
      oldKey: old.fingerprint,
      keysInFile,
      modeOfFile: mode & 0o777,
      scan: scanBoxes(dataDir),
      opened: await openEverySecret(store, { keyFile, known }),
      swept: await sweep(gateway, [...providers, ...growing]),
      refusedByVendor: vendor.refused(),
      ms: { insert, whole: performance.now() - begunMs },
      complaints: gateway.complaints(),
    };
  } finally {
    await store.close();
  }
}

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

function configOf(providers: readonly string[], vendorUrl: string): string {
  const entries = providers.map((name) => {
    return [name, { kind: 'ai-tutor', base_url: `${vendorUrl}/${name}`, allow_private_network: true }];
  });
  return JSON.stringify({ providers: Object.fromEntries(entries) });
}

async function keysIn(keyFile: string) {
  return parseMasterKeys(new Secret(await readFile(keyFile, 'utf8')), keyFile);
}

function startRotation(dataDir: string): { child: Child; output: string[]; complaints: string[] } {
  const environment = { RUNGATE_DATA_DIR: dataDir, RUNGATE_CONFIG: join(dataDir, 'rungate.yaml') };
  const child = startChild([PROGRAM, 'vault', 'rotate', '--json'], environment);
  const [output, complaints]: [string[], string[]] = [[], []];
  child.stdout.on('line', (line: string) => output.push(line));
  child.stderr.on('line', (line: string) => complaints.push(line));
  return { child, output, complaints };
}

/** Begins a rotation and kills it once `share` of all rows is re-wrapped; for 0, once its key is in the file. */
async function killRotation(
  share: number,
  { dataDir, keyFile, store, old }: { dataDir: string; keyFile: string; store: Store; old: { fingerprint: string } },
): Promise<KilledRotation> {
  const progress = async () => {
    const counts = await store.sealed.countByMasterKey();
    const rows = (of: typeof counts) => of.reduce((sum, count) => sum + count.rows, 0);
    return { rewrapped: rows(counts.filter(({ fingerprint }) => fingerprint !== old.fingerprint)), rows: rows(counts) };
  };
  const begunMs = performance.now();
  const { child } = startRotation(dataDir);
  const gone = new AbortController();
  void child.gone.then(() => gone.abort());
  while (!gone.signal.aborted) {
    const { rewrapped, rows } = await progress();
    if (share === 0 ? (await keysIn(keyFile)).length > 1 : rewrapped >= rows * share) break;
    await pauseMs(LOOK_MS);
  }
  child.signal('SIGKILL');
  const ending = await child.gone;
  return { wantedShare: share, ending, ...(await progress()), ms: performance.now() - begunMs };
}

async function finishRotation(dataDir: string): Promise<PlayedRotation['last']> {
  const begunMs = performance.now();
  const { child, output, complaints } = startRotation(dataDir);
  const ending = await child.gone;
  const ms = performance.now() - begunMs;
  if (ending !== 'exit 0') return { document: null, complaint: `${ending}: ${complaints.join(' ')}`, ms };
  return { document: reviveJson<RotationDocument>(output.join('\n')), complaint: '', ms };
}

/** A run at every provider that has credentials, several times. */
async function sweep(gateway: GatewayProcess, providers: readonly string[]): Promise<PlayedRotation['swept']> {
  using client = createHttpClient({ url: gateway.url, key: gateway.key, connections: SWEEP_CLIENTS });
  const { data } = await gateway.commandLine.document<{ data: { provider: string }[] }>(['credentials', 'list']);
  const withCredentials = new Set(data.map(({ provider }) => provider));
  const targets = providers
    .filter((provider) => withCredentials.has(provider))
    .flatMap((provider) => [provider, provider]);
  const faults: string[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: SWEEP_CLIENTS }, async () => {
      for (let target = targets[next++]; target !== undefined; target = targets[next++]) {
        const fault = await runOnce(client, target);
        if (fault !== null) faults.push(fault);
      }
    }),
  );
  return { runs: targets.length, faults };
}
