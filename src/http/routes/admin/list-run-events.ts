import type { AdminAppParts } from '../../admin-parts.ts';
import { callerOf, type App } from '../../app.ts';
import { listEventPage } from '../../list-event-page.ts';
import type { Operation } from '../../openapi/operation.ts';
import { sendJson } from '../../reply.ts';
import { eventListSchema, eventPageSchema } from '../../schemas/event-answer.ts';
import { runIdOf, runPathSchema } from '../../schemas/run-path.ts';

/** A token is for the runs API alone. */
const querySchema = eventListSchema.omit({ token: true });

const operation: Operation = {
  id: 'listEvents',
  tag: 'Runs',
  summary: 'Read a run’s events',
  description: 'A page of the numbered log of anyone’s run. To follow it as it grows, use the runs API.',
  answers: { 200: { description: 'The events behind `after`.', schema: eventPageSchema } },
  errors: ['not_found'],
};

/** `GET /admin/runs/{id}/events`: a page of anyone's run's log. */
export function addAdminListEvents(app: App, { runs }: Pick<AdminAppParts, 'runs'>): void {
  app.get(
    '/admin/runs/:id/events',
    { config: { roles: ['viewer', 'admin'], operation }, schema: { params: runPathSchema, querystring: querySchema } },
    async (request, reply) => {
      const { after, limit } = request.query;
      const asked = { caller: callerOf(request), id: runIdOf(request.params), after };
      request.runId = asked.id;
      sendJson(reply, 200, await listEventPage(runs, asked, limit));
      return reply;
    },
  );
}
