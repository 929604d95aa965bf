import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VERSION } from '../../src/app/version.ts';
import { ERROR_CATALOGUE } from '../../src/core/error-catalogue.ts';
import { reviveJson, type JsonObject } from '../../src/core/json.ts';
import { HOP_HEADER } from '../../src/core/hop.ts';
import { headings, readDocument, ROOT } from '../support/documents.ts';
import { startAdminApp, type RunningAdminApp } from '../support/admin-app.ts';
import { readOpenApi, resolved, type OpenApi } from '../support/openapi.ts';
import { startRunsApp, type Envelope, type RunningApp } from '../support/runs-app.ts';

const CODES = Object.keys(ERROR_CATALOGUE);

let app: RunningApp;
beforeAll(async () => {
  app = await startRunsApp({ version: VERSION });
});
afterAll(() => app[Symbol.asyncDispose]());

async function page(path: string) {
  const answer = await fetch(app.url + path);
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}

/** What the linter's recommended rules say of a committed document. */
async function lint(name: string): Promise<unknown[]> {
  const command = join(ROOT, 'node_modules', '.bin', 'redocly');
  const quiet = { REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
  const { stdout } = await promisify(execFile)(
    command,
    ['lint', '--extends=recommended', '--format=json', join(ROOT, 'openapi', name)],
    { env: { ...process.env, ...quiet } },
  );
  return reviveJson<{ problems: unknown[] }>(stdout).problems;
}

describe('the OpenAPI document', () => {
  const committed = readOpenApi();

  it('is served to anyone, as it is committed', async () => {
    const { status, headers, text } = await page('/openapi.json');
    expect([status, headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
    const { 'x-generated': note, ...document } = committed as OpenApi & { 'x-generated'?: string };
    expect(note).toContain('scripts/generate-openapi.ts');
    expect(reviveJson(text)).toEqual(document);
  });

  it('describes every route, and no other', () => {
    const routes = app.app.routeTable.filter(({ method }) => method !== 'HEAD');
    const described = Object.entries(committed.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(described.sort()).toEqual(
      routes.map(({ method, url }) => `${method} ${url.replaceAll(/:(\w+)/g, '{$1}')}`).sort(),
    );
    expect(described.length).toBeGreaterThan(12);
  });

  it('names each operation once, and tells what it does', () => {
    const operations = Object.values(committed.paths).flatMap((item) => Object.values(item));
    const ids = operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { summary, description, operationId } of operations) {
      expect([operationId, summary !== '' && description !== '']).toEqual([operationId, true]);
    }
  });

  it('has nothing that the recommended rules complain about', async () => {
    expect(await lint('openapi.json')).toEqual([]);
  }, 60_000);

  it('knows the errors of the catalogue, as do the page and the document about errors', async () => {
    expect(committed.components.schemas['ErrorCode']?.['enum']).toEqual(CODES);
    expect(headings(readDocument('docs/errors.md'), 3)).toEqual(CODES);
    const { text } = await page('/docs/errors');
    const explained = Array.from(text.matchAll(/<section id="(\w+)">/g), ([, code = '']) => code);
    expect(explained.sort()).toEqual(CODES.toSorted());
  });

  it('names every error that can be refused with in an operation', () => {
    const operations = Object.values(committed.paths).flatMap((item) => Object.values(item));
    const named = operations
      .flatMap(({ responses }) => Object.values(responses))
      .flatMap((answer) => Object.keys(resolved(committed, answer).content?.['application/json']?.examples ?? {}));
    const ofRunsAlone = ['workflow_failed', 'run_timed_out'];
    const ofNoOperation = ['method_not_allowed'];
    const missing = CODES.filter((code) => !named.includes(code));
    expect(missing.sort()).toEqual([...ofRunsAlone, ...ofNoOperation].sort());
  });
});

describe('the OpenAPI document of the admin API', () => {
  const committed = readOpenApi('admin');
  const operations = Object.values(committed.paths).flatMap((item) => Object.values(item));
  let admin: RunningAdminApp;
  beforeAll(async () => {
    admin = await startAdminApp(undefined, { version: VERSION });
  });
  afterAll(() => admin[Symbol.asyncDispose]());

  it('is served by the admin listener, as it is committed', async () => {
    const answer = await fetch(`${admin.url}/openapi.json`);
    const { 'x-generated': note, ...document } = committed as OpenApi & { 'x-generated'?: string };
    expect(note).toContain('scripts/generate-openapi.ts');
    expect(await answer.json()).toEqual(document);
  });

  it('describes every route, and no other, under an id of its own', () => {
    const routes = admin.app.routeTable.filter(({ method }) => method !== 'HEAD');
    const described = Object.entries(committed.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(described.sort()).toEqual(
      routes.map(({ method, url }) => `${method} ${url.replaceAll(/:(\w+)/g, '{$1}')}`).sort(),
    );
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(described.length);
  });

  it('says nothing of limits that this listener does not keep', () => {
    expect(JSON.stringify(committed)).not.toContain('RateLimit');
    expect(operations.filter(({ responses }) => '429' in responses)).toEqual([]);
  });

  it('has nothing that the recommended rules complain about', async () => {
    expect(await lint('admin.json')).toEqual([]);
  }, 60_000);

  it('is a page too, with every operation, beside the errors', async () => {
    const text = await (await fetch(`${admin.url}/docs`)).text();
    for (const { operationId } of operations) expect(text).toContain(`<section id="${operationId}">`);
    expect(text).toContain('/admin/keys');
    expect(text).toContain('<h1>Admin API reference</h1>');
    expect(text).not.toContain('RUNGATE_URL');
    expect((await fetch(`${admin.url}/docs/errors`)).status).toBe(200);
  });
});

describe('the pages', () => {
  it.each(['/docs', '/docs/errors'])('%s needs nothing but itself, and no script', async (path) => {
    const { status, headers, text } = await page(path);
    expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(headers.get('server-timing')).toMatch(/^upstream;dur=0\.0, gateway;dur=/);
    const [, style = ''] = /<style>([\s\S]*?)<\/style>/.exec(text) ?? [];
    const hash = createHash('sha256').update(style).digest('base64');
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain(`default-src 'none'; style-src 'sha256-${hash}'`);
    expect(text).not.toMatch(/<script|<link|<img|<iframe|url\(|@import| style=| on\w+=/i);
  });

  it.each(['/docs', '/docs/errors'])('%s has links that lead somewhere', async (path) => {
    const { text } = await page(path);
    const targets = new Set(Array.from(text.matchAll(/href="([^"]+)"/g), ([, target = '']) => target));
    expect(targets.size).toBeGreaterThan(10);
    for (const target of targets) {
      const { pathname, hash } = new URL(target, app.url + path);
      const there = await page(pathname);
      expect([target, there.status]).toEqual([target, 200]);
      if (hash !== '') expect(there.text).toContain(`id="${hash.slice(1)}"`);
    }
  });

  it('explain an error where its docs_url leads', async () => {
    const refused = await fetch(`${app.url}/runs`);
    const { error } = reviveJson<Envelope>(await refused.text());
    const { pathname, hash } = new URL(error.docs_url, app.url);
    expect((await page(pathname)).text).toContain(`<section id="${hash.slice(1)}">`);
  });

  it('show every operation', async () => {
    const { text } = await page('/docs');
    const ids = Object.values(readOpenApi().paths).flatMap((item) => Object.values(item).map((one) => one.operationId));
    expect(ids.filter((id) => !text.includes(`<section id="${id}">`))).toEqual([]);
  });

  it('refuse a request that came from Rungate itself, as every route does', async () => {
    const answer = await fetch(`${app.url}/docs`, { headers: { [HOP_HEADER]: '1' } });
    expect(answer.status).toBe(508);
  });
});

describe('the examples of requests', () => {
  it('are bodies that the gateway takes', async () => {
    const { examples } = readOpenApi().paths['/runs']!['post']!.requestBody!.content['application/json']!;
    const named = Object.entries(examples ?? {});
    expect(named.length).toBeGreaterThan(0);
    for (const [name, { value }] of named) {
      const answer = await fetch(`${app.url}/runs`, {
        method: 'POST',
        headers: { authorization: 'Bearer runs', 'content-type': 'application/json', prefer: 'respond-async' },
        body: JSON.stringify(value satisfies JsonObject),
      });
      expect([name, answer.status]).toEqual([name, 202]);
    }
  });
});
