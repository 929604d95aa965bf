import type { App, AppParts } from '../../app.ts';
import { sendJson } from '../../reply.ts';

const RETRY_AFTER_S = 5;

/** `GET /healthz`: the process answers. `GET /readyz`: it can take work. */
export function addHealthRoutes(app: App, { health }: Pick<AppParts, 'health'>): void {
  app.get('/healthz', { config: { roles: 'anyone' } }, (_request, reply) => {
    sendJson(reply, 200, JSON.stringify({ status: 'ok' }));
  });
  app.get('/readyz', { config: { roles: 'anyone' } }, (_request, reply) => {
    const { ok, reasons } = health.ready();
    const draining = health.draining();
    if (ok && !draining) return sendJson(reply, 200, JSON.stringify({ status: 'ok' }));
    const all = draining && !reasons.includes('draining') ? [...reasons, 'draining'] : reasons;
    reply.header('retry-after', RETRY_AFTER_S);
    sendJson(reply, 503, JSON.stringify({ status: 'unavailable', reasons: all }));
  });
}
