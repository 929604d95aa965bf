import type { App } from '../../app.ts';
import { buildDocument } from '../../openapi/build-document.ts';
import type { DescribedApi } from '../../openapi/described-apis.ts';
import type { Operation } from '../../openapi/operation.ts';
import { sendJson } from '../../reply.ts';
import { openApiSchema } from '../../schemas/document-answer.ts';

const operation: Operation = {
  id: 'getOpenApi',
  tag: 'Documents',
  summary: 'This description',
  description: 'The OpenAPI 3.1 document of this gateway, for generators of clients.',
  answers: { 200: { description: 'The document.', schema: openApiSchema } },
  errors: [],
};

/** `GET /openapi.json`: made when it is first asked for, from the routes that there are. */
export function addGetOpenApi(app: App, { version }: { version: string }, api: DescribedApi): void {
  let text: string | null = null;
  app.get('/openapi.json', { config: { roles: 'anyone', operation } }, (_request, reply) => {
    text ??= JSON.stringify(buildDocument(app.routeTable, version, api));
    sendJson(reply, 200, text);
  });
}
