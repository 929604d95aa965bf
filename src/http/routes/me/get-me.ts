import type { Caller } from '../../../core/caller.ts';
import { isoTime } from '../../../core/iso-time.ts';
import type { UsedByCaller } from '../../../runs/caller-limits.ts';
import { callerOf, type App } from '../../app.ts';
import type { Operation } from '../../openapi/operation.ts';
import { sendJson } from '../../reply.ts';
import type { RunsAppParts } from '../../runs-parts.ts';
import { ME_EXAMPLES, meSchema } from '../../schemas/me-answer.ts';

const operation: Operation = {
  id: 'getMe',
  tag: 'Access',
  summary: 'Look at your own key',
  description: 'What the key or token that asks may do, its limits, and what is used of them now.',
  answers: { 200: { description: 'The caller.', schema: meSchema, examples: ME_EXAMPLES } },
  errors: [],
};

/** `GET /me`: what the caller may do, and what of its limits is used. */
export function addGetMe(app: App, { usedBy }: RunsAppParts): void {
  app.get('/me', { config: { roles: ['runs', 'viewer', 'admin'], operation } }, async (request, reply) => {
    const caller = callerOf(request);
    const counted = caller.limits.requestsPerMinute === null ? null : (app.requestsSent?.(caller.lineage) ?? null);
    sendJson(
      reply,
      200,
      JSON.stringify(renderCaller(caller, { ...(await usedBy(caller)), requestsInMinute: counted })),
    );
    return reply;
  });
}

function renderCaller(caller: Caller, used: UsedByCaller & { requestsInMinute: number | null }) {
  const { keyId: id, keyName: name, role, subject, token, limits } = caller;
  return {
    key: { id, name, role },
    token: token && { id: token.id, origin: token.origin },
    subject,
    ...renderRights(caller),
    origins: caller.origins,
    limits: {
      requests_per_minute: { limit: limits.requestsPerMinute, used: used.requestsInMinute },
      concurrent_runs: { limit: limits.concurrentRuns, used: used.unfinishedRuns },
      runs_per_day: { limit: limits.runsPerDay, used: used.runsToday },
      token_runs: { limit: token?.runsMax ?? null, used: used.tokenRuns },
    },
    expires_at: renderEnd(caller),
  };
}

/** Two empty lists stand for everything; a role that starts no runs may start none. */
function renderRights({ role, token, allowedWorkflows, allowedProviders }: Caller) {
  if (role !== 'runs') return { workflows: [], providers: [] };
  const isUnbounded = allowedWorkflows.length === 0 && allowedProviders.length === 0;
  return {
    workflows: isUnbounded ? null : allowedWorkflows,
    providers: token !== null ? [] : isUnbounded ? null : allowedProviders,
  };
}

/** Whichever ends first. */
function renderEnd({ keyExpiresAt, token }: Caller): string | null {
  const endsAt = Math.min(keyExpiresAt ?? Infinity, token?.expiresAt ?? Infinity);
  return endsAt === Infinity ? null : isoTime(endsAt);
}
