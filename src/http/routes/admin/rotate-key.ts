import { renderRotatedKey } from '../../../access/render-key.ts';
import { actorOf } from '../../actor-of.ts';
import type { AdminAppParts } from '../../admin-parts.ts';
import type { App } from '../../app.ts';
import type { Operation } from '../../openapi/operation.ts';
import { sendJson } from '../../reply.ts';
import { keyPathSchema, rotatedKeySchema, rotateKeySchema } from '../../schemas/admin/key.ts';

const operation: Operation = {
  id: 'rotateKey',
  tag: 'Keys',
  summary: 'Rotate a client key',
  description:
    'A new key with the same rights, runs and lifetime, shown in this answer alone; the old one works on for `overlap_s`.',
  answers: { 201: { description: 'The new key.', schema: rotatedKeySchema } },
  errors: ['not_found', 'vault_unavailable'],
};

/** `POST /admin/keys/{id}/rotate`: a new key in the place of an old one, which works on for a while. */
export function addRotateKey(app: App, { keys, clock }: Pick<AdminAppParts, 'keys' | 'clock'>): void {
  app.post(
    '/admin/keys/:id/rotate',
    { config: { roles: ['admin'], operation }, schema: { params: keyPathSchema, body: rotateKeySchema } },
    async (request, reply) => {
      const made = await keys.rotate(request.params.id, request.body.overlap_s * 1_000, actorOf(request));
      sendJson(reply, 201, JSON.stringify(renderRotatedKey(made, clock.now())));
      return reply;
    },
  );
}
