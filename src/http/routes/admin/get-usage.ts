import { wrongParam } from '../../../core/errors.ts';
import { isoTime } from '../../../core/iso-time.ts';
import { USAGE_SPAN_DAYS_MAX, USAGE_SPAN_MS_MAX, type UsageRow } from '../../../runs/ports.ts';
import type { AdminAppParts } from '../../admin-parts.ts';
import { leaveSignal, type App } from '../../app.ts';
import type { Operation } from '../../openapi/operation.ts';
import { sendJson } from '../../reply.ts';
import { usageQuerySchema, usageSchema } from '../../schemas/admin/usage.ts';

const SPAN_DEFAULT_MS = 86_400_000;

const operation: Operation = {
  id: 'getUsage',
  tag: 'Usage',
  summary: 'Add up runs',
  description:
    'Everyone’s runs that were begun in a span of time, by provider, workflow or key. Runs that were deleted, or that retention has taken, are not in it.',
  answers: { 200: { description: 'The sums.', schema: usageSchema } },
  errors: [],
};

/** `GET /admin/usage`: everyone's runs of a span of time, added up. */
export function addGetUsage(app: App, { usage, clock }: Pick<AdminAppParts, 'usage' | 'clock'>): void {
  app.get(
    '/admin/usage',
    { config: { roles: ['viewer', 'admin'], operation }, schema: { querystring: usageQuerySchema } },
    async (request, reply) => {
      const { group_by, to = clock.now(), from = to - SPAN_DEFAULT_MS } = request.query;
      requireSpan(from, to);
      const rows = await usage({ groupBy: group_by, from, to, signal: leaveSignal(reply) });
      const span = { from: isoTime(from), to: isoTime(to) };
      sendJson(reply, 200, JSON.stringify({ object: 'usage', group_by, ...span, data: rows.map(renderRow) }));
      return reply;
    },
  );
}

function requireSpan(from: number, to: number): void {
  if (from < to && to - from <= USAGE_SPAN_MS_MAX) return;
  const message = `\`from\` lies before \`to\`, and at most ${USAGE_SPAN_DAYS_MAX} days before it.`;
  throw wrongParam('from', message);
}

function renderRow({ runSeconds, ...row }: UsageRow): object {
  return { ...row, run_seconds: runSeconds };
}
