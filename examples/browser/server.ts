/**
 * The backend of a page that calls Rungate itself: it serves the page, and gives it a token. The key stays here.
 *
 *     RUNGATE_URL=http://127.0.0.1:8080 RUNGATE_KEY=rgk_… npx node examples/browser/server.ts
 *
 * Then open http://localhost:3000. The key is one of `rungate keys create --name page --origin http://localhost:3000`, and
 * `rungate.yaml` registers the workflow `story`. Runs on Node.js 24 as it is; in this checkout `npx node` is one, and
 * `rungate` is `npm run -s rungate --`. Beside `serve --sandbox`, the key is made with `--sandbox`.
 */
/* oxlint-disable no-console -- a program that prints */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

const { RUNGATE_URL = 'http://127.0.0.1:8080', RUNGATE_KEY = '', PORT = '3000' } = process.env;
const origin = `http://localhost:${PORT}`;
const page = await readFile(new URL('page.html', import.meta.url));

/** A token for ten minutes, this page, this user and no more than twenty runs. */
async function tokenFor(user: string): Promise<{ status: number; body: object }> {
  const answer = await fetch(`${RUNGATE_URL}/tokens`, {
    method: 'POST',
    headers: { authorization: `Bearer ${RUNGATE_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ workflows: ['story'], origin, subject: user, max_runs: 20, ttl_s: 600 }),
  });
  const body = (await answer.json()) as object;
  return { status: answer.status, body: answer.ok ? { ...body, url: RUNGATE_URL } : body };
}

const server = createServer(async ({ method, url, headers }, response) => {
  // Here a cookie is as good as a user; yours have signed in.
  const known = /(?:^|; )user=([0-9a-f-]{36})/.exec(headers.cookie ?? '')?.[1];
  if (method === 'GET' && url === '/') {
    const cookie = `user=${known ?? randomUUID()}; HttpOnly; SameSite=Strict`;
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'set-cookie': cookie }).end(page);
  } else if (method === 'POST' && url === '/token' && known !== undefined) {
    const { status, body } = await tokenFor(known).catch(() => ({ status: 502, body: { error: 'no Rungate' } }));
    response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
    response.end(JSON.stringify(body));
  } else response.writeHead(404).end();
});
server.listen(Number(PORT), 'localhost', () => console.log(origin));
