import type { App, AppParts } from './app.ts';
import { createApp } from './create-app.ts';
import { addHealthRoutes } from './routes/health/check-health.ts';
import { addGetMetrics, type MetricsSource } from './routes/metrics/get-metrics.ts';

export interface AdminAppParts extends AppParts {
  metrics: MetricsSource;
}

/** The operators' API, on a listener of its own. */
export function buildAdminApp(parts: AdminAppParts): App {
  const app = createApp(parts, { countsRequests: false });
  addHealthRoutes(app, parts);
  addGetMetrics(app, parts);
  return app;
}
