import type { App, RouteEntry, RouteSchema } from '../app.ts';

/** Notes every route as it is added, for `Allow`, for the OpenAPI document and for the tests that walk them all. */
export function addRouteTable(app: App): void {
  const table: RouteEntry[] = [];
  app.decorate('routeTable', table);
  app.addHook('onRoute', ({ method, url, config, schema }) => {
    for (const name of [method].flat()) {
      table.push({
        method: name,
        url,
        roles: config?.roles,
        operation: config?.operation,
        schema: schema as RouteSchema,
      });
    }
  });
}

/** The methods that a path takes; empty where there is no such path. */
export function allowedMethods(table: readonly RouteEntry[], target: string): string[] {
  const segments = pathOf(target).split('/');
  const methods = table.filter(({ url }) => matches(url.split('/'), segments)).map(({ method }) => method);
  return [...new Set(methods)].sort();
}

function pathOf(target: string): string {
  const end = target.search(/[?#]/);
  return end === -1 ? target : target.slice(0, end);
}

function matches(pattern: readonly string[], segments: readonly string[]): boolean {
  if (pattern.length !== segments.length) return false;
  return pattern.every((part, i) => (part.startsWith(':') ? segments[i] !== '' : part === segments[i]));
}
