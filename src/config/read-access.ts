import type { AccessSettings, IssuerSettings, JwtAlgorithm } from '../core/access-settings.ts';
import type { Json } from '../core/json.ts';
import { isOrigin, originFault } from '../core/origin.ts';
import { AccessEntry, baseUrlFault, DEFAULT_ALGORITHM, IssuerEntry } from './config-schema.ts';
import type { EntryReader } from './entry-reader.ts';
import type { YamlPath } from './read-yaml.ts';

/** Reads `access`; its faults are the reader's. */
export function readAccess(entries: EntryReader, value: Json): AccessSettings {
  const entry = entries.entry(AccessEntry, value, ['access']);
  const issuers = (entry.issuers ?? []).map((one, i) => readIssuer(entries, one, ['access', 'issuers', i]));
  refuseRepeats(entries, issuers);
  return { origins: readOrigins(entries, entry.origins ?? []), issuers };
}

function readOrigins(entries: EntryReader, origins: readonly string[]): ReadonlySet<string> {
  const seen = new Set<string>();
  for (const [i, origin] of origins.entries()) {
    const at = ['access', 'origins', i];
    if (!isOrigin(origin)) entries.fault(at, `expected ${originFault(origin)}`);
    else if (seen.has(origin)) entries.fault(at, 'expected each origin once');
    seen.add(origin);
  }
  return seen;
}

function readIssuer(entries: EntryReader, value: Json, at: YamlPath): IssuerSettings {
  const entry = entries.entry(IssuerEntry, value, at);
  const allowPrivateNetwork = entry.allow_private_network ?? false;
  for (const field of ['issuer', 'jwks_uri'] as const) {
    const url = entry[field];
    if (typeof url !== 'string') continue;
    // Some issuers tell their policies apart in the query of where the keys are.
    const fault = baseUrlFault(field === 'issuer' ? url : url.replace(/\?.*$/s, ''), allowPrivateNetwork);
    if (fault !== null) entries.fault([...at, field], fault);
  }
  return {
    issuer: entry.issuer ?? '',
    audience: entry.audience ?? '',
    jwksUri: entry.jwks_uri ?? null,
    algorithms: [...new Set<JwtAlgorithm>(entry.algorithms ?? [DEFAULT_ALGORITHM])],
    keyId: entry.key ?? '',
    subjectClaim: entry.subject_claim ?? 'sub',
    allowPrivateNetwork,
  };
}

/** Users of two issuers may have one name: with one key between them they would see each other's runs. */
function refuseRepeats(entries: EntryReader, issuers: readonly IssuerSettings[]): void {
  for (const [i, { issuer, keyId }] of issuers.entries()) {
    const before = issuers.slice(0, i);
    const at = ['access', 'issuers', i];
    if (issuer !== '' && before.some((other) => other.issuer === issuer)) {
      entries.fault([...at, 'issuer'], 'expected each issuer once');
    }
    if (keyId !== '' && before.some((other) => other.keyId === keyId)) {
      entries.fault([...at, 'key'], 'expected a key of its own for each issuer: users of two may have one name');
    }
  }
}
