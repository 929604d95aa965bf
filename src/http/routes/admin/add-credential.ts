import { type GatewayError, wrongParam } from '../../../core/errors.ts';
import { Secret } from '../../../core/secret.ts';
import { renderCredential } from '../../../vault/render-credential.ts';
import { actorOf } from '../../actor-of.ts';
import type { AdminAppParts } from '../../admin-parts.ts';
import type { App } from '../../app.ts';
import type { Operation } from '../../openapi/operation.ts';
import { sendJson } from '../../reply.ts';
import { credentialSchema, NEW_CREDENTIAL_EXAMPLES, newCredentialSchema } from '../../schemas/admin/credential.ts';

const operation: Operation = {
  id: 'addCredential',
  tag: 'Credentials',
  summary: 'Add a credential',
  description:
    'Puts a vendor’s secret into the vault. New runs share it with the provider’s others; remove what is to be used no longer.',
  examples: NEW_CREDENTIAL_EXAMPLES,
  answers: { 201: { description: 'It is in the vault.', schema: credentialSchema } },
  errors: ['unknown_provider', 'vault_unavailable'],
};

/** `POST /admin/credentials`: the secret goes in, and nothing shows it again. */
export function addAddCredential(app: App, { credentials }: Pick<AdminAppParts, 'credentials'>): void {
  app.post(
    '/admin/credentials',
    { config: { roles: ['admin'], operation }, schema: { body: newCredentialSchema } },
    async (request, reply) => {
      const { secret, weight, ...wanted } = request.body;
      if (wanted.purpose === 'webhook' && weight !== undefined) throw noWeight();
      const closed = { ...wanted, secret: new Secret(secret), ...(weight === undefined ? {} : { weight }) };
      const { added } = await credentials.add(closed, actorOf(request));
      sendJson(reply, 201, JSON.stringify(renderCredential(added, { is: 'usable' })));
      return reply;
    },
  );
}

function noWeight(): GatewayError {
  const message = '`weight` is for credentials of purpose `api`: those of webhooks all count.';
  return wrongParam('weight', message);
}
