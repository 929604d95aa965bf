import type * as z from 'zod';
import { isJsonObject, type Json } from '../core/json.ts';
import type { AnyProviderKind } from '../providers/define-provider.ts';
import type {
  CredentialReference,
  ProviderLimits,
  ProviderSetting,
  ProviderTimeouts,
  StartLimits,
} from '../providers/registry.ts';
import {
  baseUrlFault,
  CredentialEntry,
  LimitsEntry,
  normalizeBaseUrl,
  PerCredentialEntry,
  ProviderEntry,
  TimeoutsEntry,
} from './config-schema.ts';
import type { EntryReader } from './entry-reader.ts';
import type { Environment } from './environment.ts';
import { didYouMean } from './nearest-name.ts';
import type { YamlPath } from './read-yaml.ts';
import { referenceFault, unsetFault } from './references.ts';

export interface ReadProviderParts {
  entries: EntryReader;
  kinds: ReadonlyMap<string, AnyProviderKind>;
  /** Where references are looked up; null: they are not. */
  environment: Environment | null;
}

export interface ProviderRead {
  setting: ProviderSetting;
  /** Null where the entry is at fault. */
  kind: AnyProviderKind | null;
}

/** Reads one entry of `providers`; its faults are the reader's. */
export function readProvider(parts: ReadProviderParts, name: string, value: Json): ProviderRead {
  const { entries } = parts;
  const at = ['providers', name];
  entries.name(name, at);
  const entry = entries.entry(ProviderEntry, value, at);
  const kind = kindOf(parts, { name, kindName: entry.kind ?? null, at });
  const allowPrivateNetwork = entry.allow_private_network ?? false;
  const { base_url: baseUrl } = entry;
  const urlFault = typeof baseUrl === 'string' ? baseUrlFault(baseUrl, allowPrivateNetwork) : null;
  if (urlFault !== null) entries.fault([...at, 'base_url'], urlFault);
  if (kind) entries.check(kind.settings, entry.settings ?? {}, [...at, 'settings']);
  const setting: ProviderSetting = {
    kind: kind?.kind ?? name,
    allowPrivateNetwork,
    settings: entry.settings ?? {},
    credentials: credentialsOf(parts, entry.credentials ?? [], [...at, 'credentials']),
    limits: limitsOf(entries, entry.limits ?? {}, [...at, 'limits']),
    timeouts: timeoutsOf(entries, entry.timeouts ?? {}, [...at, 'timeouts']),
    ...(typeof baseUrl === 'string' && urlFault === null ? { baseUrl: normalizeBaseUrl(baseUrl) } : {}),
  };
  return { setting, kind };
}

function kindOf(
  { entries, kinds }: ReadProviderParts,
  { name, kindName, at }: { name: string; kindName: string | null; at: YamlPath },
): AnyProviderKind | null {
  const kind = kinds.get(kindName ?? name) ?? null;
  if (kind) return kind;
  const known = [...kinds.keys()];
  const choice = `expected one of ${known.join(', ')}`;
  if (kindName === null) {
    const message = `needs a kind, as its name is none: ${choice}${didYouMean(name, known)}`;
    entries.fault(at, message, 'key');
  } else {
    entries.fault([...at, 'kind'], `${choice}${didYouMean(kindName, known)}`);
  }
  return null;
}

function credentialsOf(parts: ReadProviderParts, values: readonly Json[], at: YamlPath): CredentialReference[] {
  const seen = new Set<string>();
  return values.flatMap((value, i) => {
    const { reference, weight, where } = credentialOf(parts.entries, value, [...at, i]);
    if (reference === null) return [];
    const { environment } = parts;
    const fault = referenceFault(reference) ?? (environment === null ? null : unsetFault(reference, environment));
    if (fault !== null) parts.entries.fault(where, fault);
    else if (seen.has(reference)) parts.entries.fault(where, 'expected each reference once; a weight gives it more');
    seen.add(reference);
    return [{ reference, weight }];
  });
}

function credentialOf(
  entries: EntryReader,
  value: Json,
  at: YamlPath,
): { reference: string | null; weight: number; where: YamlPath } {
  if (typeof value === 'string') return { reference: value, weight: 1, where: at };
  if (!isJsonObject(value)) {
    entries.fault(at, 'expected a reference such as env:AI_TUTOR_KEY, or { ref, weight }');
    return { reference: null, weight: 1, where: at };
  }
  const { ref = null, weight } = entries.entry(CredentialEntry, value, at);
  return { reference: ref, weight: weight ?? 1, where: [...at, 'ref'] };
}

function limitsOf(entries: EntryReader, value: Json, at: YamlPath): ProviderLimits {
  const { per_credential: perCredential, ...own } = entries.entry(LimitsEntry, value, at);
  const each = entries.entry(PerCredentialEntry, perCredential ?? {}, [...at, 'per_credential']);
  return { ...startLimits(own), perCredential: startLimits(each) };
}

function startLimits(entry: Partial<z.infer<typeof PerCredentialEntry>>): StartLimits {
  return { concurrency: entry.concurrency ?? null, requestsPerMinute: entry.requests_per_minute ?? null };
}

function timeoutsOf(entries: EntryReader, value: Json, at: YamlPath): ProviderTimeouts {
  const { headers_s: headersS, idle_s: idleS, total_s: totalS } = entries.entry(TimeoutsEntry, value, at);
  return { headersMs: toMs(headersS), idleMs: toMs(idleS), totalMs: toMs(totalS) };
}

function toMs(seconds: number | null | undefined): number | null {
  return typeof seconds === 'number' ? Math.round(seconds * 1000) : null;
}
