import { isoTime } from '../../../core/iso-time.ts';
import { callerOf, type App } from '../../app.ts';
import type { Operation } from '../../openapi/operation.ts';
import { sendJson } from '../../reply.ts';
import { requireTokenRights } from '../../require-token-rights.ts';
import type { RunsAppParts } from '../../runs-parts.ts';
import {
  TOKEN_EXAMPLES,
  TOKEN_REQUEST_EXAMPLES,
  tokenRequestSchema,
  tokenSchema,
  toNewToken,
} from '../../schemas/token.ts';

const operation: Operation = {
  id: 'createToken',
  tag: 'Access',
  summary: 'Make a browser token',
  description: `Makes a token that a browser can hold: for an hour at most, for registered workflows alone, and narrower than its key in every way. It ends with its key. Its runs are its subject's; another's do not exist for it.

It cannot set webhooks, make tokens or delete runs. What its key may use up, it uses up too.`,
  examples: TOKEN_REQUEST_EXAMPLES,
  answers: {
    200: { description: 'The token, shown only now.', schema: tokenSchema, examples: TOKEN_EXAMPLES },
  },
  errors: ['unknown_workflow', 'vault_unavailable'],
};

/** `POST /tokens`: a short-lived, narrow stand-in for the caller's key. */
export function addCreateToken(app: App, { tokens, registry }: RunsAppParts): void {
  app.post(
    '/tokens',
    { config: { roles: ['runs'], operation }, schema: { body: tokenRequestSchema } },
    async (request, reply) => {
      const caller = callerOf(request);
      const wanted = toNewToken(request.body);
      requireTokenRights(caller, wanted, registry());
      const { token, expiresAt } = await tokens.issue(caller, wanted);
      // The one answer that shows it.
      sendJson(reply, 200, JSON.stringify({ token: token.open(), expires_at: isoTime(expiresAt) }));
      return reply;
    },
  );
}
