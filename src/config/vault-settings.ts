import { Secret } from '../core/secret.ts';
import type { SecretsServerLogin } from '../core/secrets-server-login.ts';
import { readBoolean, type SettingReader } from './setting-reader.ts';
import type { TextSetting } from './text-settings.ts';

/** How to reach the server behind `vault:` references. */
export const VAULT_SETTINGS = {
  address: {
    variable: 'RUNGATE_VAULT_ADDR',
    form: 'an https URL',
    default: null,
    secret: false,
    docs: 'A HashiCorp Vault or OpenBao server, such as `https://vault.example.com:8200`. Without it `vault:` references are refused.',
  },
  token: {
    variable: 'RUNGATE_VAULT_TOKEN',
    form: 'a token',
    default: null,
    secret: true,
    docs: 'What Rungate shows there. Somebody else renews it: for that take the next one.',
  },
  tokenFile: {
    variable: 'RUNGATE_VAULT_TOKEN_FILE',
    form: 'an absolute path',
    default: null,
    secret: false,
    docs: 'A file with the token, read again when it changes: what Vault Agent or OpenBao Agent writes.',
  },
  roleId: {
    variable: 'RUNGATE_VAULT_ROLE_ID',
    form: 'a role id',
    default: null,
    secret: true,
    docs: 'Log in by AppRole instead of with a token. Needs one of the next two.',
  },
  secretId: {
    variable: 'RUNGATE_VAULT_SECRET_ID',
    form: 'a secret id',
    default: null,
    secret: true,
    docs: 'The role’s secret id.',
  },
  secretIdFile: {
    variable: 'RUNGATE_VAULT_SECRET_ID_FILE',
    form: 'an absolute path',
    default: null,
    secret: false,
    docs: 'A file with the secret id, read again when it changes.',
  },
  authMount: {
    variable: 'RUNGATE_VAULT_AUTH_MOUNT',
    form: 'a path',
    default: 'approle',
    secret: false,
    docs: 'Where AppRole is mounted, below `auth/`.',
  },
  namespace: {
    variable: 'RUNGATE_VAULT_NAMESPACE',
    form: 'a path',
    default: null,
    secret: false,
    docs: 'The namespace, where the server has them.',
  },
  allowPrivateNetwork: {
    variable: 'RUNGATE_VAULT_ALLOW_PRIVATE_NETWORK',
    form: 'true or false',
    default: 'false',
    secret: false,
    docs: 'Whether the server may be at a private, loopback or link-local address, or at an `http://` one.',
  },
} as const satisfies Record<string, TextSetting>;

export interface VaultSettings {
  /** Without a trailing slash. */
  address: string;
  namespace: string | null;
  allowPrivateNetwork: boolean;
  login: SecretsServerLogin;
}

/** What a header carries unchanged; tokens and ids have no spaces. */
const VISIBLE_ASCII = /^[\x21-\x7e]{1,4096}$/;
const PATH = /^[A-Za-z0-9_.~@-]{1,128}(\/[A-Za-z0-9_.~@-]{1,128}){0,15}$/;
const ABSOLUTE_PATH = /^\/[^/\0][^\0]{0,1022}$/;

/** The server behind `vault:` references; null: none is set. Settings that do nothing without another are faults. */
export function readVaultSettings(reader: SettingReader): VaultSettings | null {
  const { address } = VAULT_SETTINGS;
  const isPrivate = readBoolean(reader, VAULT_SETTINGS.allowPrivateNetwork);
  if (reader.text(address) === undefined) {
    for (const setting of Object.values(VAULT_SETTINGS)) {
      if (reader.text(setting) !== undefined)
        reader.fault(setting.variable, `does nothing without ${address.variable}`);
    }
    return null;
  }
  const url = readAddress(reader, isPrivate);
  const namespace = readPath(reader, VAULT_SETTINGS.namespace);
  const login = readLogin(reader);
  return url === null || login === null ? null : { address: url, namespace, allowPrivateNetwork: isPrivate, login };
}

/** Faults never quote the address: it could hold a password. */
function readAddress(reader: SettingReader, allowPrivateNetwork: boolean): string | null {
  const { address, allowPrivateNetwork: allow } = VAULT_SETTINGS;
  const url = URL.parse(reader.text(address) ?? '');
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    reader.fault(address.variable, 'expected an https URL, such as https://vault.example.com:8200');
    return null;
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    reader.fault(address.variable, 'expected a URL without user, password, query and fragment');
    return null;
  }
  if (url.protocol === 'http:' && !allowPrivateNetwork) {
    reader.fault(address.variable, `expected https://; ${allow.variable} lets http:// pass`);
    return null;
  }
  if (/\/v1\/*$/.test(url.pathname)) {
    reader.fault(address.variable, 'expected the server alone: /v1 is added to it');
    return null;
  }
  return url.href.replace(/\/+$/, '');
}

/** Exactly one way in. */
function readLogin(reader: SettingReader): SecretsServerLogin | null {
  const { token, tokenFile, roleId, secretId, secretIdFile, authMount, address } = VAULT_SETTINGS;
  const given = [token, tokenFile, roleId].filter((setting) => reader.text(setting) !== undefined);
  const [way, other] = given;
  const names = `${token.variable}, ${tokenFile.variable} or ${roleId.variable}`;
  if (way === undefined) {
    const alone = [secretId, secretIdFile].find((setting) => reader.text(setting) !== undefined);
    if (alone) reader.fault(alone.variable, `does nothing without ${roleId.variable}`);
    else reader.fault(address.variable, `needs a way to log in: set ${names}`);
    return null;
  }
  if (other !== undefined) {
    reader.fault(other.variable, `expected only one of ${names}`);
    return null;
  }
  if (way === roleId) return readAppRole(reader);
  for (const unused of [secretId, secretIdFile, authMount]) {
    if (reader.text(unused) !== undefined) reader.fault(unused.variable, `does nothing without ${roleId.variable}`);
  }
  if (way === token) {
    const value = readVisible(reader, token);
    return value === null ? null : { by: 'token', token: value };
  }
  const file = readFilePath(reader, tokenFile);
  return file === null ? null : { by: 'token_file', file };
}

function readAppRole(reader: SettingReader): SecretsServerLogin | null {
  const { roleId, secretId, secretIdFile, authMount } = VAULT_SETTINGS;
  const role = readVisible(reader, roleId);
  const mount = readPath(reader, authMount) ?? authMount.default;
  const isValue = reader.text(secretId) !== undefined;
  const isFile = reader.text(secretIdFile) !== undefined;
  if (isValue === isFile) {
    const names = `${secretId.variable} or ${secretIdFile.variable}`;
    if (isValue) reader.fault(secretIdFile.variable, `expected either ${names}, not both`);
    else reader.fault(roleId.variable, `needs ${names}`);
    return null;
  }
  if (isFile) {
    const file = readFilePath(reader, secretIdFile);
    return role === null || file === null ? null : { by: 'approle', mount, roleId: role, secretId: { file } };
  }
  const value = readVisible(reader, secretId);
  return role === null || value === null ? null : { by: 'approle', mount, roleId: role, secretId: { value } };
}

function readVisible(reader: SettingReader, setting: TextSetting): Secret | null {
  const text = reader.text(setting) ?? '';
  if (VISIBLE_ASCII.test(text)) return new Secret(text);
  reader.fault(setting.variable, `expected ${setting.form}, of visible ASCII characters`);
  return null;
}

function readFilePath(reader: SettingReader, setting: TextSetting): string | null {
  const text = reader.text(setting) ?? '';
  if (ABSOLUTE_PATH.test(text)) return text;
  reader.fault(setting.variable, `expected ${setting.form}`);
  return null;
}

/** Null: not set, or wrong. Slashes at its ends say nothing. */
function readPath(reader: SettingReader, setting: TextSetting): string | null {
  const text = reader.text(setting)?.replace(/^\/+|\/+$/g, '');
  if (text === undefined) return null;
  const isGood = PATH.test(text) && !text.split('/').some((name) => name === '.' || name === '..');
  if (!isGood) reader.fault(setting.variable, `expected ${setting.form}, of letters, digits and _.~@-`);
  return isGood ? text : null;
}
