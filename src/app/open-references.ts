import { variable, type Environment } from '../config/environment.ts';
import type { Settings } from '../config/load-settings.ts';
import { isOwnVariable, OWN_SECRET, ownSecretFiles } from '../config/own-secrets.ts';
import type { Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Random } from '../core/random.ts';
import { Secret } from '../core/secret.ts';
import { createUpstream } from '../upstream/create-upstream.ts';
import { createFileSecrets } from '../vault/references/file-secrets.ts';
import { createKvSecrets } from '../vault/references/kv-secrets.ts';
import { createReferences, type References } from '../vault/references/references.ts';
import type { ReferenceIn, SecretSource } from '../vault/references/secret-source.ts';
import { createVaultHttp } from '../vault/references/vault-http.ts';
import { createVaultTokens } from '../vault/references/vault-login.ts';
import { createKvReader } from '../vault/references/vault-server.ts';
import { secretsServerLimits, upstreamLimits } from './limits.ts';
import { VERSION } from './version.ts';

export interface OpenReferencesParts {
  settings: Pick<Settings, 'vault' | 'limits'>;
  environment: Environment;
  clock: Clock;
  random: Random;
  log: Log;
}

const ANSWER_BYTES_MAX = 1024 * 1024;
const CONNECTIONS_MAX = 8;

export interface OpenReferences extends References {
  /** Whether it names a secret for this process, files read; a secrets server is not asked. */
  names(reference: string): Promise<boolean>;
  /** Ends the calls that are under way. */
  close(): Promise<void>;
}

/** Makes what reads references. */
export function openReferences(parts: OpenReferencesParts): OpenReferences {
  const { settings, environment, clock, log } = parts;
  const refused = { paths: ownSecretFiles(environment), reason: `it ${OWN_SECRET}` };
  const file = createFileSecrets({ clock, refused });
  const server =
    settings.vault === null ? null : openSecretsServer(settings.vault, createFileSecrets({ clock }), parts);
  const references = createReferences({
    env: environmentSecrets(environment),
    file,
    vault: server?.secrets ?? null,
    clock,
    log,
  });
  return {
    ...references,
    async names(reference) {
      if (reference.startsWith('vault:')) return references.isSet(reference);
      const secret = await references.read(reference).catch(() => null);
      return secret !== null && secret.open() !== '';
    },
    close: async () => server?.close(),
  };
}

function environmentSecrets(environment: Environment): SecretSource<ReferenceIn<'env'>> {
  // Few names are ever read: those that the configuration refers to, and runs that are still under way.
  const read = new Map<string, Secret>();
  return {
    isSet: ({ name }) => variable(environment, name) !== undefined,
    async read({ name }) {
      const known = read.get(name);
      if (known !== undefined) return known;
      // The configuration refuses it too; this holds for whatever else may name it.
      if (isOwnVariable(name)) throw new GatewayError('no_credential', { message: `The variable ${OWN_SECRET}.` });
      const value = variable(environment, name);
      if (value === undefined) return null;
      const secret = new Secret(value);
      read.set(name, secret);
      return secret;
    },
    expire: null,
  };
}

/** With connections of its own: no vendor's calls hold it up, and no exempted loopback address is within its reach. */
function openSecretsServer(
  { address, namespace, allowPrivateNetwork, login }: NonNullable<Settings['vault']>,
  files: SecretSource<ReferenceIn<'file'>>,
  { settings, clock, random, log }: OpenReferencesParts,
) {
  const limits = secretsServerLimits(settings.limits);
  const upstream = createUpstream({
    clock,
    random,
    log,
    version: VERSION,
    limits: {
      ...upstreamLimits(settings.limits),
      connectionsPerOriginMax: CONNECTIONS_MAX,
      answerBytesMax: ANSWER_BYTES_MAX,
    },
    guard: { allowedLoopback: new Set() },
  });
  const closing = new AbortController();
  const { timeoutMs } = limits;
  const { signal } = closing;
  const http = createVaultHttp({ address, namespace, allowPrivateNetwork, timeoutMs, outbound: upstream, signal });
  const tokens = createVaultTokens({ login, http, files, clock, log });
  return {
    secrets: createKvSecrets({ read: createKvReader({ http, tokens, clock }), limits, clock, log }),
    async close() {
      closing.abort();
      await upstream.close();
    },
  };
}
