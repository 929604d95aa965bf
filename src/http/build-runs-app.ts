import type { App } from './app.ts';
import { createApp } from './create-app.ts';
import { addDocsRoutes } from './routes/docs/get-docs.ts';
import { addEarlyShedding } from './plugins/shed-early.ts';
import { addHealthRoutes } from './routes/health/check-health.ts';
import { addGetOpenApi } from './routes/openapi/get-openapi.ts';
import { addReceiveWebhook } from './routes/inbound/receive-webhook.ts';
import { addRotateWebhookSecret } from './routes/me/rotate-webhook-secret.ts';
import { addListProviders } from './routes/providers/list-providers.ts';
import { addCancelRun } from './routes/runs/cancel-run.ts';
import { addCreateRun } from './routes/runs/create-run.ts';
import { addDeleteRun } from './routes/runs/delete-run.ts';
import { addGetRun } from './routes/runs/get-run.ts';
import { addListDeliveries } from './routes/runs/list-deliveries.ts';
import { addListEvents } from './routes/runs/list-events.ts';
import { addListRuns } from './routes/runs/list-runs.ts';
import { addPauseRun } from './routes/runs/pause-run.ts';
import { addRedeliverDelivery } from './routes/runs/redeliver-delivery.ts';
import { addResumeRun } from './routes/runs/resume-run.ts';
import { addListWorkflows } from './routes/workflows/list-workflows.ts';
import type { RunsAppParts } from './runs-parts.ts';

/** The API for those who run workflows. Nothing listens until `listen` is called. */
export function buildRunsApp(parts: RunsAppParts): App {
  const app = createApp(parts, { countsRequests: true });
  addEarlyShedding(app, parts);
  addHealthRoutes(app, parts);
  addCreateRun(app, parts);
  addListRuns(app, parts);
  addGetRun(app, parts);
  addListEvents(app, parts);
  addDeleteRun(app, parts);
  addCancelRun(app, parts);
  addResumeRun(app, parts);
  addPauseRun(app, parts);
  addListDeliveries(app, parts);
  addRedeliverDelivery(app, parts);
  addRotateWebhookSecret(app, parts);
  addReceiveWebhook(app, parts);
  addListProviders(app, parts);
  addListWorkflows(app, parts);
  addGetOpenApi(app, parts);
  addDocsRoutes(app, parts);
  return app;
}
