import { copyFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { configFor, KINDS, startRun, type Cast } from './cast.ts';
import { startReceiver, type Receiver } from './helpers.ts';
import type { CanarySecrets } from './secrets.ts';
import type { CanaryWorld } from './world.ts';

const SPANS_WAITS_MAX = 30;

/** Everything that may go wrong with the process and what it stands on. */
export async function playFailures(
  world: CanaryWorld,
  cast: Cast & { stray: Receiver },
  oddities: string[],
): Promise<void> {
  await playBadReloads(world, cast);
  const dying = Promise.all(KINDS.map((kind) => startRun(world, cast.people, kind)));
  await sleep(300);
  world.signal('SIGKILL');
  await Promise.all([dying, world.gone()]);
  await world.takeFiles('after a kill');
  for (const [what, environment] of await badStarts(world, cast.secrets)) {
    if (!(await world.serve(environment))) continue;
    oddities.push(`it started with ${what}`);
    world.signal('SIGTERM');
    await world.gone();
  }
  await playChangedSurroundings(world, cast, oddities);
  await world.command(['restore', join(world.dataDir, 'before.backup')]);
}

/** Configurations with secrets where none belong: each is refused, and the one before stays. */
async function playBadReloads(world: CanaryWorld, { secrets, echo }: Cast): Promise<void> {
  const good = configFor(world, echo.origin, null);
  const bad = [
    good.replace('env:CANARY_ENV', secrets.inConfiguration),
    good.replace('"http://127.0.0.1:9"', `"https://user:${secrets.inBaseUrl}@vendor.example"`),
    good.replace('"workflows":', `"api_key":"${secrets.inConfiguration}","workflows":`),
    good.replace('env:CANARY_ENV', `vault:${secrets.inConfiguration}`),
    `providers:\n  x: { kind: ai-tutor, credentials: ["${secrets.inConfiguration}`,
  ];
  for (const text of bad) {
    await writeFile(world.configPath, text);
    world.signal('SIGHUP');
    await sleep(700);
    await world.command(['check', world.configPath]);
  }
  await writeFile(world.configPath, good);
  world.signal('SIGHUP');
  await sleep(700);
}

/** Environments with which nothing may start, and what is wrong with each. */
async function badStarts(world: CanaryWorld, secrets: CanarySecrets): Promise<[string, Record<string, string>][]> {
  const secretFile = (name: string) => join(world.directory, 'secret', name);
  const broken = join(world.dataDir, 'broken.db');
  await copyFile(join(world.dataDir, 'before.backup'), broken);
  await truncate(broken, 5_000);
  return [
    ['another master key', { RUNGATE_MASTER_KEY_FILE: secretFile('wrong.key') }],
    ['a master key that is none', { RUNGATE_MASTER_KEY_FILE: '', RUNGATE_MASTER_KEY: secrets.brokenMasterKey }],
    ['a master key too many', { RUNGATE_MASTER_KEY: secrets.wrongMasterKey }],
    [
      'a command for the master key that fails',
      { RUNGATE_MASTER_KEY_FILE: '', RUNGATE_MASTER_KEY_COMMAND: `cat ${secretFile('wrong.key')}; exit 3` },
    ],
    [
      'a command that prints something else than a key',
      { RUNGATE_MASTER_KEY_FILE: '', RUNGATE_MASTER_KEY_COMMAND: `cat ${secretFile('vendor')}` },
    ],
    ['a broken database', { RUNGATE_DATABASE_URL: `sqlite:${broken}` }],
    [
      'a password in the address of the database',
      { RUNGATE_DATABASE_URL: `postgres://u:${secrets.inBaseUrl}@127.0.0.1/x` },
    ],
    [
      'a password in the address of the secrets server',
      { RUNGATE_VAULT_ADDR: `https://u:${secrets.inBaseUrl}@127.0.0.1` },
    ],
    ['a token that is none', { RUNGATE_VAULT_TOKEN: `${secrets.vaultToken}\n${secrets.inWrongHeader}` }],
    ['headers that are none', { OTEL_EXPORTER_OTLP_HEADERS: `authorization ${secrets.collector}` }],
    ['a port that is none', { RUNGATE_PORT: secrets.inWrongHeader }],
  ];
}

/** Another login of the secrets server, which refuses it and repeats it; and a collector that has moved. */
async function playChangedSurroundings(
  world: CanaryWorld,
  { secrets, people, vault, stray }: Cast & { stray: Receiver },
  oddities: string[],
): Promise<void> {
  vault.refuses = true;
  await using moved = await startReceiver(307, `${stray.origin}/v1/traces`);
  const started = await world.serve({
    OTEL_EXPORTER_OTLP_ENDPOINT: moved.origin,
    RUNGATE_VAULT_TOKEN: '',
    RUNGATE_VAULT_ROLE_ID: secrets.vaultRole,
    RUNGATE_VAULT_SECRET_ID: secrets.vaultSecretId,
  });
  if (!started) throw new Error(`it did not start again: ${world.lastLines()}`);
  await startRun(world, people, 'ai-tutor-stored');
  await startRun(world, people, 'interactly');
  for (let waits = 0; waits < SPANS_WAITS_MAX && moved.received.length === 0; waits++) await sleep(500);
  // A little longer, for whoever would follow.
  await sleep(500);
  if (moved.received.length === 0) oddities.push('the collector that has moved was sent nothing');
}
