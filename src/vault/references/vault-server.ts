import type { Clock } from '../../core/clock.ts';
import { isJsonObject, type Json } from '../../core/json.ts';
import { Secret } from '../../core/secret.ts';
import type { VaultTokens } from './vault-login.ts';
import { encodePath, faultOfStatus, TOKEN_HEADER, type VaultAnswer, type VaultHttp } from './vault-http.ts';

/** What lies at a path: its fields, of which those that are no text are null; or nothing (any more). */
export type KvSecret = { is: 'found'; fields: ReadonlyMap<string, Secret | null>; characters: number } | { is: 'gone' };

/** Reads the latest version of a secret. Throws `ServerFault`. */
export type KvReader = (mount: string, path: string) => Promise<KvSecret>;

export interface KvReaderParts {
  http: VaultHttp;
  tokens: VaultTokens;
  clock: Pick<Clock, 'monotonic'>;
}

/** For how long a path that refuses new tokens is no reason for another one. */
const FORBIDDEN_MS = 30_000;
const FORBIDDEN_MS_MAX = 600_000;
/** So many paths are remembered. */
const FORBIDDEN_MAX = 1_000;

/**
 * `GET /v1/<mount>/data/<path>` of a KV version 2 engine: `data.data` holds the fields, and 404 says that there is
 * nothing, that the version was deleted or destroyed (then with `data.data` null), or that the token may not know
 * (https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-version,
 * https://openbao.org/api-docs/secret/kv/kv-v2/#read-secret-version). A token that was taken before and is refused now
 * (403: revoked, ended or used up) is replaced once, where another can be had. A path that refuses the new token too is one
 * that we have no right to: it is no reason for another token before a while has passed, longer each time.
 */
export function createKvReader({ http, tokens, clock }: KvReaderParts): KvReader {
  const forbidden = new Map<string, { untilMs: number; waitMs: number }>();

  function isForbidden(place: string): boolean {
    return clock.monotonic() < (forbidden.get(place)?.untilMs ?? -Infinity);
  }
  function forbid(place: string): void {
    const { waitMs } = forbidden.get(place) ?? { waitMs: FORBIDDEN_MS / 2 };
    const longer = Math.min(waitMs * 2, FORBIDDEN_MS_MAX);
    if (forbidden.size >= FORBIDDEN_MAX) forbidden.clear();
    forbidden.set(place, { untilMs: clock.monotonic() + longer, waitMs: longer });
  }

  const ask = (mount: string, path: string, token: Secret) =>
    http({
      method: 'GET',
      path: `/${encodePath(mount)}/data/${encodePath(path)}`,
      auth: TOKEN_HEADER,
      secret: token,
    });
  return async (mount, path) => {
    let token = await tokens.current();
    let answer = await ask(mount, path, token);
    const place = `${mount}/${path}`;
    if (answer.status === 403 && !isForbidden(place) && (await tokens.refused(token))) {
      token = await tokens.current();
      answer = await ask(mount, path, token);
      if (answer.status === 403) forbid(place);
    }
    const secret = readAnswer(answer);
    tokens.worked(token);
    forbidden.delete(place);
    return secret;
  };
}

function readAnswer({ status, body }: VaultAnswer): KvSecret {
  const data = isJsonObject(body?.['data']) ? body['data'] : null;
  if (status === 200 && isJsonObject(data?.['data'])) return found(data['data']);
  // A 404 that is not Vault's own is some proxy's, and says nothing of the secret.
  if (status === 404 && (data !== null || Array.isArray(body?.['errors']))) return { is: 'gone' };
  if (status === 200 && data?.['data'] === null) return { is: 'gone' };
  throw faultOfStatus(status);
}

function found(data: Readonly<Record<string, Json>>): KvSecret {
  const fields = new Map<string, Secret | null>();
  let characters = 0;
  for (const [name, value] of Object.entries(data)) {
    fields.set(name, typeof value === 'string' ? new Secret(value) : null);
    characters += name.length + (typeof value === 'string' ? value.length : 0);
  }
  return { is: 'found', fields, characters };
}
