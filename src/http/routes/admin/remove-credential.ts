import { actorOf } from '../../actor-of.ts';
import type { AdminAppParts } from '../../admin-parts.ts';
import type { App } from '../../app.ts';
import type { Operation } from '../../openapi/operation.ts';
import { sendJson } from '../../reply.ts';
import { credentialPathSchema, removedCredentialSchema } from '../../schemas/admin/credential.ts';
import { emptyBodySchema } from '../../schemas/run-path.ts';

const operation: Operation = {
  id: 'removeCredential',
  tag: 'Credentials',
  summary: 'Remove a credential',
  description: 'Takes a secret out of the vault for good. Runs that are pinned to it cannot be asked for any more.',
  answers: { 200: { description: 'It is gone.', schema: removedCredentialSchema } },
  errors: ['not_found'],
};

/** `DELETE /admin/credentials/{id}`: out of the vault, for good. */
export function addRemoveCredential(app: App, { credentials }: Pick<AdminAppParts, 'credentials'>): void {
  app.delete(
    '/admin/credentials/:id',
    { config: { roles: ['admin'], operation }, schema: { params: credentialPathSchema, body: emptyBodySchema } },
    async (request, reply) => {
      const { id } = request.params;
      await credentials.remove(id, actorOf(request));
      sendJson(reply, 200, JSON.stringify({ id, object: 'credential', removed: true }));
      return reply;
    },
  );
}
