import { renderMadeKey } from '../../../access/render-key.ts';
import { actorOf } from '../../actor-of.ts';
import type { AdminAppParts } from '../../admin-parts.ts';
import type { App } from '../../app.ts';
import type { Operation } from '../../openapi/operation.ts';
import { sendJson } from '../../reply.ts';
import { madeKeySchema, NEW_KEY_EXAMPLES, newKeySchema } from '../../schemas/admin/key.ts';

const operation: Operation = {
  id: 'createKey',
  tag: 'Keys',
  summary: 'Make a client key',
  description: 'The key, and the secret that signs the messages of its runs, are shown in this answer alone.',
  examples: NEW_KEY_EXAMPLES,
  answers: { 201: { description: 'The key.', schema: madeKeySchema } },
  errors: ['vault_unavailable'],
};

/** `POST /admin/keys`: makes a client key and shows it once. */
export function addCreateKey(app: App, { keys, clock }: Pick<AdminAppParts, 'keys' | 'clock'>): void {
  app.post(
    '/admin/keys',
    { config: { roles: ['admin'], operation }, schema: { body: newKeySchema } },
    async (request, reply) => {
      const { name, role, allowed_workflows, allowed_providers, origins, limits, expires_at } = request.body;
      const wanted = {
        name,
        role,
        allowedWorkflows: allowed_workflows,
        allowedProviders: allowed_providers,
        origins,
        limits: {
          requestsPerMinute: limits.requests_per_minute,
          concurrentRuns: limits.concurrent_runs,
          runsPerDay: limits.runs_per_day,
        },
        expiresAt: expires_at,
      };
      const made = await keys.create(wanted, actorOf(request));
      sendJson(reply, 201, JSON.stringify(renderMadeKey(made, clock.now())));
      return reply;
    },
  );
}
