import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createKey } from '../../src/access/keys.ts';
import { systemClock } from '../../src/core/clock.ts';
import { reviveJson } from '../../src/core/json.ts';
import { createSystemRandom } from '../../src/core/random.ts';
import { freePort } from '../support/free-port.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { linesUntil, startChild } from '../support/processes/child.ts';

const BACKEND = fileURLToPath(new URL('../../examples/browser/server.ts', import.meta.url));
/** Long enough for a reload in the middle, in pieces enough to lose one. */
export const STORY_PIECES = 60;
const STORY = `runs-6000.deltas-${STORY_PIECES}`;

/** A gateway, the example's backend at an origin that its key names, and a page of an origin that nobody names. */
export interface BrowserWorld extends AsyncDisposable {
  gateway: TestGateway;
  /** Where the example's page is. */
  ours: string;
  /** A blank page on another origin; at `/framed` it is in a sandboxed frame, whose origin is `null`. */
  theirs: string;
  /** A token of the key, as the example's backend gets one; `changes` are fields of `POST /tokens`. */
  token(changes?: object): Promise<string>;
}

/** Starts everything on loopback. */
export async function startBrowserWorld(): Promise<BrowserWorld> {
  await using undo = new AsyncDisposableStack();
  const workflows = { story: { provider: 'ai-tutor', workflow: STORY } };
  const gateway = await startTestGateway({ workflows });
  undo.defer(() => gateway.stop());
  const port = await freePort('localhost');
  const ours = `http://localhost:${port}`;
  const key = await keyFor(gateway, ours);

  const backend = startChild([BACKEND], { RUNGATE_URL: gateway.url(), RUNGATE_KEY: key, PORT: String(port) });
  undo.defer(async () => {
    backend.signal('SIGKILL');
    await backend.gone;
  });
  const complaints: string[] = [];
  backend.stderr.on('line', (line: string) => complaints.push(line));
  await linesUntil(
    backend,
    (line) => line === ours,
    () => `the example’s backend did not start: ${complaints.join('\n')}`,
  );

  const blank = createServer(({ url }, response) => {
    const body = url === '/framed' ? '<iframe sandbox="allow-scripts" src="/"></iframe>' : '<title>x</title>';
    response.setHeader('content-type', 'text/html').end(body);
  });
  blank.listen(0, 'localhost');
  await once(blank, 'listening');
  undo.defer(() => {
    blank.closeAllConnections();
    blank.close();
  });
  const stopping = undo.move();
  return {
    gateway,
    ours,
    theirs: `http://localhost:${(blank.address() as AddressInfo).port}`,
    async token(changes = {}) {
      const answer = await fetch(`${gateway.url()}/tokens`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ workflows: ['story'], origin: ours, ...changes }),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`no token: ${text}`);
      return reviveJson<{ token: string }>(text).token;
    },
    [Symbol.asyncDispose]: () => stopping.disposeAsync(),
  };
}

async function keyFor(gateway: TestGateway, origin: string): Promise<string> {
  const { stored, key } = createKey(
    {
      name: 'page',
      role: 'runs',
      allowedWorkflows: ['story'],
      allowedProviders: [],
      origins: [origin],
      expiresAt: null,
    },
    { clock: systemClock, random: createSystemRandom() },
  );
  await gateway.command(({ store }) => store.keys.insert(stored));
  return key.open();
}
