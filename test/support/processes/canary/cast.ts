import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { parseKey } from '../../../../src/access/key-format.ts';
import { AUDIENCE } from '../../oidc-issuer.ts';
import type { EchoServer } from './echo-server.ts';
import type { EchoingVault, Receiver } from './helpers.ts';
import type { Marker } from './markers.ts';
import type { CanarySecrets } from './secrets.ts';
import type { CanaryWorld } from './world.ts';

export const KINDS = ['ai-tutor-stored', 'draft-and-goal', 'b3os', 'interactly'] as const;
export const WORKFLOW = '64b0c1d2e3f405162738495a';
export interface Person {
  id: string;
  key: string;
}

/** Who has keys, and every secret of theirs that was shown once. */
export interface People {
  runs: Person;
  viewer: Person;
  admin: Person;
  markers(): Marker[];
  /** Reads what an answer shows once, and remembers it. */
  shows: (text: string) => string[];
}

export interface Cast {
  secrets: CanarySecrets;
  echo: EchoServer;
  vault: EchoingVault;
  webhooks: Receiver;
  people: People;
  jwt: string;
}

export function environmentFor(
  world: CanaryWorld,
  { secrets, vault, collector }: { secrets: CanarySecrets; vault: EchoingVault; collector: Receiver },
): Record<string, string> {
  return {
    RUNGATE_DATA_DIR: world.dataDir,
    RUNGATE_CONFIG: world.configPath,
    RUNGATE_PORT: '0',
    RUNGATE_ADMIN_PORT: '0',
    RUNGATE_LOG_LEVEL: 'debug',
    RUNGATE_MASTER_KEY_FILE: join(world.directory, 'secret', 'master.key'),
    RUNGATE_VAULT_ADDR: vault.address,
    RUNGATE_VAULT_TOKEN: secrets.vaultToken,
    RUNGATE_VAULT_ALLOW_PRIVATE_NETWORK: 'true',
    RUNGATE_VAULT_CACHE_S: '1',
    RUNGATE_VAULT_OUTAGE_S: '0',
    RUNGATE_WEBHOOK_ALLOW_PRIVATE_NETWORK: 'true',
    RUNGATE_RETRIES_MAX: '0',
    RUNGATE_BREAKER_CALLS_MIN: '1000000',
    RUNGATE_DELTA_GROUP_MS: '1',
    RUNGATE_DRAIN_TIMEOUT_S: '1',
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.origin,
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${secrets.collector}`,
    CANARY_ENV: secrets.environment,
    CANARY_ADDED: secrets.addedByAdmin,
  };
}

export function configFor(
  world: CanaryWorld,
  origin: string,
  issuer: { issuer: string; keyId: string } | null,
): string {
  const provider = (name: string, kind: string, credential: string | null) => ({
    kind,
    base_url: `${origin}/${name}`,
    allow_private_network: true,
    timeouts: { headers_s: 1, idle_s: 1 },
    ...(credential === null ? {} : { credentials: [credential] }),
  });
  const access =
    issuer === null
      ? {}
      : { issuers: [{ issuer: issuer.issuer, audience: AUDIENCE, key: issuer.keyId, allow_private_network: true }] };
  return JSON.stringify({
    providers: {
      'ai-tutor-stored': provider('ai-tutor-stored', 'ai-tutor', null),
      'draft-and-goal': provider('draft-and-goal', 'draft-and-goal', 'env:CANARY_ENV'),
      b3os: provider('b3os', 'b3os', `file:${join(world.directory, 'secret', 'vendor')}`),
      interactly: provider('interactly', 'interactly', 'vault:kv/vendors/interactly#api_key'),
      'ai-tutor-down': { ...provider('x', 'ai-tutor', 'env:CANARY_ENV'), base_url: 'http://127.0.0.1:9' },
    },
    workflows: { canary: { provider: 'ai-tutor-stored', workflow: WORKFLOW } },
    access: { origins: ['https://app.example.com'], ...access },
  });
}

/** Makes keys and stores credentials with the command line, before anything serves. */
export async function makePeople(
  world: CanaryWorld,
  { secrets, echo }: { secrets: CanarySecrets; echo: EchoServer; webhooks: Receiver },
): Promise<People> {
  await writeFile(world.configPath, configFor(world, echo.origin, null));
  const found: Marker[] = [];
  const shows = (text: string): string[] => {
    const values = [...text.matchAll(/rgk_\w+|whsec_[\w+/=]+|rgt_[\w.-]+/g)].map(([value]) => value);
    for (const value of values) {
      found.push({ name: `${value.slice(0, 6)}…, shown once`, value });
      const secret = parseKey(value)?.secret;
      if (secret !== undefined) found.push({ name: 'the secret of a key', value: secret });
    }
    // The secret alone is in the key that shows it.
    return values.flatMap((value) => [value, parseKey(value)?.secret ?? value]);
  };
  const person = async (role: string): Promise<Person> => {
    const text = await world.command(['keys', 'create', '--name', role, '--role', role, '--json'], { shows });
    const { id, key } = JSON.parse(text) as Person;
    return { id, key };
  };
  await world.command(['credentials', 'add', 'ai-tutor-stored', '--stdin'], { stdin: secrets.stored });
  await world.command(['credentials', 'add', 'b3os', '--purpose', 'webhook', '--stdin'], { stdin: secrets.inbound });
  const [runs, viewer, admin] = [await person('runs'), await person('viewer'), await person('admin')];
  return { runs, viewer, admin, shows, markers: () => found };
}

export async function startRun(world: CanaryWorld, { runs }: People, provider: string): Promise<void> {
  const headers = { authorization: `Bearer ${runs.key}`, prefer: 'wait=3' };
  await world.call(`${world.url}/runs`, {
    method: 'POST',
    headers,
    body: { provider, workflow: WORKFLOW, inputs: {}, timeout_s: 4 },
  });
}
