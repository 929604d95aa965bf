import type { AddressInfo } from 'node:net';
import { createAudited } from '../../src/app/audit.ts';
import { openAdmin, type AdminServices } from '../../src/app/open-admin.ts';
import { loadSettings } from '../../src/config/load-settings.ts';
import { systemClock } from '../../src/core/clock.ts';
import { createIds } from '../../src/core/ids.ts';
import { createSystemRandom } from '../../src/core/random.ts';
import type { AdminAppParts } from '../../src/http/admin-parts.ts';
import type { App } from '../../src/http/app.ts';
import { buildAdminApp } from '../../src/http/build-admin-app.ts';
import { PROVIDER_KINDS } from '../../src/providers/catalog.generated.ts';
import { createRegistry } from '../../src/providers/registry.ts';
import { openStore, type Store } from '../../src/store/open-store.ts';
import { openCredentialStates } from '../../src/vault/credential-states.ts';
import { createVault } from '../../src/vault/credentials.ts';
import { fixedMasterKeys, masterKeyOf } from '../../src/vault/master-key.ts';
import { createWebhookSecrets } from '../../src/vault/webhook-secrets.ts';
import { runsAppParts, type RunningApp } from './runs-app.ts';

const NO_REFERENCES = {
  isSet: () => false,
  names: async () => false,
  read: async () => null,
  hasChanged: async () => false,
};

/** An admin API over a store in memory. */
export interface RunningAdminApp extends AsyncDisposable {
  app: App;
  url: string;
  port: number;
  store: Store;
  state: RunningApp['state'];
  clock: RunningApp['clock'];
}

/** Parts that nobody calls, for an app whose routes are looked at. */
export function idleAdminParts(): AdminAppParts {
  const { parts } = runsAppParts();
  const metrics = { render: async () => '', contentType: 'text/plain' };
  return { ...parts, hostNames: [], metrics, ...({} as Omit<AdminServices, 'audited' | 'runs' | 'version'>) };
}

/** Starts the admin API on a free loopback port, with the test's keys (see `authenticateTestKey`) and real services. */
export async function startAdminApp(
  change: (services: AdminServices) => AdminServices = (services) => services,
  more: Partial<Pick<AdminAppParts, 'metrics' | 'authenticate' | 'version' | 'hostNames'>> = {},
): Promise<RunningAdminApp> {
  const { parts, state, clock } = runsAppParts();
  const { log } = parts;
  const random = createSystemRandom();
  const ids = createIds({ clock: systemClock, random });
  const store = await openStore({ url: 'sqlite::memory:', role: 'serve', writer: 'inline', clock: systemClock, log });
  const masterKeys = fixedMasterKeys([masterKeyOf(random.bytes(32))]);
  const states = await openCredentialStates({ store: store.credentials, clock: systemClock, log }, 'serve');
  const shared = { masterKeys, clock: systemClock, random };
  const registry = createRegistry({ kinds: PROVIDER_KINDS, providers: {}, workflows: [] });
  const services = openAdmin({
    settings: loadSettings({}),
    store,
    audited: createAudited({ store: store.audit, clock: systemClock, log }),
    vault: createVault({
      ...shared,
      store: store.credentials,
      states,
      ids,
      references: NO_REFERENCES,
      mayUse: () => false,
    }),
    states,
    webhookSecrets: createWebhookSecrets({ ...shared, store: store.webhookSecrets }),
    references: NO_REFERENCES,
    registry: () => registry,
    runs: parts.runs,
    ids,
    random,
    log,
    allowedLoopback: new Set(),
  });
  const metrics = { render: async () => '# nothing\n', contentType: 'text/plain' };
  const app = buildAdminApp({ ...parts, hostNames: [], metrics, ...change(services), ...more });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  return {
    app,
    port,
    url: `http://127.0.0.1:${port}`,
    store,
    state,
    clock,
    async [Symbol.asyncDispose]() {
      app.server.closeAllConnections();
      await app.close();
      await store.close();
    },
  };
}
