import { RETRY_UNAVAILABLE_S } from '../../../core/errors.ts';
import type { App, AppParts } from '../../app.ts';
import type { Operation } from '../../openapi/operation.ts';
import { sendJson } from '../../reply.ts';
import { aliveSchema, unavailableSchema } from '../../schemas/health-answer.ts';

const alive: Operation = {
  id: 'checkAlive',
  tag: 'Health',
  summary: 'Whether the process answers',
  description: 'For a liveness probe.',
  answers: { 200: { description: 'It does.', schema: aliveSchema } },
  errors: [],
};

const ready: Operation = {
  id: 'checkReady',
  tag: 'Health',
  summary: 'Whether the process takes work',
  description: 'For a readiness probe and for load balancers: 503 while the process is about to stop, or cannot write.',
  answers: {
    200: { description: 'It does.', schema: aliveSchema },
    503: { description: 'It does not.', schema: unavailableSchema, headers: ['Retry-After'] },
  },
  errors: [],
};

/** `GET /healthz`: the process answers. `GET /readyz`: it can take work. */
export function addHealthRoutes(app: App, { health }: Pick<AppParts, 'health'>): void {
  app.get('/healthz', { config: { roles: 'anyone', operation: alive } }, (_request, reply) => {
    sendJson(reply, 200, JSON.stringify({ status: 'ok' }));
  });
  app.get('/readyz', { config: { roles: 'anyone', operation: ready } }, (_request, reply) => {
    const reason = health.unready();
    if (reason === null) return sendJson(reply, 200, JSON.stringify({ status: 'ok' }));
    reply.header('retry-after', RETRY_UNAVAILABLE_S);
    sendJson(reply, 503, JSON.stringify({ status: 'unavailable', reasons: [reason] }));
  });
}
