import * as z from 'zod';
import type { App } from '../app.ts';

/** For routes without parameters. */
export const noParameters = z.strictObject({});

/**
 * A route for callers that names no parameters takes none: one that nobody reads would seem to have done something.
 * Probes, pages and vendors' webhooks are sent with parameters by those who mean something else by them.
 */
export function addParameterRefusal(app: App): void {
  app.addHook('onRoute', (route) => {
    if (route.config?.roles !== 'anyone') route.schema = { querystring: noParameters, ...route.schema };
  });
}
