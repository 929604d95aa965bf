import { renderDelivery } from '../../../runs/render-delivery.ts';
import { callerOf, type App } from '../../app.ts';
import { auditedForOperators } from '../../audited-for-operators.ts';
import type { Operation } from '../../openapi/operation.ts';
import { sendJson } from '../../reply.ts';
import type { RunsAppParts } from '../../runs-parts.ts';
import { deliveryPathSchema, deliverySchema, REDELIVERY_EXAMPLES } from '../../schemas/delivery-answer.ts';
import { emptyBodySchema, runIdOf } from '../../schemas/run-path.ts';

const operation: Operation = {
  id: 'redeliverDelivery',
  tag: 'Webhooks',
  summary: 'Send a message again',
  description:
    'Sends a message to the run’s webhook again, whatever became of it, under the same id, and from the beginning of its retries.',
  answers: {
    202: { description: 'It is about to be sent.', schema: deliverySchema, examples: REDELIVERY_EXAMPLES },
  },
  errors: ['not_found'],
};

/** `POST /runs/{id}/deliveries/{delivery_id}/redeliver`: sends one message again. */
export function addRedeliverDelivery(app: App, { runs, policy, audited }: RunsAppParts): void {
  app.post(
    '/runs/:id/deliveries/:delivery_id/redeliver',
    { config: { roles: ['runs', 'admin'], operation }, schema: { params: deliveryPathSchema, body: emptyBodySchema } },
    async (request, reply) => {
      const id = runIdOf(request.params);
      request.runId = id;
      const delivery = await auditedForOperators(request, { action: 'run.redeliver', id }, { policy, audited }, () =>
        runs.redeliver(callerOf(request), id, request.params.delivery_id),
      );
      sendJson(reply, 202, JSON.stringify(renderDelivery(delivery)));
      return reply;
    },
  );
}
