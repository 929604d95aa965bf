import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import type { StartsPage } from '../../../src/sandbox/serve-control.ts';
import { ask, CLIENTS, openSandbox, start, useSandbox } from './support.ts';

const sandbox = useSandbox();
const page = async (query = ''): Promise<StartsPage> =>
  (await ask(`${sandbox.current.control.origin}/starts${query}`)).body;

describe('the recorded starts', () => {
  it('show what was sent, by whom it was taken, and whether it began', async () => {
    await start(sandbox.current, 'draft-and-goal', 'my-workflow');
    await start(sandbox.current, 'ai-tutor', 'status-402');
    await start(sandbox.current, 'b3os', 'my-workflow');
    expect(sandbox.current.starts()).toEqual([
      {
        seq: 1,
        kind: 'draft-and-goal',
        command: 'start',
        workflow: 'my-workflow',
        runId: expect.any(String),
        clientRunId: null,
        body: JSON.stringify(CLIENTS['draft-and-goal'].start('my-workflow').body),
        bodyTruncated: false,
        at: expect.stringMatching(/Z$/),
        began: true,
      },
      expect.objectContaining({ seq: 2, kind: 'ai-tutor', workflow: 'status-402', began: false, runId: null }),
      expect.objectContaining({ seq: 3, kind: 'b3os', runId: 'run_chosen', clientRunId: 'run_chosen', began: true }),
    ]);
    expect(sandbox.current.starts({ workflow: 'my-workflow' })).toHaveLength(2);
    expect(sandbox.current.starts({ kind: 'ai-tutor', began: true })).toEqual([]);
  });

  it('are the same at the control server, page by page', async () => {
    for (let i = 0; i < 3; i++) await start(sandbox.current, 'b3os', 'my-workflow');
    await start(sandbox.current, 'b3os', 'status-404');
    expect(await page()).toEqual({ starts: sandbox.current.starts(), recorded: 4, forgotten: 0, next: null });
    const first = await page('?kind=b3os&workflow=my-workflow&limit=2');
    expect(first.starts.map(({ seq }) => seq)).toEqual([1, 2]);
    expect((await page(`?kind=b3os&workflow=my-workflow&limit=2&after=${first.next}`)).starts).toHaveLength(1);
    expect((await page('?began=false')).starts).toHaveLength(1);
  });

  it('are forgotten with the runs at a reset, by call or at the control server', async () => {
    const { baseUrl, key, requests } = sandbox.current.vendors.b3os;
    for (const reset of [
      async () => sandbox.current.reset(),
      async () => void (await ask(`${sandbox.current.control.origin}/reset`, { method: 'POST' })),
    ]) {
      await start(sandbox.current, 'b3os', 'my-workflow');
      expect(requests()).toBe(1);
      await reset();
      expect([sandbox.current.starts(), requests()]).toEqual([[], 0]);
      expect((await ask(`${baseUrl}/v1/runs/run_chosen`, { headers: CLIENTS.b3os.auth(key) })).status).toBe(404);
      await ask(`${sandbox.current.control.origin}/reset`, { method: 'POST' });
    }
  });

  it('are cut at 4 KB a body, and the oldest are forgotten', async () => {
    const small = await openSandbox({ recordsMax: 2, runMs: { 'ai-tutor': 0 } });
    try {
      const { baseUrl, key } = small.vendors['ai-tutor'];
      const asked = { method: 'POST', headers: CLIENTS['ai-tutor'].auth(key), body: { story: 'x'.repeat(10_000) } };
      for (let i = 0; i < 3; i++) await ask(`${baseUrl}/api/v1/run/w`, asked);
      const seen: StartsPage = (await ask(`${small.control.origin}/starts`)).body;
      expect(seen).toMatchObject({ recorded: 3, forgotten: 1 });
      expect(seen.starts.map(({ seq, body, bodyTruncated }) => [seq, body?.length, bodyTruncated])).toEqual([
        [2, 4096, true],
        [3, 4096, true],
      ]);
    } finally {
      await small.close();
    }
  });

  it('are apart from resumes, which are counted in the same way', async () => {
    await start(sandbox.current, 'interactly', 'asks.runs-0');
    const [begun] = sandbox.current.starts();
    const { baseUrl, key } = sandbox.current.vendors.interactly;
    const asked = { method: 'POST', headers: CLIENTS.interactly.auth(key) };
    const body = { command: 'data', workflow_run_id: begun?.runId, dynamic_variables: {} };
    for (let i = 0; i < 2; i++) await ask(`${baseUrl}/v1/workflow-runs`, { ...asked, body });
    expect(sandbox.current.starts()).toHaveLength(1);
    const workflow = 'asks.runs-0';
    expect(sandbox.current.resumes({ workflow })).toMatchObject([
      { command: 'data', runId: begun?.runId, began: true },
      { command: 'data', runId: begun?.runId, began: false },
    ]);
    const seen: StartsPage = (await ask(`${sandbox.current.control.origin}/resumes?workflow=${workflow}`)).body;
    expect(seen.starts).toEqual(sandbox.current.resumes());
  });

  it('name a workflow by its name, and the control server tells the id that a vendor takes', async () => {
    const name = 'runs-0.with-a-rather-long-name';
    const idAt = async (kind: string) =>
      (await ask(`${sandbox.current.control.origin}/workflow-id?kind=${kind}&name=${name}`)).body;
    expect(await idAt('b3os')).toEqual({ id: name });
    expect(await idAt('interactly')).toEqual({ id: expect.stringMatching(/^[0-9a-f]{24}$/) });
    expect(await idAt('nobody')).toEqual({ error: expect.any(String) });
    await start(sandbox.current, 'interactly', name);
    expect(sandbox.current.starts()).toMatchObject([{ workflow: name, began: true }]);
  });

  it('are behind no other path or method', async () => {
    const { origin } = sandbox.current.control;
    expect((await ask(`${origin}/`)).status).toBe(404);
    expect((await ask(`${origin}/starts`, { method: 'POST' })).headers.get('allow')).toBe('GET');
    expect((await ask(`${origin}/reset`)).status).toBe(405);
  });
});

describe('a sandbox', () => {
  it('takes the credentials it is given', async () => {
    const own = await openSandbox({ keys: { b3os: 'b3sk_marker' } });
    try {
      expect(own.vendors.b3os.key).toBe('b3sk_marker');
      expect((await start(own, 'b3os', 'w')).status).toBe(200);
    } finally {
      await own.close();
    }
  });

  it('comes back on the same ports, and leaves nothing open where one is taken', async () => {
    const first = await openSandbox();
    const ports = {
      b3os: Number(new URL(first.vendors.b3os.origin).port),
      control: Number(new URL(first.control.origin).port),
    };
    await expect(openSandbox({ ports })).rejects.toThrow('EADDRINUSE');
    await first.close();
    const second = await openSandbox({ ports });
    expect(second.vendors.b3os.origin).toBe(first.vendors.b3os.origin);
    await second.close();
  });

  it('closes at once, whatever is under way', async () => {
    const own = await openSandbox();
    const pending = [start(own, 'b3os', 'never-answers'), start(own, 'ai-tutor', 'runs-60000')];
    const settled = Promise.allSettled(pending);
    await expect.poll(() => own.starts().length).toBe(2);
    await own.close();
    expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });
});

describe('the sandbox as a process', () => {
  let child: ChildProcess | undefined;
  afterEach(() => {
    child?.kill('SIGKILL');
  });

  it('prints its addresses in one line, works, and stops at SIGTERM', async () => {
    const script = resolve(import.meta.dirname, '../../../scripts/sandbox.ts');
    child = spawn(process.execPath, [script, '--control', '0', '--b3os', '0'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
    const printed = JSON.parse(line);
    const { base_url: baseUrl, key } = printed.vendors['draft-and-goal'];
    const client = CLIENTS['draft-and-goal'];
    const { path, body } = client.start('w');
    await ask(baseUrl + path, { method: 'POST', headers: client.auth(key), body });
    expect((await ask(`${printed.control.origin}/starts?kind=draft-and-goal`)).body.starts).toHaveLength(1);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });
});
