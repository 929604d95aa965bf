import type { Actor } from '../core/audit.ts';
import type { Audited } from '../core/audited.ts';
import { GatewayError } from '../core/errors.ts';
import type { Ids } from '../core/ids.ts';
import type { CredentialState } from './credential-state.ts';
import type { CredentialStates } from './credential-states.ts';
import type { CredentialVerdict } from './credential-verdict.ts';
import type { CredentialInfo, CredentialedProvider, NewCredential, Vault } from './credentials.ts';

/** A stored credential with what vendors made of it. */
export type ListedCredential = CredentialInfo & { state: CredentialState };

/** A reference in the configuration. */
export interface ListedReference {
  reference: string;
  provider: string;
  weight: number;
  state: CredentialState;
  /** Whether it names a secret for the process that lists it. */
  isSet: boolean;
}

/** What operators do with vendors' secrets, whichever door they come by. Every change is audited ahead. */
export interface CredentialManager<P extends CredentialedProvider = CredentialedProvider> {
  /** What the vault holds, newest first. */
  list(): Promise<ListedCredential[]>;
  /** What the configuration refers to. Throws where the configuration cannot be read. */
  references(): Promise<ListedReference[]>;
  /**
   * Puts a secret into the vault, with what else new runs may use of its provider. Throws `unknown_provider`, and
   * `invalid_request` naming the field at fault, never showing the secret.
   */
  add(wanted: NewCredential, actor: Actor): Promise<{ added: CredentialInfo; provider: P; others: number }>;
  /** Takes a secret out of the vault for good. Throws `not_found`. */
  remove(id: string, actor: Actor): Promise<void>;
  /** Shows a provider's credentials to its vendor and keeps what it says. Throws `unknown_provider`, and what `verify` throws. */
  verify(provider: string, actor: Actor): Promise<CredentialVerdict[]>;
}

export interface CredentialManagerParts<P extends CredentialedProvider> {
  vault: Pick<Vault, 'add' | 'list' | 'remove'>;
  states: Pick<CredentialStates, 'of'>;
  /** As they are configured now. */
  providers: () => Promise<readonly P[]>;
  isReferenceSet: (reference: string) => Promise<boolean>;
  verify: (provider: P) => Promise<CredentialVerdict[]>;
  ids: Pick<Ids, 'credential'>;
  audited: Audited;
}

export function createCredentialManager<P extends CredentialedProvider>({
  vault,
  states,
  providers,
  isReferenceSet,
  verify,
  ids,
  audited,
}: CredentialManagerParts<P>): CredentialManager<P> {
  async function configured(name: string): Promise<P> {
    const all = await providers();
    const found = all.find((provider) => provider.name === name);
    if (found !== undefined) return found;
    const message = `No provider of this name is configured. There is ${all.map((one) => one.name).join(', ')}; others go into rungate.yaml.`;
    throw new GatewayError('unknown_provider', { message, param: 'provider' });
  }

  async function describe(provider: string, { reference, weight }: CredentialedProvider['credentials'][number]) {
    const isSet = await isReferenceSet(reference);
    return { reference, provider, weight, state: states.of(provider, reference), isSet };
  }

  return {
    async list() {
      return (await vault.list()).map((info) => ({ ...info, state: states.of(info.provider, info.id) }));
    },
    async references() {
      const all = await providers();
      return Promise.all(all.flatMap(({ name, credentials }) => credentials.map((one) => describe(name, one))));
    },
    async add(wanted, actor) {
      const provider = await configured(wanted.provider);
      const { purpose, weight = 1 } = wanted;
      const id = ids.credential();
      const details = { provider: provider.name, purpose, weight };
      return audited({ actor, action: 'credential.add', target: { type: 'credential', id }, details }, async () => {
        const added = await vault.add({ ...wanted, id });
        const beside = (await vault.list(provider.name)).filter((one) => one.purpose === 'api' && one.id !== id);
        return { added, provider, others: beside.length };
      });
    },
    async remove(id, actor) {
      const known = (await vault.list()).find((one) => one.id === id);
      if (known === undefined) throw notFound();
      const details = { provider: known.provider, purpose: known.purpose };
      await audited({ actor, action: 'credential.remove', target: { type: 'credential', id }, details }, async () => {
        if (!(await vault.remove(id))) throw notFound();
      });
    },
    async verify(name, actor) {
      const provider = await configured(name);
      const target = { type: 'provider', id: name } as const;
      const details = { provider: name };
      return audited({ actor, action: 'credential.verify', target, details }, () => verify(provider));
    },
  };
}

function notFound(): GatewayError {
  const message = 'There is no such credential. List them with: rungate credentials list';
  return new GatewayError('not_found', { message });
}
