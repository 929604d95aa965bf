import type { Clock } from '../../core/clock.ts';
import { isJsonObject, type JsonObject } from '../../core/json.ts';
import type { Log } from '../../core/log.ts';
import { Secret } from '../../core/secret.ts';
import type { SecretsServerLogin } from '../../core/secrets-server-login.ts';
import type { ReferenceIn, SecretSource } from './secret-source.ts';
import {
  encodePath,
  faultOfStatus,
  ServerFault,
  TOKEN_HEADER,
  type VaultAnswer,
  type VaultHttp,
} from './vault-http.ts';

/** The token that calls are made with. */
export interface VaultTokens {
  /** Logs in where there is none. Throws `ServerFault`. */
  current(): Promise<Secret>;
  /** The server took it. */
  worked(token: Secret): void;
  /** The server refused it. True: there is another now, and the call may be made again. Throws `ServerFault`. */
  refused(token: Secret): Promise<boolean>;
}

export interface VaultTokensParts {
  login: SecretsServerLogin;
  http: VaultHttp;
  files: SecretSource<ReferenceIn<'file'>>;
  clock: Pick<Clock, 'monotonic'>;
  log: Pick<Log, 'warn'>;
}

/** One that never changes, one in a file that somebody else keeps, or one that is fetched. */
export function createVaultTokens(parts: VaultTokensParts): VaultTokens {
  const { login, files } = parts;
  switch (login.by) {
    case 'token':
      return { current: async () => login.token, worked: () => undefined, refused: async () => false };
    case 'token_file':
      return tokenInFile({ in: 'file', path: login.file }, files);
    case 'approle':
      return new AppRoleTokens(parts, login);
  }
}

function tokenInFile(file: ReferenceIn<'file'>, files: SecretSource<ReferenceIn<'file'>>): VaultTokens {
  const current = () => readFile(file, files, 'the token');
  return {
    current,
    worked: () => undefined,
    async refused(token) {
      files.expire?.(file);
      return (await current()).open() !== token.open();
    },
  };
}

async function readFile(
  file: ReferenceIn<'file'>,
  files: SecretSource<ReferenceIn<'file'>>,
  what: string,
): Promise<Secret> {
  const secret = await files.read(file).catch((cause: unknown) => {
    throw new ServerFault(`the file with ${what} for it cannot be read`, { cause });
  });
  if (secret === null) throw new ServerFault(`the file with ${what} for it is not there`);
  const text = secret.open().trim();
  if (!VISIBLE_ASCII.test(text)) throw new ServerFault(`the file with ${what} for it holds none`);
  return text === secret.open() ? secret : new Secret(text);
}

const VISIBLE_ASCII = /^[\x21-\x7e]{1,8192}$/;
/** A token is prolonged once so much of its time is over. */
const PROLONG_SHARE = 2 / 3;
/** One whose time cannot be prolonged by much more is near its end for good. */
const WORTHWHILE_SHARE = 1 / 3;
/** Of its time: the way to the server takes some. */
const SAFETY_SHARE = 0.05;
const TRY_AGAIN_MS = 5_000;
/** A token that was never taken is fetched anew so often at most. */
const LOGIN_AGAIN_MS = 30_000;

interface Held {
  token: Secret;
  renewable: boolean;
  /** Seconds that were given at first; 0: it does not end. */
  leaseS: number;
  since: number;
  prolongAt: number;
  endsAt: number;
  hasWorked: boolean;
}

/**
 * AppRole: `POST /v1/auth/<mount>/login` with `role_id` and `secret_id` gives `auth.client_token`, `auth.lease_duration`
 * (seconds; 0: no end) and `auth.renewable` (https://developer.hashicorp.com/vault/api-docs/auth/approle);
 * `POST /v1/auth/token/renew-self` prolongs it (https://developer.hashicorp.com/vault/api-docs/auth/token). No timer: a
 * token is prolonged, or another fetched, in the background of its use, and what nobody uses may end.
 *
 * States: none -> held -> (prolonged | replaced | refused -> none). At most one login is under way.
 */
class AppRoleTokens implements VaultTokens {
  readonly #parts: VaultTokensParts;
  readonly #login: SecretsServerLogin & { by: 'approle' };
  #held: Held | null = null;
  #loggingIn: Promise<Secret> | null = null;
  #isProlonging = false;
  #prolongNotBefore = -Infinity;

  constructor(parts: VaultTokensParts, login: SecretsServerLogin & { by: 'approle' }) {
    this.#parts = parts;
    this.#login = login;
  }

  async current(): Promise<Secret> {
    const now = this.#parts.clock.monotonic();
    const held = this.#held;
    if (held === null || now >= held.endsAt) return this.#logIn();
    if (now >= held.prolongAt && now >= this.#prolongNotBefore && !this.#isProlonging) void this.#prolong(held);
    return held.token;
  }

  worked(token: Secret): void {
    if (this.#held?.token === token) this.#held.hasWorked = true;
  }

  async refused(token: Secret): Promise<boolean> {
    const held = this.#held;
    if (held !== null && held.token === token) {
      // A new token that is refused at once lacks the right, and a newer one would too.
      const isWorthIt = held.hasWorked || this.#parts.clock.monotonic() - held.since >= LOGIN_AGAIN_MS;
      if (!isWorthIt) return false;
      this.#held = null;
    }
    await this.current();
    return true;
  }

  #logIn(): Promise<Secret> {
    this.#loggingIn ??= this.#askForToken().finally(() => (this.#loggingIn = null));
    return this.#loggingIn;
  }

  async #askForToken(): Promise<Secret> {
    const { http, files, clock } = this.#parts;
    const { mount, roleId, secretId } = this.#login;
    const secret =
      'value' in secretId
        ? secretId.value
        : await readFile({ in: 'file', path: secretId.file }, files, 'the secret id');
    const since = clock.monotonic();
    const answer = await http({
      method: 'POST',
      path: `/auth/${encodePath(mount)}/login`,
      body: { role_id: roleId.open() },
      auth: { type: 'body', name: 'secret_id' },
      secret,
    });
    const lease = leaseOf(answer);
    if (lease === null) throw loginFault(answer);
    const token = lease.token;
    if (token === null) throw new ServerFault('its answer to the login holds no token');
    this.#held = heldFrom({ ...lease, token }, since);
    return token;
  }

  /** Never rejects: until its end the token is good. */
  async #prolong(held: Held): Promise<void> {
    const { http, clock, log } = this.#parts;
    this.#isProlonging = true;
    try {
      const since = clock.monotonic();
      const path = '/auth/token/renew-self';
      const answer = held.renewable
        ? await http({ method: 'POST', path, body: {}, auth: TOKEN_HEADER, secret: held.token })
        : null;
      const lease = answer && leaseOf(answer);
      const isLonger = lease !== null && (lease.leaseS === 0 || lease.leaseS > held.leaseS * WORTHWHILE_SHARE);
      // Meanwhile it was refused, and another was fetched.
      if (this.#held !== held) return;
      if (!isLonger) return void (await this.#logIn());
      const { token, hasWorked, leaseS } = held;
      this.#held = { ...heldFrom({ ...lease, token }, since), leaseS: Math.max(leaseS, lease.leaseS), hasWorked };
    } catch (err) {
      this.#prolongNotBefore = clock.monotonic() + TRY_AGAIN_MS;
      log.warn({ err }, 'the login at the secrets server could not be prolonged');
    } finally {
      this.#isProlonging = false;
    }
  }
}

function heldFrom(lease: { token: Secret; leaseS: number; renewable: boolean }, since: number): Held {
  const ms = lease.leaseS === 0 ? Infinity : lease.leaseS * 1000;
  const prolongAt = since + ms * PROLONG_SHARE;
  return { ...lease, since, prolongAt, endsAt: since + ms * (1 - SAFETY_SHARE), hasWorked: false };
}

/** The `auth` of an answer; null: it has none. A renewal's may leave the token out. */
function leaseOf({ status, body }: VaultAnswer): { token: Secret | null; leaseS: number; renewable: boolean } | null {
  const auth: JsonObject | null = status === 200 && isJsonObject(body?.['auth']) ? body['auth'] : null;
  if (auth === null) return null;
  const { client_token: token, lease_duration: leaseS, renewable } = auth;
  if (typeof leaseS !== 'number' || !(leaseS >= 0)) return null;
  const isToken = typeof token === 'string' && VISIBLE_ASCII.test(token);
  return { token: isToken ? new Secret(token) : null, leaseS, renewable: renewable === true };
}

/** A wrong id is answered with 400, a role that is bound to other addresses with 403 or 400. */
function loginFault({ status }: VaultAnswer): ServerFault {
  if (status === 400 || status === 403 || status === 404) {
    return new ServerFault(
      `it refuses the login by AppRole (${status}): the operator looks at role id, secret id and mount`,
    );
  }
  return faultOfStatus(status);
}
