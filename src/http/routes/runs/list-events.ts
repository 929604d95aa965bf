import type { FastifyReply, FastifyRequest } from 'fastify';
import { GatewayError } from '../../../core/errors.ts';
import { callerOf, type App } from '../../app.ts';
import { createEventStream } from '../../event-stream.ts';
import { preferredType } from '../../headers/accept.ts';
import { listEventPage, type AskedEvents } from '../../list-event-page.ts';
import { readLastEventId } from '../../headers/last-event-id.ts';
import type { Operation } from '../../openapi/operation.ts';
import { sendJson } from '../../reply.ts';
import type { RunsAppParts } from '../../runs-parts.ts';
import { eventListSchema, eventPageSchema, eventStreamSchema } from '../../schemas/event-answer.ts';
import { EVENT_PAGE_EXAMPLES, EVENT_STREAM_EXAMPLES } from '../../schemas/event-examples.ts';
import { runIdOf, runPathSchema } from '../../schemas/run-path.ts';

const operation: Operation = {
  id: 'listEvents',
  tag: 'Runs',
  summary: 'Follow a run’s events',
  description: `Every run has a numbered log of events; an event is on disk before anyone sees it.

With \`Accept: text/event-stream\` the log is told from its beginning, or behind \`Last-Event-ID\`, then as it grows, until the run has ended; a comment comes every 15 s. A client whose connection breaks comes back with the last \`id\` that it saw, and misses nothing. Once the run has ended, and all of it was seen, the answer is 204, which ends a browser's reconnecting.

Otherwise the answer is a page of the log.`,
  headers: ['Last-Event-ID'],
  answers: {
    200: {
      description: 'The events behind `after`.',
      schema: eventPageSchema,
      examples: EVENT_PAGE_EXAMPLES,
      stream: { schema: eventStreamSchema, examples: EVENT_STREAM_EXAMPLES },
    },
    204: { description: 'For streams: the run has ended, and there is nothing behind `after`.', schema: null },
  },
  errors: ['not_found'],
};

/** `GET /runs/{id}/events`: a run's log, as a stream that goes on or as a page. */
export function addListEvents(app: App, { runs, openCalls }: RunsAppParts): void {
  app.get(
    '/runs/:id/events',
    {
      config: { roles: ['runs', 'viewer', 'admin'], streams: true, takesQueryToken: true, operation },
      schema: { params: runPathSchema, querystring: eventListSchema },
    },
    async (request, reply) => {
      const id = runIdOf(request.params);
      const lastEventId = readLastEventId(request.headers);
      const asked = { caller: callerOf(request), id, after: lastEventId ?? request.query.after };
      request.runId = id;
      try {
        if (preferredType(request.headers.accept) === 'event-stream')
          await streamEvents({ runs, openCalls }, asked, reply);
        else sendJson(reply, 200, await listEventPage(runs, asked, request.query.limit));
      } catch (error) {
        throw lastEventId === null ? error : blameHeader(error);
      }
      return reply;
    },
  );
}

async function streamEvents(
  { runs, openCalls }: Pick<RunsAppParts, 'runs' | 'openCalls'>,
  { caller, id, after }: AskedEvents,
  reply: FastifyReply,
): Promise<void> {
  const stream = createEventStream(reply, { openCalls });
  const following = await runs.follow(caller, id, after, stream);
  if (following === 'ended') return void reply.code(204).send();
  stream.follow(following);
  stream.open();
  if (isHead(reply.request)) stream.close('done');
}

function isHead({ method }: FastifyRequest): boolean {
  return method === 'HEAD';
}

/** What was wrong with `after` is told of the header that it came from. */
function blameHeader(error: unknown): unknown {
  if (!(error instanceof GatewayError) || error.details.param !== 'after') return error;
  const message = error.message.replace('`after`', '`Last-Event-ID`');
  return new GatewayError(error.code, { ...error.details, param: 'Last-Event-ID', message, cause: error });
}
