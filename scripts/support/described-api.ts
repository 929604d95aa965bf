import { httpLimits } from '../../src/app/limits.ts';
import { loadSettings } from '../../src/config/load-settings.ts';
import { systemClock } from '../../src/core/clock.ts';
import { createIds } from '../../src/core/ids.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { NO_TRACING } from '../../src/core/tracing.ts';
import { createSystemRandom } from '../../src/core/random.ts';
import type { AdminAppParts } from '../../src/http/admin-parts.ts';
import type { AppParts } from '../../src/http/app.ts';
import { buildAdminApp } from '../../src/http/build-admin-app.ts';
import { buildRunsApp } from '../../src/http/build-runs-app.ts';
import { buildDocument } from '../../src/http/openapi/build-document.ts';
import { ADMIN_API } from '../../src/http/openapi/described-apis.ts';
import type { RunsAppParts } from '../../src/http/runs-parts.ts';
import { createRegistry } from '../../src/providers/registry.ts';

const nobody = () => {
  throw new Error('this app is only described');
};

/** The OpenAPI document of the runs API, from an app that never listens and whose parts nobody calls. */
export function describedApi(version: string): JsonObject {
  const registry = createRegistry({ kinds: [], providers: {}, workflows: [] });
  const parts: RunsAppParts = {
    runs: {} as RunsAppParts['runs'],
    openCalls: { hold: nobody },
    servesOrigin: nobody,
    shedder: { refusal: nobody, admit: nobody },
    webhooks: {} as RunsAppParts['webhooks'],
    audited: nobody,
    policy: { mayStart: nobody, seesEveryone: nobody, allowsProvider: nobody, allowsWorkflow: nobody },
    tokens: { issue: nobody },
    usedBy: nobody,
    registry: () => registry,
    credentialPresent: nobody,
    breakerOf: nobody,
    version,
    ...listenerParts(),
  };
  return buildDocument(buildRunsApp(parts).routeTable, version);
}

/** The same of the admin API. */
export function describedAdminApi(version: string): JsonObject {
  const parts: AdminAppParts = {
    hostNames: [],
    metrics: { render: nobody, contentType: 'text/plain' },
    keys: {} as AdminAppParts['keys'],
    credentials: {} as AdminAppParts['credentials'],
    runs: {} as AdminAppParts['runs'],
    resolveRun: nobody,
    audited: nobody,
    auditLog: { page: nobody, pageBefore: nobody },
    usage: nobody,
    version,
    ...listenerParts(),
  };
  return buildDocument(buildAdminApp(parts).routeTable, version, ADMIN_API);
}

function listenerParts(): AppParts {
  return {
    authenticate: nobody,
    health: { unready: nobody },
    ids: createIds({ clock: systemClock, random: createSystemRandom() }),
    clock: systemClock,
    log: { debug: nobody, info: nobody, warn: nobody, error: nobody },
    tracing: NO_TRACING,
    observeRequest: nobody,
    limits: httpLimits(loadSettings({}).limits),
  };
}
