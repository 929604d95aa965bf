import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App, AppParts } from '../app.ts';

type Parts = Pick<AppParts, 'clock' | 'log'>;

/** One line a request, of listed fields only: nothing of its headers, query or body. */
export function addRequestLog(app: App, parts: Parts): void {
  app.addHook('onRequest', (request: FastifyRequest, reply: FastifyReply, done: () => void) => {
    logWhenClosed(request, reply, parts);
    done();
  });
}

/**
 * Starts the request's time, and writes its line when its answer is through or its client has left.
 * Fastify's `onResponse` would miss those who left.
 */
export function logWhenClosed(request: FastifyRequest, reply: FastifyReply, { clock, log }: Parts): void {
  request.startedMs = clock.monotonic();
  reply.raw.once('close', () => {
    const answered = reply.raw.writableFinished;
    // A response that was finished has nobody waiting; aborting for it would cost a tenth of a request.
    if (!answered) request.leaving?.abort();
    const { url, config } = request.routeOptions;
    const fields = {
      request_id: request.id,
      run_id: request.runId,
      method: request.method,
      route: url ?? null,
      /** Null where nobody was left to be answered. */
      status: answered ? reply.raw.statusCode : null,
      ms: Math.round((clock.monotonic() - request.startedMs) * 10) / 10,
    };
    // Probes come every few seconds and would hide the rest.
    if (config.roles === 'anyone') log.debug(fields, 'request answered');
    else log.info(fields, 'request answered');
  });
}
