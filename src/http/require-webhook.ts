import type { Caller } from '../core/caller.ts';
import { GatewayError } from '../core/errors.ts';
import type { Webhook } from '../runs/model.ts';

/** Throws `forbidden` where the caller may not set a webhook, and `invalid_request` where nothing may be sent to it. */
export function requireWebhook(
  caller: Caller,
  webhook: Webhook | null,
  checkTarget: (url: string) => string | null,
): void {
  if (webhook === null) return;
  if (caller.token !== null) throw new GatewayError('forbidden', { message: 'A token cannot set a webhook.' });
  const fault = checkTarget(webhook.url);
  if (fault === null) return;
  throw new GatewayError('invalid_request', {
    param: 'webhook.url',
    message: `\`webhook.url\`: nothing can be sent there: ${fault}.`,
  });
}
