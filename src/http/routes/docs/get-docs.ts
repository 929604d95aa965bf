import type { FastifyReply } from 'fastify';
import type { App } from '../../app.ts';
import { buildDocument } from '../../openapi/build-document.ts';
import type { Operation } from '../../openapi/operation.ts';
import { renderErrorsPage } from '../../openapi/page/render-errors-page.ts';
import type { Page } from '../../openapi/page/layout.ts';
import { renderReferencePage } from '../../openapi/page/render-reference-page.ts';
import { setServerTiming } from '../../reply.ts';
import type { DescribedApi } from '../../openapi/described-apis.ts';
import { pageSchema } from '../../schemas/document-answer.ts';

const reference: Operation = {
  id: 'getReferencePage',
  tag: 'Documents',
  summary: 'This reference, as a page',
  description: 'Everything that [the document](/openapi.json) says, for people.',
  answers: { 200: { description: 'The page.', schema: pageSchema, mediaType: 'text/html' } },
  errors: [],
};

const errors: Operation = {
  id: 'getErrorsPage',
  tag: 'Documents',
  summary: 'The errors, as a page',
  description: 'Every error code, what it means and what to do. An error’s `docs_url` leads here.',
  answers: { 200: { description: 'The page.', schema: pageSchema, mediaType: 'text/html' } },
  errors: [],
};

/** `GET /docs` and `GET /docs/errors`: pages that load nothing, made when they are first asked for. */
export function addDocsRoutes(app: App, { version }: { version: string }, api: DescribedApi): void {
  let referencePage: Page | null = null;
  let errorsPage: Page | null = null;
  app.get('/docs', { config: { roles: 'anyone', operation: reference } }, (_request, reply) => {
    referencePage ??= renderReferencePage(buildDocument(app.routeTable, version, api), api);
    sendPage(reply, referencePage);
  });
  app.get('/docs/errors', { config: { roles: 'anyone', operation: errors } }, (_request, reply) => {
    errorsPage ??= renderErrorsPage(version);
    sendPage(reply, errorsPage);
  });
}

function sendPage(reply: FastifyReply, { html, contentSecurityPolicy }: Page): void {
  setServerTiming(reply);
  reply.header('content-type', 'text/html; charset=utf-8');
  reply.header('content-security-policy', contentSecurityPolicy);
  reply.header('referrer-policy', 'no-referrer');
  reply.send(html);
}
