import { renderKey } from '../../../access/render-key.ts';
import type { AdminAppParts } from '../../admin-parts.ts';
import type { App } from '../../app.ts';
import type { Operation } from '../../openapi/operation.ts';
import { sendJson } from '../../reply.ts';
import { keyListSchema } from '../../schemas/admin/key.ts';

const operation: Operation = {
  id: 'listKeys',
  tag: 'Keys',
  summary: 'List client keys',
  description: 'Every key there is or was, newest first. Never a secret, nor a hash of one.',
  answers: { 200: { description: 'All of them.', schema: keyListSchema } },
  errors: [],
};

/** `GET /admin/keys`: every client key, newest first, never a secret. */
export function addListKeys(app: App, { keys, clock }: Pick<AdminAppParts, 'keys' | 'clock'>): void {
  app.get('/admin/keys', { config: { roles: ['viewer', 'admin'], operation } }, async (_request, reply) => {
    const now = clock.now();
    sendJson(reply, 200, JSON.stringify({ data: (await keys.list()).map((key) => renderKey(key, now)) }));
    return reply;
  });
}
