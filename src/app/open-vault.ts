import { systemClock as clock } from '../core/clock.ts';
import type { Ids } from '../core/ids.ts';
import type { Random } from '../core/random.ts';
import type { CredentialUse } from '../providers/places.ts';
import type { Store } from '../store/open-store.ts';
import { openCredentialStates } from '../vault/credential-states.ts';
import { createVault } from '../vault/credentials.ts';
import { discreetMasterKeys } from '../vault/discreet-master-keys.ts';
import { openMasterKeys } from '../vault/open-master-keys.ts';
import type { References } from '../vault/references/references.ts';
import { createSigningKeyBox } from '../vault/signing-key-box.ts';
import { createSignatureVerifier } from '../vault/verify-signature.ts';
import { createWebhookSecrets } from '../vault/webhook-secrets.ts';
import { masterKeySource } from './master-key-source.ts';
import type { GatewayOptions } from './start-gateway.ts';

export interface OpenVaultParts {
  store: Pick<Store, 'credentials' | 'webhookSecrets'>;
  ids: Ids;
  random: Random;
  references: References;
  mayUse: (use: CredentialUse) => boolean;
}

/** Makes what keeps secrets, and what is made with them, over the store and the master key that the settings name. */
export async function openVault(
  { settings, environment, log }: Pick<GatewayOptions, 'settings' | 'environment' | 'log'>,
  { store, ids, random, references, mayUse }: OpenVaultParts,
) {
  const source = masterKeySource(settings, { environment, mayMake: true });
  const opened = await openMasterKeys(source, { store: store.credentials, clock, random, log });
  const masterKeys = discreetMasterKeys(opened, { clock, log });
  const states = await openCredentialStates({ store: store.credentials, clock, log }, 'serve');
  const parts = { store: store.credentials, states, masterKeys, ids, clock, random, references, mayUse };
  return {
    vault: createVault(parts),
    states,
    webhookSecrets: createWebhookSecrets({ store: store.webhookSecrets, masterKeys, clock, random }),
    verifySignature: createSignatureVerifier({ store: store.credentials, masterKeys }),
    signingKeyBox: createSigningKeyBox({ masterKeys, random }),
  };
}
