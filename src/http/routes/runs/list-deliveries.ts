import { renderDelivery } from '../../../runs/render-delivery.ts';
import { callerOf, type App } from '../../app.ts';
import type { Operation } from '../../openapi/operation.ts';
import { sendJson } from '../../reply.ts';
import type { RunsAppParts } from '../../runs-parts.ts';
import { DELIVERY_LIST_EXAMPLES, deliveryListSchema } from '../../schemas/delivery-answer.ts';
import { runIdOf, runPathSchema } from '../../schemas/run-path.ts';

const operation: Operation = {
  id: 'listDeliveries',
  tag: 'Webhooks',
  summary: 'List a run’s messages',
  description: 'The messages to the run’s webhook, oldest first, and what became of each.',
  answers: {
    200: { description: 'All of them.', schema: deliveryListSchema, examples: DELIVERY_LIST_EXAMPLES },
  },
  errors: ['not_found'],
};

/** `GET /runs/{id}/deliveries`: what was sent to the run's webhook, and with what success. */
export function addListDeliveries(app: App, { runs }: RunsAppParts): void {
  app.get(
    '/runs/:id/deliveries',
    { config: { roles: ['runs', 'viewer', 'admin'], operation }, schema: { params: runPathSchema } },
    async (request, reply) => {
      const id = runIdOf(request.params);
      request.runId = id;
      const deliveries = await runs.deliveries(callerOf(request), id);
      sendJson(reply, 200, JSON.stringify({ data: deliveries.map(renderDelivery) }));
      return reply;
    },
  );
}
