import type { IncomingMessage, ServerResponse } from 'node:http';
import type { App } from '../app.ts';

/**
 * Shows each request to `takes` before Fastify sees it: no hook has run, and no line is written to the log. Where it says
 * true, it has dealt with the request, and Fastify never does. Who is added last looks first.
 */
export function addBeforeRouting(app: App, takes: (raw: IncomingMessage, response: ServerResponse) => boolean): void {
  const { server } = app;
  const [route] = server.listeners('request') as Array<(raw: IncomingMessage, response: ServerResponse) => void>;
  if (route === undefined) throw new TypeError('this server answers no requests');
  server.removeAllListeners('request');
  server.on('request', (raw: IncomingMessage, response: ServerResponse) => {
    if (!takes(raw, response)) route(raw, response);
  });
}
