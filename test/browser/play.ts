import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import { isJsonObject, reviveJson, type JsonObject } from '../../src/core/json.ts';
import type { Check } from '../support/processes/checks.ts';
import { openPage } from './chromium.ts';
import { STORY_PIECES, type BrowserWorld } from './world.ts';

/** What a page's script was told; null: its browser kept the answer from it. */
type Told = { status: number; headers: Record<string, string>; body: string } | null;
/** Where a script runs: a page, or a frame in it. */
type Script = Pick<Page, 'evaluate'>;
interface Listened {
  opened: boolean;
  closed: boolean;
  events: number;
}

/** Finds what speaks against it; `detail` is for the reader. */
type Step = () => Promise<{ faults: string[]; detail?: string }>;

const LISTEN_MS = 3_000;
const RUN_MS = 30_000;
const CALM_MS = 300;
const EXPIRES_S = 1;
const BEGIN = { method: 'POST', headers: { 'content-type': 'application/json', prefer: 'respond-async' } };
const STORY = JSON.stringify({ workflow: 'story', inputs: { story: 'a fox' } });

/** Plays every part, one after the other; a part that dies is a fault of its own. */
export async function playInBrowser(browser: Browser, world: BrowserWorld): Promise<Check[]> {
  const checks: Check[] = [];
  for (const [name, step] of Object.entries(stepsOf(browser, world))) {
    try {
      checks.push({ name, detail: '', ...(await step()) });
    } catch (error) {
      checks.push({ name, detail: '', faults: [error instanceof Error ? error.message : String(error)] });
    }
  }
  return checks;
}

function stepsOf(browser: Browser, world: BrowserWorld): Readonly<Record<string, Step>> {
  const { gateway, ours, theirs } = world;
  const at = (path: string) => gateway.url() + path;
  return {
    'a page starts a run, follows it, is reloaded in the middle and goes on without loss or doubles': () =>
      followOverReload(browser, world),
    'a page reads what the answer exposes, and no other header': async () => {
      const page = await openPage(browser, ours);
      const told = await ask(page, at('/runs'), { ...BEGIN, body: STORY, token: await world.token() });
      const read = ['location', 'preference-applied', 'x-request-id', 'server-timing'];
      const hidden = ['x-content-type-options'];
      return {
        faults: [
          ...expected('status', told?.status, 202),
          ...read.filter((name) => told?.headers[name] === undefined).map((name) => `${name} cannot be read`),
          ...hidden.filter((name) => told?.headers[name] !== undefined).map((name) => `${name} can be read`),
        ],
      };
    },
    'a page of a third origin gets no preflight, no answer and no event': () => refusedFrom(browser, theirs, world),
    'a page without an origin (null) gets none either': () => refusedFrom(browser, `${theirs}/framed`, world),
    'no answer may be read by a page that sends cookies': async () => {
      const page = await openPage(browser, ours);
      const told = await ask(page, at('/healthz'), { credentials: 'include' });
      return { faults: told === null ? [] : [`it was answered: ${told.status}`] };
    },
    'a token that has expired is 401, which the page can read, and ends its EventSource': async () => {
      const page = await openPage(browser, ours);
      const token = await world.token({ ttl_s: EXPIRES_S });
      await sleep(EXPIRES_S * 1000 + 1000);
      const told = await ask(page, at('/runs'), { token });
      const id = await beginRun(world, await world.token());
      const listened = await listen(page, at(`/runs/${id}/events?token=${token}`));
      return {
        faults: [
          ...expected('status', told?.status, 401),
          ...expected('code', codeOf(told), 'unauthorized'),
          ...expected('the EventSource', listened, { opened: false, closed: true, events: 0 }),
        ],
      };
    },
    'a token whose runs are used up is 429, which the page can read, with when to come back': async () => {
      const page = await openPage(browser, ours);
      const token = await world.token({ max_runs: 1, subject: 'used-up' });
      const first = await ask(page, at('/runs'), { ...BEGIN, body: STORY, token });
      const second = await ask(page, at('/runs'), { ...BEGIN, body: STORY, token });
      const reading = await ask(page, at('/runs'), { token });
      return {
        faults: [
          ...expected('the first', first?.status, 202),
          ...expected('the second', second?.status, 429),
          ...expected('its code', codeOf(second), 'quota_exceeded'),
          ...expected('Retry-After', Number(second?.headers['retry-after']) > 0, true),
          ...expected('reading', reading?.status, 200),
        ],
      };
    },
    'a key in the address is 401, and so is none': async () => {
      const page = await openPage(browser, ours);
      const path = at('/runs/run_01k9zq00000000000000000000/events');
      const key = await ask(page, `${path}?token=${gateway.authorization.replace('Bearer ', '')}`, {});
      const none = await ask(page, path, {});
      return { faults: [...expected('a key', key?.status, 401), ...expected('none', none?.status, 401)] };
    },
    'the gateway has nothing to complain about': async () => ({ faults: gateway.complaints }),
  };
}

/** The example's own page, driven as a person would. */
async function followOverReload(browser: Browser, { gateway, ours }: BrowserWorld): ReturnType<Step> {
  const page = await openPage(browser, ours);
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(`the page failed: ${error.message}`));
  await page.click('button');
  const text = () => page.textContent('#text');
  await until(async () => ((await text())?.length ?? 0) > 20, 'no text came');
  await page.reload();
  const kept = (await text()) ?? '';
  if (kept.length < 20) faults.push(`the reload lost the text: ${JSON.stringify(kept)}`);
  if ((await status(page)) === 'succeeded') faults.push('the run was over before the reload: nothing was shown');
  await until(async () => (await status(page)) === 'succeeded', 'the run did not end');
  const seen = String(await page.evaluate(`sessionStorage.getItem('seen')`)).trim();
  const numbers = seen.split(' ').map(Number);
  if (numbers.some((number, i) => number !== i + 1)) faults.push(`the page was given ${seen}`);
  const { id } = reviveJson<{ id: string }>(String(await page.evaluate(`sessionStorage.getItem('run')`)));
  const { body: run } = await gateway
    .get(`/runs/${id}`)
    .then((answer) => (answer.status === 200 ? answer : { body: null }));
  // The test's own key is another's: to it the run does not exist.
  if (run !== null) faults.push('another key sees the run');
  const final = await text();
  faults.push(...expected('the text', final, textOf(STORY_PIECES)));
  const screenshot = join(await mkdtemp(join(tmpdir(), 'rungate-browser-')), 'page.png');
  await page.screenshot({ path: screenshot });
  return { faults, detail: `${numbers.length} events, ${screenshot}` };
}

/** Nothing is to be had from this page, even with a token that another page was given. */
async function refusedFrom(browser: Browser, from: string, world: BrowserWorld): ReturnType<Step> {
  const { gateway, ours } = world;
  const url = gateway.url();
  const opened = await openPage(browser, from);
  const page = opened.frames().at(-1) ?? opened;
  // Bound to no page: only the browser, and what the gateway makes of the origin, are in the way.
  const stolen = await world.token({ origin: undefined });
  const events = `${url}/runs/${await beginRun(world, stolen)}/events?token=${stolen}`;
  const startsBefore = await untilCalm(() => gateway.sandbox.starts({}).length);
  const started = await ask(page, `${url}/runs`, { ...BEGIN, body: STORY, token: stolen });
  const read = await ask(page, `${url}/healthz`, {});
  // A simple request has no preflight: it is the gateway that must not begin anything for it.
  const simple = await ask(page, `${url}/runs?token=${stolen}`, { method: 'POST', body: STORY });
  const listened = await listen(page, events);
  // It is the page that is refused, not the token.
  const own = await listen(await openPage(browser, ours), events);
  return {
    faults: [
      ...expected('a start', started, null),
      ...expected('a simple GET', read, null),
      ...expected('a simple POST', simple, null),
      ...expected('an EventSource', listened, { opened: false, closed: true, events: 0 }),
      ...expected('the EventSource of the right page', own.opened, true),
      ...expected('starts at the vendor', gateway.sandbox.starts({}).length, startsBefore),
    ],
  };
}

/** Begins a run as the token's holder, from no page; resolves to its id. */
async function beginRun({ gateway }: BrowserWorld, token: string): Promise<string> {
  const headers = { ...BEGIN.headers, authorization: `Bearer ${token}` };
  const answer = await fetch(`${gateway.url()}/runs`, { method: 'POST', headers, body: STORY });
  return reviveJson<{ id: string }>(await answer.text()).id;
}

async function ask(page: Script, url: string, init: object): Promise<Told> {
  return (await page.evaluate(`ask(${JSON.stringify(url)}, ${JSON.stringify(init)})`)) as Told;
}

async function listen(page: Script, url: string): Promise<Listened> {
  return (await page.evaluate(`listen(${JSON.stringify(url)}, ${LISTEN_MS})`)) as Listened;
}

const status = (page: Page) => page.textContent('#status');

async function until(holds: () => Promise<boolean>, complaint: string): Promise<void> {
  const begunMs = performance.now();
  while (!(await holds())) {
    if (performance.now() - begunMs > RUN_MS) throw new Error(`${complaint} within ${RUN_MS} ms`);
    await sleep(20);
  }
}

/** What the simulated vendor streams. */
function textOf(pieces: number): string {
  return Array.from({ length: pieces }, (_, i) => `pièce ${i + 1} ✓ 🦊 `).join('');
}

/** A count once it has stayed as it is: what was begun before has reached the vendor. */
async function untilCalm(count: () => number): Promise<number> {
  for (let last = -1; ; await sleep(CALM_MS)) {
    if (count() === last) return last;
    last = count();
  }
}

function codeOf(told: Told): unknown {
  const body: JsonObject = told === null ? {} : reviveJson<JsonObject>(told.body);
  return isJsonObject(body['error']) ? body['error']['code'] : null;
}

function expected(what: string, is: unknown, wanted: unknown): string[] {
  const left = JSON.stringify(is) ?? 'nothing';
  const right = JSON.stringify(wanted);
  return left === right ? [] : [`${what}: expected ${right}, got ${left.slice(0, 300)}`];
}
