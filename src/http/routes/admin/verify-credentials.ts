import { renderVerdict } from '../../../vault/render-credential.ts';
import { actorOf } from '../../actor-of.ts';
import type { AdminAppParts } from '../../admin-parts.ts';
import type { App } from '../../app.ts';
import type { Operation } from '../../openapi/operation.ts';
import { sendJson } from '../../reply.ts';
import { verdictListSchema, verifyCredentialsSchema } from '../../schemas/admin/credential.ts';

const operation: Operation = {
  id: 'verifyCredentials',
  tag: 'Credentials',
  summary: 'Ask a vendor about its credentials',
  description:
    'Shows each credential that the provider’s new runs may use to its vendor, with the cheapest call that changes nothing there. A good one is used again; one refused with 401 or 402 is set aside.',
  answers: { 200: { description: 'What the vendor said to each, good or not.', schema: verdictListSchema } },
  errors: ['unknown_provider', 'no_credential', 'unsupported_operation', 'upstream_unreachable', 'vault_unavailable'],
};

/** `POST /admin/credentials/verify`: what `rungate credentials verify` does. */
export function addVerifyCredentials(app: App, { credentials }: Pick<AdminAppParts, 'credentials'>): void {
  app.post(
    '/admin/credentials/verify',
    { config: { roles: ['admin'], operation }, schema: { body: verifyCredentialsSchema } },
    async (request, reply) => {
      const { provider } = request.body;
      const data = (await credentials.verify(provider, actorOf(request))).map(renderVerdict);
      sendJson(reply, 200, JSON.stringify({ object: 'credential_verdicts', provider, data }));
      return reply;
    },
  );
}
