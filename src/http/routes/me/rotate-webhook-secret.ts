import { GatewayError } from '../../../core/errors.ts';
import { isoTimeOrNull } from '../../../core/iso-time.ts';
import { actorOf } from '../../actor-of.ts';
import { callerOf, type App } from '../../app.ts';
import type { Operation } from '../../openapi/operation.ts';
import { sendJson } from '../../reply.ts';
import type { RunsAppParts } from '../../runs-parts.ts';
import { emptyBodySchema } from '../../schemas/run-path.ts';
import { WEBHOOK_SECRET_EXAMPLES, webhookSecretSchema } from '../../schemas/webhook-secret-answer.ts';

const operation: Operation = {
  id: 'rotateWebhookSecret',
  tag: 'Webhooks',
  summary: 'Make a new signing secret',
  description:
    'Makes a new secret for the messages of this key’s runs. The one before signs them too for another 24 h, so that a receiver can change over meanwhile.',
  answers: {
    200: {
      description: 'The new secret, shown only now.',
      schema: webhookSecretSchema,
      examples: WEBHOOK_SECRET_EXAMPLES,
    },
  },
  errors: ['rate_limited', 'vault_unavailable'],
};

/** `POST /me/webhook-secret`: a new signing secret for the caller's line of keys. */
export function addRotateWebhookSecret(app: App, { webhooks, audited }: RunsAppParts): void {
  /** Lines of keys whose next secret is being made. */
  const underWay = new Set<string>();
  app.post(
    '/me/webhook-secret',
    { config: { roles: ['runs'], operation }, schema: { body: emptyBodySchema } },
    async (request, reply) => {
      const { keyId, lineage, token } = callerOf(request);
      if (token !== null) throw new GatewayError('forbidden', { message: 'A token cannot change its key’s secret.' });
      const target = { type: 'key', id: keyId } as const;
      const deed = { actor: actorOf(request), action: 'webhook_secret.rotate', target, details: {} } as const;
      // Before the entry: the audit log keeps everything for ever, and what is refused can be asked for without end.
      if (underWay.has(lineage)) throw oneAtATime();
      underWay.add(lineage);
      let made;
      try {
        await webhooks.checkSecretRoom(lineage);
        made = await audited(deed, () => webhooks.rotateSecret(lineage));
      } finally {
        underWay.delete(lineage);
      }
      const { secret, previousExpiresAt } = made;
      const previous = isoTimeOrNull(previousExpiresAt);
      // The one answer that shows it.
      sendJson(reply, 200, JSON.stringify({ webhook_secret: secret.open(), previous_expires_at: previous }));
      return reply;
    },
  );
}

function oneAtATime(): GatewayError {
  return new GatewayError('rate_limited', { message: 'Another secret of this key is being made.', retryAfterS: 1 });
}
