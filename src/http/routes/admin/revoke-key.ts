import { renderKey } from '../../../access/render-key.ts';
import { actorOf } from '../../actor-of.ts';
import type { AdminAppParts } from '../../admin-parts.ts';
import type { App } from '../../app.ts';
import type { Operation } from '../../openapi/operation.ts';
import { sendJson } from '../../reply.ts';
import { keyPathSchema, keySchema } from '../../schemas/admin/key.ts';
import { emptyBodySchema } from '../../schemas/run-path.ts';

const operation: Operation = {
  id: 'revokeKey',
  tag: 'Keys',
  summary: 'Revoke a client key',
  description:
    'The key is useless within a second, for good: new requests are 401, open waits and streams are closed. Its runs go on.',
  answers: { 200: { description: 'The key, revoked.', schema: keySchema } },
  errors: ['not_found'],
};

/** `DELETE /admin/keys/{id}`: the key stops to work at once, for good. */
export function addRevokeKey(app: App, { keys, clock }: Pick<AdminAppParts, 'keys' | 'clock'>): void {
  app.delete(
    '/admin/keys/:id',
    { config: { roles: ['admin'], operation }, schema: { params: keyPathSchema, body: emptyBodySchema } },
    async (request, reply) => {
      const key = await keys.revoke(request.params.id, actorOf(request));
      sendJson(reply, 200, JSON.stringify(renderKey(key, clock.now())));
      return reply;
    },
  );
}
