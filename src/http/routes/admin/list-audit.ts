import { UnreadableAuditEntryError } from '../../../core/audit.ts';
import { GatewayError } from '../../../core/errors.ts';
import { renderAuditEntry } from '../../../core/render-audit-entry.ts';
import type { AdminAppParts } from '../../admin-parts.ts';
import type { App } from '../../app.ts';
import type { Operation } from '../../openapi/operation.ts';
import { sendJson } from '../../reply.ts';
import { auditListSchema, auditPageSchema } from '../../schemas/admin/audit.ts';

const operation: Operation = {
  id: 'listAudit',
  tag: 'Audit',
  summary: 'Read the audit log',
  description:
    'Who did what, in pages: from the newest backwards, or with `after` from the oldest on. Nothing is ever taken out of it. `rungate audit verify` recomputes its chain of hashes.',
  answers: { 200: { description: 'A page of entries.', schema: auditPageSchema } },
  errors: ['store_unavailable'],
};

/** `GET /admin/audit`: who did what, newest first, or oldest first behind `after`. */
export function addListAudit(app: App, { auditLog }: Pick<AdminAppParts, 'auditLog'>): void {
  app.get(
    '/admin/audit',
    { config: { roles: ['viewer', 'admin'], operation }, schema: { querystring: auditListSchema } },
    async (request, reply) => {
      const { after, before = null, limit } = request.query;
      const page = after === undefined ? auditLog.pageBefore({ before, limit }) : auditLog.page({ after, limit });
      const entries = await page.catch((error: unknown) => Promise.reject(refusalOf(error)));
      const last = entries.at(-1)?.seq ?? 0;
      const more = after === undefined ? last > 1 : entries.length === limit;
      const next = more ? String(last) : null;
      sendJson(reply, 200, JSON.stringify({ data: entries.map(renderAuditEntry), next_cursor: next }));
      return reply;
    },
  );
}

/** An entry that somebody has changed beyond reading stops the page, and must not hide those around it. */
function refusalOf(error: unknown): unknown {
  if (!(error instanceof UnreadableAuditEntryError)) return error;
  const { seq } = error;
  const message = `Entry ${seq} of the audit log was changed and cannot be read. \`before=${seq}\` and \`after=${seq}\` read those around it; \`rungate audit verify\` checks the chain.`;
  return new GatewayError('store_unavailable', { message, retryable: false, cause: error });
}
