import { httpLimits } from '../../src/app/limits.ts';
import { loadSettings } from '../../src/config/load-settings.ts';
import { systemClock } from '../../src/core/clock.ts';
import { createIds } from '../../src/core/ids.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { NO_TRACING } from '../../src/core/tracing.ts';
import { createSystemRandom } from '../../src/core/random.ts';
import { buildRunsApp } from '../../src/http/build-runs-app.ts';
import { buildDocument } from '../../src/http/openapi/build-document.ts';
import type { RunsAppParts } from '../../src/http/runs-parts.ts';
import { createRegistry } from '../../src/providers/registry.ts';

/** The OpenAPI document of the runs API, from an app that never listens and whose parts nobody calls. */
export function describedApi(version: string): JsonObject {
  const nobody = () => {
    throw new Error('this app is only described');
  };
  const registry = createRegistry({ kinds: [], providers: {}, workflows: [] });
  const parts: RunsAppParts = {
    runs: {} as RunsAppParts['runs'],
    shedder: { refusal: nobody, admit: nobody },
    webhooks: {} as RunsAppParts['webhooks'],
    policy: { mayStart: nobody, seesEveryone: nobody, allowsProvider: nobody, allowsWorkflow: nobody },
    registry: () => registry,
    credentialPresent: nobody,
    breakerOf: nobody,
    verifyKey: nobody,
    version,
    health: { unready: nobody },
    ids: createIds({ clock: systemClock, random: createSystemRandom() }),
    clock: systemClock,
    log: { debug: nobody, info: nobody, warn: nobody, error: nobody },
    tracing: NO_TRACING,
    observeRequest: nobody,
    limits: httpLimits(loadSettings({}).limits),
  };
  return buildDocument(buildRunsApp(parts).routeTable, version);
}
