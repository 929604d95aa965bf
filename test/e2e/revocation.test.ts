import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseKey } from '../../src/access/key-format.ts';
import { reviveJson } from '../../src/core/json.ts';
import { openEvents, type EventClient } from '../support/event-client.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { PROGRAM } from '../support/program.ts';

const CALLS = 40;
const WITHIN_MS = 1_000;
/** Longer than a dropped caller's run is kept waiting for somebody to come back. */
const UNATTENDED_MS = 6_500;
const ORIGIN = 'https://app.example.com';

let gateway: TestGateway;
const workflows = { slow: { provider: 'b3os', workflow: 'runs-20000' } };
beforeAll(async () => void (gateway = await startTestGateway({ workflows })));
afterAll(() => gateway.stop());

/** A command in a process of its own, beside the gateway. */
async function rungate<T>(...argv: string[]): Promise<T> {
  const child = spawn(process.execPath, [PROGRAM, ...argv, '--json'], {
    env: gateway.environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [out] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return reviveJson<T>(out);
}

const idOf = (key: string) => parseKey(key)?.id ?? 'no key';
/** A token of the key's. */
async function tokenOf(authorization: string): Promise<string> {
  const answer = await fetch(`${gateway.url()}/tokens`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify({ workflows: ['slow'] }),
  });
  return reviveJson<{ token: string }>(await answer.text()).token;
}

const port = () => Number(new URL(gateway.url()).port);

describe('a key that another process revokes', () => {
  it('ends its waits and streams within a second; its runs go on, and others are left alone', async () => {
    const key = await gateway.key('runs', 'leaving');
    const authorization = `Bearer ${key}`;
    const body = { workflow: 'slow', on_disconnect: 'cancel' };
    const client = (accept: string, as: string) =>
      openEvents(port(), { method: 'POST', path: '/runs', headers: { authorization: as, accept }, body });
    const waits = Array.from({ length: CALLS }, () => client('application/json', authorization));
    const streams = Array.from({ length: CALLS }, () => client('text/event-stream', authorization));
    const other = client('text/event-stream', gateway.authorization);
    const token = await tokenOf(authorization);
    streams.push(client('text/event-stream', `Bearer ${token}`));
    await Promise.all([...streams, other].map((one) => one.until(() => one.text().includes('run.started'))));

    const id = /"run_id":"([^"]+)"/.exec(streams.at(-1)?.text() ?? '')?.[1] ?? 'none';
    const byAddress = openEvents(port(), { path: `/runs/${id}/events?token=${token}` });
    streams.push(byAddress);
    await byAddress.until(() => byAddress.text().includes('run.started'));

    const overAt: number[] = [];
    const over = (one: EventClient) => one.whole().then(() => void overAt.push(Date.now()));
    const all = Promise.all([...waits, ...streams].map(over));
    const { revoked_at: revokedAt } = await rungate<{ revoked_at: string }>('keys', 'revoke', idOf(key));
    await all;

    const slowestMs = Math.max(...overAt) - Date.parse(revokedAt);
    expect(slowestMs).toBeLessThan(WITHIN_MS);
    for (const wait of waits) {
      expect([wait.status(), reviveJson(wait.text())]).toEqual([
        401,
        { error: expect.objectContaining({ code: 'unauthorized', run_id: expect.stringMatching(/^run_/) }) },
      ]);
    }
    for (const stream of streams) expect(stream.text()).toContain(': the key or token of this stream was revoked');
    expect((await fetch(`${gateway.url()}/runs`, { headers: { authorization } })).status).toBe(401);
    expect(other.isWhole()).toBe(false);
    // Who leaves is waited for that long: nobody has left.
    await sleep(UNATTENDED_MS);
    const left = await gateway.command(({ store }) =>
      store.runs.list({ lineage: idOf(key) }, { limit: 100, before: null }),
    );
    expect(left.runs.map(({ status }) => status)).toEqual(Array(2 * CALLS + 1).fill('running'));
    for (const one of [...waits, ...streams, other]) one.leave();
  });
});

describe('a key’s origins and its last use', () => {
  it('count at once on a running server, and are kept', async () => {
    const { id, key } = await rungate<{ id: string; key: string }>(
      'keys',
      'create',
      '--name',
      'page',
      '--origin',
      ORIGIN,
    );
    const ask = (origin: string) =>
      openEvents(port(), {
        path: '/runs',
        headers: { authorization: `Bearer ${key}`, accept: 'application/json', origin },
      });
    const ours = ask(ORIGIN);
    await ours.whole();
    expect([ours.status(), ours.header('access-control-allow-origin')]).toEqual([200, ORIGIN]);
    const theirs = ask('https://evil.example');
    await theirs.whole();
    expect(theirs.header('access-control-allow-origin')).toBe(null);
    const used = async () => {
      const { data } = await rungate<{ data: { id: string; last_used_at: string | null }[] }>('keys', 'list');
      return data.find((one) => one.id === id)?.last_used_at ?? null;
    };
    // No request writes: a minute goes by before, or the server stops.
    expect(await used()).toBe(null);
    const before = Date.now();
    await gateway.shutDown();
    const at = Date.parse((await used()) ?? '');
    expect(at).toBeGreaterThan(before - 10_000);
    expect(at).toBeLessThanOrEqual(before);
    await gateway.startUp();
    await rungate('keys', 'revoke', id);
    const revoked = ask(ORIGIN);
    await revoked.whole();
    expect([revoked.status(), revoked.header('access-control-allow-origin')]).toEqual([401, null]);
    for (const one of [ours, theirs, revoked]) one.leave();
  });
});
