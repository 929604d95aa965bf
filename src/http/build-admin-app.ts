import { GatewayError } from '../core/errors.ts';
import type { AdminAppParts } from './admin-parts.ts';
import type { App, AppParts } from './app.ts';
import { createApp } from './create-app.ts';
import { ADMIN_API } from './openapi/described-apis.ts';
import { addPipelineBound } from './plugins/pipelined.ts';
import { addAddCredential } from './routes/admin/add-credential.ts';
import { addAdminCancelRun } from './routes/admin/cancel-run.ts';
import { addCreateKey } from './routes/admin/create-key.ts';
import { addAdminGetRun } from './routes/admin/get-run.ts';
import { addGetUsage } from './routes/admin/get-usage.ts';
import { addListAudit } from './routes/admin/list-audit.ts';
import { addListCredentials } from './routes/admin/list-credentials.ts';
import { addListKeys } from './routes/admin/list-keys.ts';
import { addAdminListEvents } from './routes/admin/list-run-events.ts';
import { addAdminListRuns } from './routes/admin/list-runs.ts';
import { addRemoveCredential } from './routes/admin/remove-credential.ts';
import { addResolveRun } from './routes/admin/resolve-run.ts';
import { addRevokeKey } from './routes/admin/revoke-key.ts';
import { addRotateKey } from './routes/admin/rotate-key.ts';
import { addVerifyCredentials } from './routes/admin/verify-credentials.ts';
import { addDocsRoutes } from './routes/docs/get-docs.ts';
import { addHealthRoutes } from './routes/health/check-health.ts';
import { addGetMetrics } from './routes/metrics/get-metrics.ts';
import { addGetOpenApi } from './routes/openapi/get-openapi.ts';

/** The operators' API, on a listener of its own. Nothing listens until `listen` is called. */
export function buildAdminApp(parts: AdminAppParts): App {
  const app = createApp(
    { ...parts, authenticate: keysAlone(parts) },
    { countsRequests: false, hostNames: parts.hostNames },
  );
  addHealthRoutes(app, parts);
  addGetMetrics(app, parts);
  addListCredentials(app, parts);
  addAddCredential(app, parts);
  addRemoveCredential(app, parts);
  addVerifyCredentials(app, parts);
  addListKeys(app, parts);
  addCreateKey(app, parts);
  addRotateKey(app, parts);
  addRevokeKey(app, parts);
  addAdminListRuns(app, parts);
  addAdminGetRun(app, parts);
  addAdminListEvents(app, parts);
  addAdminCancelRun(app, parts);
  addResolveRun(app, parts);
  addListAudit(app, parts);
  addGetUsage(app, parts);
  addGetOpenApi(app, parts, ADMIN_API);
  addDocsRoutes(app, parts, ADMIN_API);
  addPipelineBound(app, parts);
  return app;
}

/** Tokens are for browsers and for the runs API, whatever their key may do. */
function keysAlone({ authenticate }: Pick<AppParts, 'authenticate'>): AppParts['authenticate'] {
  return async (presented) => {
    const caller = await authenticate(presented);
    if (caller.token === null) return caller;
    throw new GatewayError('forbidden', {
      message: 'The admin API takes a key of role viewer or admin, and no token.',
    });
  };
}
