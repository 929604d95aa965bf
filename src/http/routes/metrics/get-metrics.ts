import type { App } from '../../app.ts';
import { setServerTiming } from '../../reply.ts';

/** What was counted, as text for a scraper. */
export interface MetricsSource {
  render(): Promise<string>;
  /** Of the text. */
  contentType: string;
}

/** `GET /metrics`: what this process has counted, in Prometheus' text form. */
export function addGetMetrics(app: App, { metrics }: { metrics: MetricsSource }): void {
  app.get('/metrics', { config: { roles: ['viewer', 'admin'] } }, async (_request, reply) => {
    const text = await metrics.render();
    setServerTiming(reply);
    reply.header('content-type', metrics.contentType);
    return reply.send(text);
  });
}
