import { randomBytes } from 'node:crypto';
import { makeSecret, type Marker } from './markers.ts';

/** Every secret that the operator has, by what it is for. */
export type CanarySecrets = ReturnType<typeof makeSecrets>;

export function makeSecrets() {
  return {
    stored: makeSecret('stored'),
    addedByAdmin: makeSecret('added'),
    environment: makeSecret('env'),
    file: makeSecret('file'),
    vault: makeSecret('vault'),
    inbound: makeSecret('inbound'),
    vaultToken: `mk-vault-token-${randomBytes(16).toString('hex')}`,
    vaultRole: `mk-vault-role-${randomBytes(16).toString('hex')}`,
    vaultSecretId: `mk-vault-secret-id-${randomBytes(16).toString('hex')}`,
    collector: `mk-collector-${randomBytes(16).toString('hex')}`,
    masterKey: randomBytes(32).toString('base64'),
    nextMasterKey: randomBytes(32).toString('base64'),
    wrongMasterKey: randomBytes(32).toString('base64'),
    brokenMasterKey: `mk-broken-master-key-${randomBytes(16).toString('hex')}`,
    // Written where none belongs.
    inConfiguration: `mk-in-configuration-${randomBytes(16).toString('hex')}`,
    inBaseUrl: `mk-in-base-url-${randomBytes(16).toString('hex')}`,
    inWrongHeader: `mk-in-wrong-header-${randomBytes(16).toString('hex')}`,
    inAddress: `mk-in-address-${randomBytes(16).toString('hex')}`,
  };
}

/** All that is looked for; bytes that are base64 are looked for as bytes too. */
export function markersOf(secrets: CanarySecrets, more: readonly Marker[]): Marker[] {
  const named = Object.entries(secrets).map(([name, value]) => ({ name, value }));
  const asBytes = (['masterKey', 'nextMasterKey', 'wrongMasterKey'] as const).map((name) => ({
    name: `${name}, its bytes`,
    value: Buffer.from(secrets[name], 'base64'),
  }));
  return [...named, ...asBytes, ...more];
}
