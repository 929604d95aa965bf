import { renderCredential, renderReference } from '../../../vault/render-credential.ts';
import type { AdminAppParts } from '../../admin-parts.ts';
import type { App } from '../../app.ts';
import type { Operation } from '../../openapi/operation.ts';
import { sendJson } from '../../reply.ts';
import { credentialListSchema } from '../../schemas/admin/credential.ts';

const operation: Operation = {
  id: 'listCredentials',
  tag: 'Credentials',
  summary: 'List credentials',
  description:
    'What the vault holds, newest first, and what rungate.yaml refers to, with what vendors said to each. Never a secret.',
  answers: { 200: { description: 'All of them.', schema: credentialListSchema } },
  errors: [],
};

/** `GET /admin/credentials`: stored and referenced ones, never a secret. */
export function addListCredentials(app: App, { credentials }: Pick<AdminAppParts, 'credentials'>): void {
  app.get('/admin/credentials', { config: { roles: ['viewer', 'admin'], operation } }, async (_request, reply) => {
    const data = (await credentials.list()).map(({ state, ...info }) => renderCredential(info, state));
    const references = (await credentials.references()).map(renderReference);
    sendJson(reply, 200, JSON.stringify({ data, references }));
    return reply;
  });
}
