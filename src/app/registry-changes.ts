import { canonicalJson, type JsonObject } from '../core/json.ts';
import type { Registry } from '../providers/registry.ts';

/** Names that came, went or mean something else now. */
export interface NameChanges {
  added: readonly string[];
  removed: readonly string[];
  changed: readonly string[];
}

export interface RegistryChanges {
  providers: NameChanges;
  workflows: NameChanges;
  /** Of `access`: `origins`, or an issuer. */
  access: NameChanges;
}

/** What a reload changed, by name alone: addresses, settings and references are nobody's business in a log. */
export function findChanges(before: Registry, after: Registry): RegistryChanges {
  return {
    providers: changesOf(providerTexts(before), providerTexts(after)),
    workflows: changesOf(workflowTexts(before), workflowTexts(after)),
    access: changesOf(accessTexts(before), accessTexts(after)),
  };
}

type TextByName = ReadonlyMap<string, string>;

function changesOf(before: TextByName, after: TextByName): NameChanges {
  const common = [...after.keys()].filter((name) => before.has(name));
  return {
    added: [...after.keys()].filter((name) => !before.has(name)),
    removed: [...before.keys()].filter((name) => !after.has(name)),
    changed: common.filter((name) => before.get(name) !== after.get(name)),
  };
}

function providerTexts(registry: Registry): TextByName {
  return textByName(
    registry.providers().map(({ kind, credentials, ...rest }) => {
      const { limits, timeouts } = rest;
      return {
        ...rest,
        kind: kind.kind,
        credentials: credentials.map((entry) => ({ ...entry })),
        limits: { ...limits, perCredential: { ...limits.perCredential } },
        timeouts: { ...timeouts },
      };
    }),
  );
}

function workflowTexts(registry: Registry): TextByName {
  return textByName(
    registry.workflows().map(({ validateInputs: _compiled, targets, fallbacks, ...rest }) => {
      return {
        ...rest,
        targets: targets.map((target) => ({ ...target })),
        fallbacks: fallbacks.map((fallback) => ({ ...fallback, when: [...fallback.when] })),
      };
    }),
  );
}

function accessTexts({ access: { origins, issuers } }: Registry): TextByName {
  const sorted = { name: 'origins', origins: [...origins].sort() };
  return textByName([
    ...(origins.size === 0 ? [] : [sorted]),
    ...issuers.map((issuer) => ({ name: issuer.issuer, ...issuer, algorithms: [...issuer.algorithms] })),
  ]);
}

function textByName(entries: readonly (JsonObject & { name: string })[]): TextByName {
  return new Map(entries.map((entry) => [entry.name, canonicalJson(entry)]));
}
