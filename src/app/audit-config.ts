import { createHash } from 'node:crypto';
import type { Audited } from '../core/audited.ts';
import type { JsonObject } from '../core/json.ts';
import type { Registry } from '../providers/registry.ts';
import { SERVER } from './audit.ts';
import type { NameChanges, RegistryChanges } from './registry-changes.ts';

/** Of one kind of name in one entry; an entry has a bound, and a configuration may have thousands. */
const NAMES_MAX = 100;
const TARGET = { type: 'setting', id: 'configuration' } as const;

/** Tells the audit log of configurations before they are used: by hash and names alone, never by what is in them. */
export interface ConfigAudit {
  /** `text` null: there is no file. */
  loaded(text: string | null, registry: Registry): Promise<void>;
  /** Calls `use` once it is on disk. Throws `store_unavailable`, with nothing done. */
  reloaded(text: string, changes: RegistryChanges, use: () => void): Promise<void>;
}

export function createConfigAudit(audited: Audited): ConfigAudit {
  return {
    loaded(text, registry) {
      const providers = registry.providers().map(({ name }) => name);
      const workflows = registry.workflows().map(({ name }) => name);
      const details = {
        sha256: sha256Of(text),
        providers: { count: providers.length, names: providers.slice(0, NAMES_MAX) },
        workflows: { count: workflows.length, names: workflows.slice(0, NAMES_MAX) },
      };
      return audited({ actor: SERVER, action: 'config.load', target: TARGET, details }, async () => undefined);
    },
    reloaded(text, { providers, workflows, access }, use) {
      const details = {
        sha256: sha256Of(text),
        providers: shown(providers),
        workflows: shown(workflows),
        access_changed: Object.values(access).some((names: readonly string[]) => names.length > 0),
      };
      return audited({ actor: SERVER, action: 'config.reload', target: TARGET, details }, async () => use());
    },
  };
}

function shown(changes: NameChanges): JsonObject {
  const { added, removed, changed } = changes;
  const counts = { added_count: added.length, removed_count: removed.length, changed_count: changed.length };
  return {
    added: added.slice(0, NAMES_MAX),
    removed: removed.slice(0, NAMES_MAX),
    changed: changed.slice(0, NAMES_MAX),
    ...counts,
  };
}

function sha256Of(text: string | null): string | null {
  return text === null ? null : createHash('sha256').update(text).digest('hex');
}
