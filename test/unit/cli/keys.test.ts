import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { join } from 'node:path';
import { createKey, createKeyVerifier } from '../../../src/access/keys.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { reviveJson } from '../../../src/core/json.ts';
import type { Log } from '../../../src/core/log.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { createCommandLine, type CommandLine } from '../../support/command-line.ts';

/** Nobody wants to know when keys are used. */
const use = { note: () => {} };

const nothing = () => undefined;
const log: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

interface ShownKey {
  id: string;
  key: string;
  status: string;
  expires_at: string | null;
  revoked_at: string | null;
}

const MANY_ORIGINS = Array.from({ length: 21 }, (_, i) => ['--origin', `https://app-${i}.example.com`]).flat();

let line: CommandLine;
beforeEach(async () => void (line = await createCommandLine()));
afterEach(() => line.remove());

describe('keys create', () => {
  it('makes a key that works at once on a server that is running, until it is revoked', async () => {
    const url = `sqlite:${join(line.dataDir, 'rungate.db')}`;
    const store = await openStore({ url, role: 'serve', clock: systemClock, log });
    try {
      const verifier = createKeyVerifier({ keys: store.keys, use, clock: systemClock });
      const { id, key } = await line.document<ShownKey>(['keys', 'create', '--name', 'web']);
      expect(await verifier.verify(key)).toMatchObject({ keyId: id, keyName: 'web', role: 'runs' });
      const revoked = await line.document<ShownKey>(['keys', 'revoke', id]);
      expect(revoked).toMatchObject({ id, status: 'revoked' });
      await vi.waitFor(() => expect(verifier.verify(key)).rejects.toMatchObject({ code: 'unauthorized' }), {
        timeout: 1_000,
      });
      expect((await line.document<ShownKey>(['keys', 'revoke', id])).revoked_at).toBe(revoked.revoked_at);
    } finally {
      await store.close();
    }
  });

  it('says so where it makes a database beside that of a sandbox', async () => {
    const fresh = await createCommandLine({ fresh: true });
    try {
      const create = (...argv: string[]) => fresh.run(['keys', 'create', '--name', 'web', ...argv]);
      expect((await create('--sandbox')).stderr).not.toContain('works there');
      const { exitCode, stderr } = await create();
      expect([exitCode, stderr]).toEqual([0, expect.stringContaining('with --sandbox, a command works there')]);
      expect((await create()).stderr).not.toContain('works there');
    } finally {
      await fresh.remove();
    }
  });

  it('warns of a setting that is misspelt', async () => {
    const { exitCode, stderr } = await line.run(['keys', 'list'], { environment: { RUNGATE_DATADIR: '/elsewhere' } });
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining('did you mean RUNGATE_DATA_DIR?')]);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  it('makes the secret that signs its messages, shown once, for keys that start runs', async () => {
    const made = await line.document<ShownKey & { webhook_secret: string }>(['keys', 'create', '--name', 'web']);
    expect(made.webhook_secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const { stdout } = await line.run(['keys', 'create', '--name', 'shown']);
    expect(stdout).toMatch(/signed with:\n\nwhsec_[A-Za-z0-9+/]{43}=\n$/);
    expect(stdout).not.toContain(made.webhook_secret);
    for (const role of ['viewer', 'admin']) {
      const { stdout: other } = await line.run(['keys', 'create', '--name', 'reader', '--role', role, '--json']);
      expect(other).not.toContain('webhook_secret');
    }
    expect((await line.run(['keys', 'list', '--json'])).stdout).not.toContain('whsec_');
  });

  it('takes role, allow-lists and expiry', async () => {
    const allowed = '--allow-workflow a --allow-workflow b --allow-provider b3os --allow-provider dify/x';
    const argv = `keys create --name n --role runs --expires 30d ${allowed}`.split(' ');
    const made = await line.document<ShownKey>(argv);
    expect(made).toMatchObject({ allowed_workflows: ['a', 'b'], allowed_providers: ['b3os', 'dify/x'] });
    const days = (Date.parse(made.expires_at ?? '') - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(29.9);
    expect(days).toBeLessThanOrEqual(30);
  });

  it('takes limits, which lists show and whoever verifies the key learns', async () => {
    const made = await line.document<ShownKey>(
      'keys create --name n --rpm 60 --concurrency 5 --daily 1000000'.split(' '),
    );
    const limits = { requests_per_minute: 60, concurrent_runs: 5, runs_per_day: 1_000_000 };
    expect(made).toMatchObject({ limits });
    const free = await line.document<ShownKey>(['keys', 'create', '--name', 'free']);
    const { data } = await line.document<{ data: ShownKey[] }>(['keys', 'list']);
    expect(data.find(({ id }) => id === made.id)).toMatchObject({ limits });
    expect(data.find(({ id }) => id === free.id)).toMatchObject({
      limits: { requests_per_minute: null, concurrent_runs: null, runs_per_day: null },
    });
    const { stdout } = await line.run(['keys', 'list']);
    expect(stdout).toMatch(/ 60 requests a minute, 5 runs at once, 1000000 runs a day /);
    const rows = stdout.split('\n');
    expect(rows.find((row) => row.includes(free.id))).toMatch(/ everything +- /);
    const url = `sqlite:${join(line.dataDir, 'rungate.db')}`;
    const store = await openStore({ url, role: 'command', clock: systemClock, log });
    const verifier = createKeyVerifier({ keys: store.keys, use, clock: systemClock });
    expect((await verifier.verify(made.key)).limits).toEqual({
      requestsPerMinute: 60,
      concurrentRuns: 5,
      runsPerDay: 1_000_000,
    });
    await store.close();
  });

  it('takes browser origins, which lists show and a rotation keeps', async () => {
    const origins = ['https://app.example.com', 'http://localhost:5173'];
    const argv = [
      '--name',
      'n',
      ...origins.flatMap((origin) => ['--origin', origin]),
      '--origin',
      'http://localhost:5173',
    ];
    const made = await line.document<ShownKey>(['keys', 'create', ...argv]);
    expect(made).toMatchObject({ origins, last_used_at: null });
    const { stdout } = await line.run(['keys', 'list']);
    expect(stdout).toContain('ORIGINS');
    expect(stdout).toContain(' https://app.example.com, http://localhost:5173 ');
    expect(await line.document(['keys', 'rotate', made.id])).toMatchObject({ origins, replaces: { origins } });
  });

  it('shows the key to people once, and no list shows it or its hash', async () => {
    const { stdout } = await line.run(['keys', 'create', '--name', 'web']);
    const secret = /rgk_[0-9a-z]{16}_([0-9A-Za-z]{43})_[0-9a-f]{8}/.exec(stdout)?.[1] ?? 'no key';
    const lists = (await line.run(['keys', 'list'])).stdout + (await line.run(['keys', 'list', '--json'])).stdout;
    expect(stdout).toContain(secret);
    expect(lists).toContain('web');
    expect(lists).not.toContain(secret);
    expect(lists.toLowerCase()).not.toContain('hash');
  });

  it.each([
    ['a name', ['--name', '']],
    ['--name', []],
    ['--role', ['--name', 'n', '--role', 'root']],
    ['--expires', ['--name', 'n', '--expires', 'tomorrow']],
    ['allowed workflow', ['--name', 'n', '--allow-workflow', 'a b']],
    ['allowed provider', ['--name', 'n', '--allow-provider', '/x']],
    ['--rpm takes a whole number from 1 to 1000000', ['--name', 'n', '--rpm', '0']],
    ['--rpm takes', ['--name', 'n', '--rpm', '1000001']],
    ['--rpm takes', ['--name', 'n', '--rpm', '1.5']],
    ['--concurrency takes', ['--name', 'n', '--concurrency', '-2']],
    ['--daily takes', ['--name', 'n', '--daily', 'many']],
    ['An origin is', ['--name', 'n', '--origin', 'https://app.example.com/']],
    ['An origin is', ['--name', 'n', '--origin', 'http://app.example.com']],
    ['An origin is', ['--name', 'n', '--origin', 'https://app.example.com', '--origin', '*']],
    ['at most 20 origins', ['--name', 'n', ...MANY_ORIGINS]],
  ])('refuses a wrong %s as wrong usage and makes nothing', async (name, argv) => {
    const { exitCode, stdout, stderr } = await line.run(['keys', 'create', ...argv, '--json']);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(name.replace(/^a name/, 'name'));
    expect(reviveJson<{ error: { code: string } }>(stdout).error.code).toMatch(/^invalid_/);
    expect(await line.document(['keys', 'list'])).toEqual({ data: [] });
  });
});

describe('keys list', () => {
  it('shows the newest first', async () => {
    const ids: string[] = [];
    for (const name of ['first', 'second', 'third']) {
      ids.unshift((await line.document<ShownKey>(['keys', 'create', '--name', name])).id);
    }
    const { data } = await line.document<{ data: ShownKey[] }>(['keys', 'list']);
    expect(data.map(({ id }) => id)).toEqual(ids);
  });
});

describe('keys revoke', () => {
  it('fails where there is no such key', async () => {
    const { exitCode, stdout, stderr } = await line.run(['keys', 'revoke', 'nobody', '--json']);
    expect(exitCode).toBe(1);
    expect(reviveJson(stdout)).toMatchObject({ error: { code: 'not_found' } });
    expect(stderr).toContain('rungate keys list');
  });
});

describe('keys rotate', () => {
  interface Rotated extends ShownKey {
    replaces: ShownKey;
  }

  it('keeps the secret that signs, and makes one for a line of keys that has none', async () => {
    const made = await line.document<ShownKey>(['keys', 'create', '--name', 'web']);
    expect(await line.document(['keys', 'rotate', made.id])).not.toHaveProperty('webhook_secret');
    const url = `sqlite:${join(line.dataDir, 'rungate.db')}`;
    const store = await openStore({ url, role: 'command', clock: systemClock, log });
    const wanted = { name: 'old', role: 'runs', allowedWorkflows: [], allowedProviders: [], expiresAt: null } as const;
    const { stored } = createKey(wanted, { clock: systemClock, random: createSystemRandom() });
    await store.keys.insert(stored);
    const rotated = await line.document<{ id: string; webhook_secret: string }>(['keys', 'rotate', stored.id]);
    expect(rotated.webhook_secret).toMatch(/^whsec_/);
    expect(await store.webhookSecrets.list(stored.lineage)).toHaveLength(1);
    await store.close();
    expect(await line.document(['keys', 'rotate', rotated.id])).not.toHaveProperty('webhook_secret');
  });

  it('makes a key with the same rights and runs, and the old one works for the overlap', async () => {
    const argv = 'keys create --name web --expires 30d --allow-workflow a --allow-provider b3os/x --rpm 60'.split(' ');
    const old = await line.document<ShownKey>(argv);
    const rotated = await line.document<Rotated>(['keys', 'rotate', old.id, '--overlap', '1h']);
    expect(rotated).toMatchObject({ name: 'web', allowed_workflows: ['a'], allowed_providers: ['b3os/x'] });
    expect(rotated).toMatchObject({ limits: { requests_per_minute: 60, concurrent_runs: null, runs_per_day: null } });
    expect(rotated.id).not.toBe(old.id);
    expect(rotated.replaces).toMatchObject({ id: old.id, status: 'active' });
    const hours = (text: string | null) => (Date.parse(text ?? '') - Date.now()) / 3_600_000;
    expect(hours(rotated.replaces.expires_at)).toBeCloseTo(1, 1);
    expect(hours(rotated.expires_at)).toBeCloseTo(720, 1);
    const url = `sqlite:${join(line.dataDir, 'rungate.db')}`;
    const store = await openStore({ url, role: 'command', clock: systemClock, log });
    const verifier = createKeyVerifier({ keys: store.keys, use, clock: systemClock });
    const callers = await Promise.all([old, rotated].map(({ key }) => verifier.verify(key)));
    expect(callers.map(({ lineage }) => lineage)).toEqual([old.id, old.id]);
    const later = createKeyVerifier({ keys: store.keys, use, clock: { now: () => Date.now() + 3_700_000 } });
    await expect(later.verify(old.key)).rejects.toMatchObject({ code: 'unauthorized' });
    await expect(later.verify(rotated.key)).resolves.toMatchObject({ keyId: rotated.id });
    await store.close();
  });

  it('keeps the line of a key that was rotated before, and never lengthens the life of an old one', async () => {
    const first = await line.document<ShownKey>(['keys', 'create', '--name', 'web', '--expires', '45m']);
    const second = await line.document<Rotated>(['keys', 'rotate', first.id]);
    expect(second.replaces.expires_at).toBe(first.expires_at);
    const third = await line.document<Rotated>(['keys', 'rotate', second.id]);
    const { stdout } = await line.run(['keys', 'list', '--json']);
    expect(stdout).toContain(third.id);
    expect(stdout).not.toContain(third.key);
  });

  it('refuses a key that was replaced, naming the newest of its line; one whose successors are revoked lasts as it did', async () => {
    const first = await line.document<ShownKey>(['keys', 'create', '--name', 'web', '--expires', '30d']);
    const second = await line.document<Rotated>(['keys', 'rotate', first.id, '--overlap', '1h']);
    const third = await line.document<Rotated>(['keys', 'rotate', second.id, '--overlap', '1h']);
    for (const { id } of [first, second]) {
      const { exitCode, stderr } = await line.run(['keys', 'rotate', id]);
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining('already replaced; rotate its successor')]);
      expect(stderr).toContain(third.id);
    }
    await line.run(['keys', 'revoke', third.id]);
    const fourth = await line.document<Rotated>(['keys', 'rotate', second.id]);
    const days = (Date.parse(fourth.expires_at ?? '') - Date.now()) / 86_400_000;
    expect(days).toBeCloseTo(30, 1);
  });

  it('ends the old one at once without an overlap', async () => {
    const { id } = await line.document<ShownKey>(['keys', 'create', '--name', 'web']);
    expect((await line.run(['keys', 'rotate', id, '--overlap', '0m'])).exitCode).toBe(0);
    const { data } = await line.document<{ data: ShownKey[] }>(['keys', 'list']);
    expect(data.find((key) => key.id === id)?.status).toBe('expired');
  });

  it('refuses a revoked key, an unknown one, and an overlap that is none', async () => {
    const { id } = await line.document<ShownKey>(['keys', 'create', '--name', 'web']);
    expect((await line.run(['keys', 'rotate', id, '--overlap', 'soon'])).exitCode).toBe(2);
    await line.run(['keys', 'revoke', id]);
    const { exitCode, stderr } = await line.run(['keys', 'rotate', id]);
    expect([exitCode, stderr.includes('revoked')]).toEqual([1, true]);
    expect((await line.run(['keys', 'rotate', 'nobody'])).exitCode).toBe(1);
    expect(reviveJson<{ data: object[] }>((await line.run(['keys', 'list', '--json'])).stdout).data).toHaveLength(1);
  });
});
