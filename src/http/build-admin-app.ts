import type { App, AppParts } from './app.ts';
import { createApp } from './create-app.ts';
import { addHealthRoutes } from './routes/health/check-health.ts';

/** The operators' API, on a listener of its own. */
export function buildAdminApp(parts: AppParts): App {
  const app = createApp(parts);
  addHealthRoutes(app, parts);
  return app;
}
