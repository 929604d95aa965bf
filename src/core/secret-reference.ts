import { isPrintable } from './printable.ts';

/** Where a secret lies that Rungate does not keep itself. */
export type SecretReference =
  /** `env:NAME`: an environment variable. */
  | { readonly in: 'env'; readonly name: string }
  /** `file:/absolute/path`: the text of a file. */
  | { readonly in: 'file'; readonly path: string }
  /** `vault:<mount>/<path>#<field>`: a field of a KV version 2 secret. Mount and path are decoded, without slashes at their ends. */
  | { readonly in: 'vault'; readonly mount: string; readonly path: string; readonly field: string };

export type ParsedReference = { ok: true; reference: SecretReference } | { ok: false; fault: string };

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,199}$/;
const PATH_LENGTH_MAX = 1024;
/** Of a path in Vault as it is written: what else a name has is percent-encoded. */
const SEGMENT = /^(?:[A-Za-z0-9_.~@:+=,-]|%[0-9A-Fa-f]{2})+$/;
const FIELD_LENGTH_MAX = 200;
const VAULT_FORM = 'expected vault:<mount>/<path>#<field>, such as vault:kv/vendors/ai-tutor#api_key';

/** What callers may see of a credential's id: of a reference that is a path, only where it lies, `file` or `vault`. */
export function shownToCallers(id: string): string {
  const where = /^([a-z]+):/.exec(id)?.[1];
  return where === undefined || where === 'env' ? id : where;
}

/** Reads a reference. Faults never quote it: people paste the secret itself. */
export function parseReference(text: string): ParsedReference {
  if (text.startsWith('env:')) return parseVariable(text.slice('env:'.length));
  if (text.startsWith('file:')) return parseFile(text.slice('file:'.length));
  if (text.startsWith('vault:')) return parseVault(text.slice('vault:'.length));
  return refused('expected a reference to a secret, such as env:AI_TUTOR_KEY, and never the secret itself');
}

function parseVariable(name: string): ParsedReference {
  if (VARIABLE.test(name)) return { ok: true, reference: { in: 'env', name } };
  return refused('expected a reference with the name of a variable, such as env:AI_TUTOR_KEY');
}

function parseFile(path: string): ParsedReference {
  if (!path.startsWith('/') || path.startsWith('//')) {
    return refused('expected an absolute path, such as file:/run/secrets/ai-tutor');
  }
  if (path.length > PATH_LENGTH_MAX) return refused(`expected a path of at most ${PATH_LENGTH_MAX} characters`);
  if (!isPrintable(path)) return refused('expected a path of printable characters');
  if (path.split('/').some((name) => name === '.' || name === '..')) return refused('expected a path without . and ..');
  if (path.endsWith('/')) return refused('expected the path of a file, which does not end with /');
  return { ok: true, reference: { in: 'file', path } };
}

function parseVault(text: string): ParsedReference {
  const hash = text.indexOf('#');
  if (hash === -1 || hash === text.length - 1) return refused(`${VAULT_FORM}: the field is missing`);
  const field = text.slice(hash + 1);
  if (field.length > FIELD_LENGTH_MAX || !isPrintable(field) || field.includes('#')) {
    return refused(`${VAULT_FORM}: the field has at most ${FIELD_LENGTH_MAX} printable characters and no #`);
  }
  if (hash > PATH_LENGTH_MAX) return refused(`expected a path of at most ${PATH_LENGTH_MAX} characters`);
  const segments = text.slice(0, hash).split('/').map(decodeSegment);
  if (!segments.every((segment) => segment !== null)) {
    return refused(
      `${VAULT_FORM}: names of letters, digits and _.~@:+=,- or percent-encoded, and none is empty, . or ..`,
    );
  }
  const [mount, ...names] = segments;
  if (mount === undefined || names.length === 0) return refused(`${VAULT_FORM}: the path is missing`);
  const path = names.join('/');
  // Vault takes no path that ends so: https://developer.hashicorp.com/vault/api-docs#parameter-restrictions
  if (path.endsWith('.')) return refused(`${VAULT_FORM}: a path that does not end with a period`);
  return { ok: true, reference: { in: 'vault', mount, path, field } };
}

/** Null where it is none. Encoded slashes are how a mount that has slashes is written. */
function decodeSegment(segment: string): string | null {
  if (!SEGMENT.test(segment)) return null;
  try {
    const decoded = decodeURIComponent(segment);
    const isGood = decoded.split('/').every((name) => name !== '' && name !== '.' && name !== '..');
    return isGood && isPrintable(decoded) ? decoded : null;
  } catch {
    return null;
  }
}

function refused(fault: string): ParsedReference {
  return { ok: false, fault };
}
