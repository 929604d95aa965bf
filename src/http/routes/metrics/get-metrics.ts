import type { App } from '../../app.ts';
import type { Operation } from '../../openapi/operation.ts';
import { setServerTiming } from '../../reply.ts';
import { metricsSchema } from '../../schemas/document-answer.ts';

/** What was counted, as text for a scraper. */
export interface MetricsSource {
  render(): Promise<string>;
  /** Of the text. */
  contentType: string;
}

const operation: Operation = {
  id: 'getMetrics',
  tag: 'Health',
  summary: 'What this process has counted',
  description: 'In Prometheus’ text form, for a scraper that sends a key of role `viewer`.',
  answers: { 200: { description: 'The counts.', schema: metricsSchema, mediaType: 'text/plain' } },
  errors: [],
};

/** `GET /metrics`: what this process has counted, in Prometheus' text form. */
export function addGetMetrics(app: App, { metrics }: { metrics: MetricsSource }): void {
  app.get('/metrics', { config: { roles: ['viewer', 'admin'], operation } }, async (_request, reply) => {
    const text = await metrics.render();
    setServerTiming(reply);
    reply.header('content-type', metrics.contentType);
    return reply.send(text);
  });
}
