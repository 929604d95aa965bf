import { GatewayError } from '../core/errors.ts';
import { shownToCallers } from '../core/secret-reference.ts';
import { Secret, type SealedCredential } from '../core/secret.ts';
import type { MasterKeys } from './master-key.ts';
import { cannotOpen, openSealed } from './open-sealed.ts';
import type { StoredCredential } from './ports.ts';
import type { References } from './references/references.ts';
import { credentialPlace } from './sealed-places.ts';

const SECRET_LENGTH_MAX = 8192;
/** What a header value can carry unchanged. */
const VISIBLE_ASCII = /^[\x21-\x7e]+$/;

/** Where a provider's credential is to go; `reference` null: a stored one. */
export interface CredentialUse {
  provider: string;
  origin: string;
  reference: string | null;
}

export interface ClosedCredentialsParts {
  masterKeys: MasterKeys;
  references: References;
  /**
   * Whether the configuration sends a provider's credential to this origin. The run that it is reopened for cannot tell:
   * its row may have been written by others.
   */
  mayUse: (use: CredentialUse) => boolean;
}

/** Credentials as they are handed out: closed, and bound to one origin. */
export interface ClosedCredentials {
  referenced(reference: string, origin: string): SealedCredential;
  stored(row: StoredCredential, origin: string): SealedCredential;
  /** The same, opened only while the configuration sends it there. */
  stillUsed(credential: SealedCredential, use: CredentialUse): SealedCredential;
}

/** Makes what hands them out. Nothing is read or decrypted before one is opened. */
export function createClosedCredentials({ masterKeys, references, mayUse }: ClosedCredentialsParts): ClosedCredentials {
  return {
    referenced(reference, origin) {
      return {
        id: reference,
        origin,
        async open() {
          const secret = await references.read(reference);
          if (secret === null) throw missing(reference);
          const { usable, fault } = readSecret(secret);
          if (usable === null) throw cannotOpen(`credential ${nameOf(reference)}`, fault);
          return usable;
        },
      };
    },
    stored(row, origin) {
      const open = () => openSealed(row.sealed, credentialPlace(row), { masterKeys, what: `credential ${row.id}` });
      return { id: row.id, origin, open };
    },
    // While it is read, the provider may move, and the secret become the new address's.
    stillUsed(credential, use) {
      return {
        ...credential,
        async open() {
          const secret = await credential.open();
          if (mayUse(use)) return secret;
          const message = `The credential is not used for ${use.provider} at the address of this run any more.`;
          throw new GatewayError('no_credential', { provider: use.provider, message });
        },
      };
    },
  };
}

/** Callers read it. */
function nameOf(reference: string): string {
  const shown = shownToCallers(reference);
  return shown === reference ? reference : `of a ${shown}: reference`;
}

function missing(reference: string): GatewayError {
  const what = reference.startsWith('env:') ? `${reference} is not set` : MISSING[reference.split(':', 1)[0] ?? ''];
  return new GatewayError('no_credential', { message: `${what ?? 'The secret is not there'}.` });
}

const MISSING: Readonly<Record<string, string>> = {
  file: 'The file of the secret is not there; the operator puts it there',
  vault: 'The secrets server has no such secret, or the secret no such field; the operator looks at both',
};

/** Says whether a header can carry a secret. One line break at the end is the shell's, not the secret's. */
export function readSecret(secret: Secret): ReadSecret {
  return secret.derive(readText);
}

type ReadSecret = { usable: Secret; fault: null } | { usable: null; fault: string };

function readText(secret: Secret): ReadSecret {
  const text = secret.open().replace(/\r?\n$/, '');
  if (text === '') return { usable: null, fault: 'it is empty' };
  if (text.length > SECRET_LENGTH_MAX) {
    return { usable: null, fault: `it is longer than ${SECRET_LENGTH_MAX} characters` };
  }
  if (!VISIBLE_ASCII.test(text)) {
    return { usable: null, fault: 'it has a space, a line break or another character that no header can carry' };
  }
  const before = secret.before.flatMap((one) => readSecret(one).usable ?? []);
  return { usable: new Secret(text, before), fault: null };
}
