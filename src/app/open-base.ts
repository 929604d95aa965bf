import { systemClock as clock } from '../core/clock.ts';
import { createIds } from '../core/ids.ts';
import { createSystemRandom } from '../core/random.ts';
import { PROVIDER_KINDS } from '../providers/catalog.generated.ts';
import { mayUse, type CredentialUse } from '../providers/places.ts';
import { openStore, type StoreOptions } from '../store/open-store.ts';
import { followStates } from '../vault/follow-states.ts';
import { createAudited } from './audit.ts';
import { createConfigAudit } from './audit-config.ts';
import { lastWrites } from './last-writes.ts';
import { openConfig } from './open-config.ts';
import { openReferences } from './open-references.ts';
import { openVault } from './open-vault.ts';
import type { GatewayOptions } from './start-gateway.ts';
import { createIssuerWarnings } from './warn-of-issuers.ts';

/** Opens what everything else stands on: the store, its secrets, the simulated vendors, the configuration. */
export async function openBase(
  options: GatewayOptions,
  undo: AsyncDisposableStack,
  onCommitted: NonNullable<StoreOptions['onCommitted']>,
) {
  const { settings, sandbox: withSandbox, log, kinds = PROVIDER_KINDS, writerThread, stop } = options;
  const random = createSystemRandom();
  const ids = createIds({ clock, random });

  const store = await openStore({
    url: settings.databaseUrl,
    role: 'serve',
    clock,
    log,
    limits: { queueOperationsMax: settings.limits.storeQueueMax },
    onCommitted,
    writerThread,
    stop,
  });
  undo.defer(() => store.close());
  const references = openReferences({ settings, environment: options.environment, clock, random, log });
  undo.defer(() => references.close());
  const mayUseNow = (use: CredentialUse) => mayUse(config.registry(), use);
  const secrets = await openVault(options, { store, ids, random, references, mayUse: mayUseNow });
  const { vault, states } = secrets;
  undo.defer(() => lastWrites(states.idle()));
  followStates({ states, watch: (hint, signal) => store.runs.watch(hint, signal), clock, signal: abortedBy(undo) });

  // Loaded only where it is wanted.
  const sandbox = withSandbox
    ? await (await import('./own-sandbox.ts')).startOwnSandbox({ clock, random, vault })
    : null;
  if (sandbox) undo.defer(() => sandbox.close());
  // In the sandbox the file's providers are not used, and so neither are the references that they name.
  const context = { kinds, environment: withSandbox ? null : options.environment };
  const audited = createAudited({ store: store.audit, clock, log });
  const audit = createConfigAudit(audited);
  const used = createIssuerWarnings({ keys: store.keys, clock, log });
  const config = await openConfig({ source: settings.config, context, sandbox, audit, used, clock, log, stop });
  undo.defer(() => config.stop());
  return { store, references, secrets, sandbox, config, audited, ids, random };
}

/** A signal that is aborted when its turn to be undone comes. */
function abortedBy(undo: AsyncDisposableStack): AbortSignal {
  const controller = new AbortController();
  undo.defer(() => controller.abort());
  return controller.signal;
}
