import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { errorBody } from '../../../src/core/errors.ts';
import { createIds, type RunId } from '../../../src/core/ids.ts';
import { reviveJson } from '../../../src/core/json.ts';
import type { Log } from '../../../src/core/log.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import type { NewRun } from '../../../src/runs/ports.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { newRun } from '../../contract/store/sample-run.ts';
import { createCommandLine, type CommandLine } from '../../support/command-line.ts';

const nothing = () => undefined;
const log: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
const ids = createIds({ clock: systemClock, random: createSystemRandom() });

interface Page {
  data: { id: string; status: string }[];
  next_cursor: string | null;
}

let line: CommandLine;
beforeEach(async () => void (line = await createCommandLine()));
afterEach(() => line.remove());

const QUEUED: Partial<NewRun> = {
  status: 'queued',
  keyId: 'k1',
  keyName: 'web',
  attempts: [],
  startedAt: null,
  owner: null,
  inputs: { topic: 'a\u001b[2Jb' },
  events: [{ type: 'run.created', at: 0, data: {} }],
  dueInMs: 3_600_000,
};

async function write(...runs: Partial<NewRun>[]): Promise<RunId[]> {
  const url = `sqlite:${join(line.dataDir, 'rungate.db')}`;
  const store = await openStore({ url, role: 'command', clock: systemClock, log });
  const written = runs.map((given) => newRun(ids.run(), Date.now(), { ...QUEUED, ...given }));
  for (const run of written) await store.runs.create(run, { idempotency: null, quota: null });
  await store.close();
  return written.map(({ id }) => id);
}

describe('runs list', () => {
  it('shows everyone’s runs, newest first, in pages', async () => {
    const written = await write({ lineage: 'k1' }, { lineage: 'k2' }, { lineage: 'k3' });
    const first = await line.document<Page>(['runs', 'list', '--limit', '2']);
    const second = await line.document<Page>(['runs', 'list', '--cursor', first.next_cursor ?? '']);
    expect([...first.data, ...second.data].map(({ id }) => id)).toEqual(written.toReversed());
    expect(second.next_cursor).toBeNull();
  });

  it('filters', async () => {
    const [, tutor] = await write({ provider: 'b3os', kind: 'b3os' }, { workflow: 'other' });
    const found = async (...argv: string[]) => (await line.document<Page>(['runs', 'list', ...argv])).data;
    expect(await found('--workflow', 'other')).toMatchObject([{ id: tutor }]);
    expect(await found('--provider', 'ai-tutor')).toMatchObject([{ id: tutor }]);
    expect(await found('--status', 'queued', 'running')).toHaveLength(2);
    expect(await found('--status', 'running', '--status', 'failed')).toEqual([]);
  });

  it.each([[['--limit', '0']], [['--limit', '101']], [['--limit', 'x']], [['--cursor', 'x']], [['--status', 'lost']]])(
    'refuses %j as wrong usage',
    async (argv) => {
      expect((await line.run(['runs', 'list', ...argv])).exitCode).toBe(2);
    },
  );

  it('lets no stored name steer the terminal', async () => {
    await write({ keyName: 'evil\u001b]0;title\u0007', workflow: 'a\nb' });
    const { stdout } = await line.run(['runs', 'list']);
    expect(stdout.trimEnd().split('\n')).toHaveLength(2);
    expect(stdout).toContain('evil\\u001b]0;title\\u0007');
  });
});

describe('runs get', () => {
  it('shows the run with its payloads and whose it is', async () => {
    const [id = ''] = await write({});
    expect(await line.document(['runs', 'get', id])).toMatchObject({
      id,
      object: 'run',
      status: 'queued',
      key: { id: 'k1', name: 'web' },
      inputs: { topic: 'a\u001b[2Jb' },
      output: null,
    });
    const { stdout } = await line.run(['runs', 'get', id]);
    expect(stdout).toContain('web (k1)');
    expect(stdout).not.toContain('\u001b');
  });

  it('tells people what the document tells programs', async () => {
    const error = {
      ...errorBody('upstream_unavailable', { message: 'The vendor did not answer.' }),
      provider: 'ai-tutor',
    };
    const pollError = errorBody('upstream_timeout', { message: 'The poll took too long.' });
    const attempt = {
      number: 1,
      step: 'start',
      kind: 'ai-tutor',
      origin: 'https://vendor',
      state: 'began',
      at: 1,
    } as const;
    const [plain = '', full = ''] = await write(
      { subject: null, metadata: {}, tags: [] },
      {
        status: 'waiting',
        error,
        subject: 'user-7',
        metadata: { ticket: '42' },
        tags: ['nightly', 'eu'],
        waiting: { for: 'approval', hint: { ask: 'Send it?\u001b[2J' } },
        upstream: { runId: 'v1', status: 'hold', requestId: 'vr_9', stopped: false, pollError, rateLimit: null },
        attempts: [
          { ...attempt, provider: 'ai-tutor', workflow: 'wf_1', credentialId: 'cred_3', errorCode: 'outcome_unknown' },
        ],
      },
    );
    const { stdout } = await line.run(['runs', 'get', full]);
    const shown = Object.fromEntries(stdout.split('\n').map((text) => text.split(/ {2,}(.*)/s).slice(0, 2)));
    expect(shown).toMatchObject({
      error: 'upstream_unavailable: The vendor did not answer.',
      subject: 'user-7',
      metadata: '{"ticket":"42"}',
      tags: 'nightly, eu',
      waiting: expect.stringMatching(/^for approval: .*Send it/),
      'last poll': 'upstream_timeout: The poll took too long.',
      'vendor stopped': 'false',
      'vendor request': 'vr_9',
      '1970-01-01T00:00:00.001Z': expect.stringMatching(/^start +ai-tutor +wf_1 +cred_3 +outcome_unknown$/),
    });
    expect(stdout).not.toContain('\u001b');
    expect((await line.run(['runs', 'get', plain])).stdout).not.toMatch(/subject|waiting|attempts|tags/);
  });

  it.each(['run_00000000000000000000000000', 'x', '../x', 'run_\u0000'])('fails for %j', async (id) => {
    const { exitCode, stdout } = await line.run(['runs', 'get', id, '--json']);
    expect(exitCode).toBe(1);
    expect(reviveJson(stdout)).toMatchObject({ error: { code: 'not_found' } });
  });
});

describe('runs cancel', () => {
  it('ends a queued run without a server, and again says that it has ended', async () => {
    const [id = ''] = await write({});
    expect(await line.document(['runs', 'cancel', id])).toMatchObject({ id, status: 'cancelled' });
    expect(await line.document(['runs', 'cancel', id])).toMatchObject({ id, status: 'cancelled' });
  });

  it('leaves the asking to the server where the vendor can be asked', async () => {
    const [id = ''] = await write({
      status: 'running',
      provider: 'b3os',
      kind: 'b3os',
      accepted: true,
      upstream: { runId: 'run_9', status: null, requestId: null, stopped: null, pollError: null, rateLimit: null },
      care: { step: 'poll', tries: 0, notFound: 0 },
    });
    const { stdout } = await line.run(['runs', 'cancel', id]);
    expect(stdout).toBe(
      `${id} is cancelling: the server asks the vendor to stop, or the next one does that is started.\n`,
    );
  });

  it('fails where there is no such run', async () => {
    const { exitCode, stderr } = await line.run(['runs', 'cancel', 'run_00000000000000000000000000']);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^rungate: There is no such run\. List them with/);
  });
});
