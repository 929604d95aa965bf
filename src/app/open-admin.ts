import { createKeyManager } from '../access/manage-keys.ts';
import type { Settings } from '../config/load-settings.ts';
import type { Audited } from '../core/audited.ts';
import { systemClock as clock } from '../core/clock.ts';
import type { Ids } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import type { Random } from '../core/random.ts';
import type { AdminAppParts } from '../http/admin-parts.ts';
import type { Registry } from '../providers/registry.ts';
import { recordResolution } from '../runs/record-resolution.ts';
import type { RunService } from '../runs/run-service.ts';
import type { Store } from '../store/open-store.ts';
import type { CredentialStates } from '../vault/credential-states.ts';
import type { Vault } from '../vault/credentials.ts';
import { createCredentialManager } from '../vault/manage-credentials.ts';
import type { WebhookSecrets } from '../vault/webhook-secrets.ts';
import { upstreamLimits } from './limits.ts';
import type { OpenReferences } from './open-references.ts';
import { verifyCredentials } from './verify-credentials.ts';
import { VERSION } from './version.ts';

export interface OpenAdminParts {
  settings: Settings;
  store: Pick<Store, 'keys' | 'runs' | 'audit'>;
  audited: Audited;
  vault: Vault;
  states: CredentialStates;
  webhookSecrets: WebhookSecrets;
  references: Pick<OpenReferences, 'names'>;
  registry: () => Registry;
  runs: RunService;
  ids: Ids;
  random: Random;
  log: Log;
  /** Of the sandbox, where there is one: its vendors are asked about credentials too. */
  allowedLoopback: ReadonlySet<string>;
}

/** What the admin API does, beyond what every listener has. */
export type AdminServices = Pick<
  AdminAppParts,
  'keys' | 'credentials' | 'runs' | 'resolveRun' | 'audited' | 'auditLog' | 'usage' | 'version'
>;

/** Makes what the admin API works with, over the parts of the process that serves. */
export function openAdmin(parts: OpenAdminParts): AdminServices {
  const { settings, store, audited, vault, states, webhookSecrets, references, registry, random, log } = parts;
  return {
    audited,
    auditLog: store.audit,
    runs: parts.runs,
    usage: (asked) => store.runs.usage(asked),
    version: VERSION,
    resolveRun: (id, finding, actor) => recordResolution(id, finding, actor, { store: store.runs, clock, audited }),
    keys: createKeyManager({ keys: store.keys, webhookSecrets, audited, clock, random }),
    credentials: createCredentialManager({
      vault,
      states,
      audited,
      ids: parts.ids,
      providers: async () => registry().providers(),
      isReferenceSet: (reference) => references.names(reference),
      verify: (provider) => {
        const { allowedLoopback } = parts;
        const limits = upstreamLimits(settings.limits);
        return verifyCredentials(provider, { vault, states, clock, random, log, limits, allowedLoopback });
      },
    }),
  };
}
