import * as z from 'zod';
import { GatewayError } from '../../../core/errors.ts';
import type { App } from '../../app.ts';
import type { Operation } from '../../openapi/operation.ts';
import { sendJson } from '../../reply.ts';
import type { RunsAppParts } from '../../runs-parts.ts';

const BODY_BYTES_MAX = 262_144;
const NOTHING = new Uint8Array(0);

const pathSchema = z.object({
  provider: z.string().meta({ description: 'A configured provider’s name.', example: 'b3os' }),
});

const takenSchema = z.object({}).meta({ description: 'Nothing: a vendor learns nothing of runs.' });

const operation: Operation = {
  id: 'receiveWebhook',
  tag: 'Webhooks',
  summary: 'Take a vendor’s webhook',
  description: `For vendors, not for callers: the message is signed with the provider's credential of purpose \`webhook\`, as its vendor signs (HMAC-SHA256 over the body as it comes).

It is only ever a hint: Rungate asks the vendor about the run that it names, if it is one of its own, and believes nothing else. So the answer is the same whether or not there is such a run.`,
  answers: {
    202: {
      description: 'It is rightly signed.',
      schema: takenSchema,
      examples: { taken: { summary: 'Taken', value: {} } },
    },
  },
  errors: ['unauthorized', 'not_found', 'store_unavailable', 'vault_unavailable'],
};

/** `POST /inbound/{provider}`: a vendor says that something has happened. Its signature is its key. */
export function addReceiveWebhook(app: App, { webhooks }: RunsAppParts): void {
  app.post(
    '/inbound/:provider',
    {
      bodyLimit: BODY_BYTES_MAX,
      config: { roles: 'anyone', rawBody: true, operation },
      schema: { params: pathSchema },
    },
    async (request, reply) => {
      const body = request.body instanceof Uint8Array ? request.body : NOTHING;
      const received = await webhooks.receive(request.params.provider, { headers: request.headers, body });
      if (received === 'unknown') throw new GatewayError('not_found', { param: 'provider' });
      if (received === 'refused') throw notSigned();
      sendJson(reply, 202, '{}');
      return reply;
    },
  );
}

/** The same for every reason: whoever tries learns nothing from it. */
function notSigned(): GatewayError {
  const message = 'The message is not signed with a secret of this provider, or not of now.';
  return new GatewayError('unauthorized', { message, headers: { 'WWW-Authenticate': 'Signature realm="rungate"' } });
}
