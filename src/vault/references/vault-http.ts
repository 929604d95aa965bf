import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { OutboundError, type Auth, type Outbound, type OutboundFailure } from '../../core/outbound.ts';
import type { Secret } from '../../core/secret.ts';

/** Why the secrets server cannot be used now. The message is a clause for people, without addresses, paths and secrets. */
export class ServerFault extends Error {
  override readonly name = 'ServerFault';
}

export interface VaultAnswer {
  status: number;
  /** Undefined: the body is no JSON object. It holds secrets: what is needed of it becomes `Secret` at once. */
  body: JsonObject | undefined;
}

export interface VaultCall {
  method: 'GET' | 'POST';
  /** Below `/v1`; names are encoded already. */
  path: string;
  body?: Json;
  /** A token goes into its header; a secret id into the body of a login, under its name. */
  auth: Auth;
  secret: Secret;
}

export interface VaultHttpParts {
  /** Without a trailing slash. */
  address: string;
  namespace: string | null;
  allowPrivateNetwork: boolean;
  timeoutMs: number;
  outbound: Pick<Outbound, 'send'>;
  signal: AbortSignal;
}

/** Makes one call. Throws `ServerFault` where no answer came. */
export type VaultHttp = (call: VaultCall) => Promise<VaultAnswer>;

/** https://developer.hashicorp.com/vault/api-docs#authentication */
export const TOKEN_HEADER: Auth = { type: 'header', name: 'X-Vault-Token' };

/**
 * Calls of a HashiCorp Vault or OpenBao server: https://developer.hashicorp.com/vault/api-docs and
 * https://openbao.org/api-docs. `X-Vault-Request` goes along because agents and proxies may ask for it.
 */
export function createVaultHttp(parts: VaultHttpParts): VaultHttp {
  const { address, namespace, allowPrivateNetwork, timeoutMs, outbound, signal } = parts;
  const { origin } = new URL(address);
  const headers = { 'X-Vault-Request': 'true', ...(namespace === null ? {} : { 'X-Vault-Namespace': namespace }) };
  return async ({ method, path, body, auth, secret }) => {
    try {
      const answer = await outbound.send(
        {
          baseUrl: address,
          allowPrivateNetwork,
          method,
          path: `/v1${path}`,
          ...(body === undefined ? {} : { body }),
          headers,
          auth,
          credential: { id: 'secrets server', origin, open: async () => secret },
          trace: null,
          // A login counts; and calls are rare, so that an old connection would often be a closed one.
          connection: 'start',
          headersTimeoutMs: timeoutMs,
          bodyTimeoutMs: timeoutMs,
          totalTimeoutMs: timeoutMs,
        },
        signal,
      );
      const { kind } = answer.body;
      if (kind === 'broken') throw new ServerFault('it broke its answer off', { cause: answer.body.cause });
      if (kind === 'too_large') throw new ServerFault('its answer is too large');
      const value = kind === 'json' ? answer.body.value : undefined;
      return { status: answer.status, body: isJsonObject(value) ? value : undefined };
    } catch (cause) {
      if (cause instanceof OutboundError) throw new ServerFault(WORDS[cause.failure], { cause });
      throw cause;
    }
  };
}

/** Encodes the names of a path, and leaves its slashes. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

/** What an answer that is none of a success says. https://developer.hashicorp.com/vault/api-docs#http-status-codes */
export function faultOfStatus(status: number): ServerFault {
  if (status >= 300 && status < 400) {
    return new ServerFault(`it redirects (${status}), which is not followed: set RUNGATE_VAULT_ADDR to where it does`);
  }
  if (status >= 200 && status < 300) return new ServerFault('its answer is none that Vault gives');
  return new ServerFault(`${STATUS_WORDS[status] ?? 'it failed'} (${status})`);
}

const STATUS_WORDS: Readonly<Record<number, string>> = {
  400: 'it refuses the request',
  403: 'it refuses the login, or the login may not read this',
  404: 'it has no such path',
  405: 'it does not take such requests',
  412: 'it has not caught up with its own data',
  429: 'it is a standby, or limits us',
  472: 'it is a standby',
  473: 'it is a standby',
  501: 'it is not initialized',
  503: 'it is sealed, or down for maintenance',
};

const WORDS: Readonly<Record<OutboundFailure, string>> = {
  dns: 'its name has no address',
  connect: 'there is no connection to it',
  tls: 'its certificate is not trusted (NODE_EXTRA_CA_CERTS adds one)',
  forbidden_address: 'its address is private, which RUNGATE_VAULT_ALLOW_PRIVATE_NETWORK lets pass',
  invalid_request: 'the request cannot be written',
  headers_timeout: 'it did not answer in time',
  body_timeout: 'it fell silent',
  too_large: 'its answer is too large',
  reset: 'it broke the connection off',
  aborted: 'Rungate is about to stop',
  held_back: 'it was not asked',
};
