import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs, { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createConfigAudit } from '../../../src/app/audit-config.ts';
import { openConfig } from '../../../src/app/open-config.ts';
import { watchConfig, type ConfigWatch } from '../../../src/app/watch-config.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import type { Log, LogFields } from '../../../src/core/log.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { createRegistry } from '../../../src/providers/registry.ts';

const ONE = 'workflows: { one: { provider: b3os, workflow: wf_1 } }';
const TWO = 'workflows: { two: { provider: b3os, workflow: wf_2 } }';
const BAD = 'workflows: { two: { provider: nobody, workflow: wf_2, timeout: 1 } }';
const RELOADED = 'configuration reloaded';
const KEPT = 'configuration not reloaded; the last good one stays';
const GONE = 'there is no configuration file, or it is empty; the last good configuration stays';
const POLL_MS = 10;

interface Line {
  level: keyof Log;
  message: string;
  fields: LogFields;
}

let directory: string;
let file: string;
let watch: ConfigWatch | null;
let lines: Line[];
let woken: (() => void)[];
/** What was told to the audit log. */
let told: { sha256: string; workflows: unknown }[];
let auditIsBroken: boolean;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rungate-watch-'));
  file = join(directory, 'rungate.yaml');
  lines = [];
  woken = [];
  watch = null;
  told = [];
  auditIsBroken = false;
});
afterEach(async () => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
  await watch?.stop();
  await rm(directory, { recursive: true, force: true });
});

const write = (level: keyof Log) => (fields: LogFields, message: string) => {
  lines.push({ level, message, fields });
  for (const wake of woken) wake();
};
const log: Log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };

async function open({ mayBeAbsent = false, stop }: { mayBeAbsent?: boolean; stop?: AbortSignal } = {}) {
  watch = await openConfig({
    source: { path: file, mayBeAbsent },
    context: { kinds: PROVIDER_KINDS, environment: {} },
    sandbox: null,
    audit: createConfigAudit(async ({ details }, work) => {
      if (auditIsBroken) throw new GatewayError('store_unavailable');
      told.push(details as (typeof told)[number]);
      return work();
    }),
    clock: systemClock,
    log,
    stop,
    pollMs: POLL_MS,
  });
  return watch;
}

function workflows(): string[] {
  return (
    watch
      ?.registry()
      .workflows()
      .map(({ name }) => name) ?? []
  );
}

/** The lines so far, once there are `count` of this message. */
async function logged(message: string, count = 1): Promise<Line[]> {
  for (;;) {
    const found = lines.filter((line) => line.message === message);
    if (found.length >= count) return found;
    await new Promise<void>((resolve) => woken.push(resolve));
  }
}

/** Of all files, by whoever loads the function from now on or has loaded it before. */
function spyOnOpening() {
  const spy = vi.spyOn(fs, 'open');
  syncBuiltinESMExports();
  return spy;
}

async function putInPlace(text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

describe('the configuration in use', () => {
  it('follows a file that is written again, and says by name what changed', async () => {
    await writeFile(file, ONE);
    await open();
    await writeFile(file, `${TWO}\nproviders: { b3os: { settings: { org_id: org_secret } }, t: { kind: ai-tutor } }`);
    const [line] = await logged(RELOADED);
    expect(workflows()).toEqual(['two']);
    expect(line?.fields).toEqual({
      file,
      providers: { added: ['t'], removed: [], changed: ['b3os'] },
      workflows: { added: ['two'], removed: ['one'], changed: [] },
      access: { added: [], removed: [], changed: [] },
    });
    expect(JSON.stringify(lines)).not.toContain('org_secret');
  });

  it('follows a file that is put into the place of the old one', async () => {
    await writeFile(file, ONE);
    await open();
    await putInPlace(TWO);
    await logged(RELOADED);
    expect(workflows()).toEqual(['two']);
    await putInPlace(ONE);
    await logged(RELOADED, 2);
    expect(workflows()).toEqual(['one']);
  });

  it('follows a link to a directory that is swapped, as Kubernetes does it', async () => {
    for (const [version, text] of [
      ['v1', ONE],
      ['v2', TWO],
    ] as const) {
      await mkdir(join(directory, version));
      await writeFile(join(directory, version, 'rungate.yaml'), text);
    }
    await symlink('v1', join(directory, '..data'));
    await symlink('..data/rungate.yaml', file);
    await open();
    expect(workflows()).toEqual(['one']);
    await symlink('v2', join(directory, '..data_tmp'));
    await rename(join(directory, '..data_tmp'), join(directory, '..data'));
    await logged(RELOADED);
    expect(workflows()).toEqual(['two']);
  });

  it('takes a good file that could not be read for a while, although nothing about it has changed since', async () => {
    await writeFile(file, ONE);
    await open();
    const full = spyOnOpening();
    full.mockRejectedValue(Object.assign(new Error('too many open files'), { code: 'EMFILE' }));
    await putInPlace(TWO);
    await logged(KEPT);
    const tries = full.mock.calls.length;
    await expect.poll(() => full.mock.calls.length).toBeGreaterThan(tries + 5);
    full.mockRestore();
    syncBuiltinESMExports();
    await logged(RELOADED);
    expect(workflows()).toEqual(['two']);
    expect(await logged(KEPT)).toHaveLength(1);
  });

  it('is not read for those who asked before it was stopped', async () => {
    await writeFile(file, ONE);
    const config = await open();
    const opened = spyOnOpening();
    const asked = Array.from({ length: 50 }, () => config.reload());
    await config.stop();
    await Promise.all(asked);
    expect(opened.mock.calls.length).toBeLessThanOrEqual(2);
  });

  it('is not begun with where the process is told to stop before it is read', async () => {
    await writeFile(file, ONE);
    await expect(open({ stop: AbortSignal.abort('SIGTERM') })).rejects.toBe('SIGTERM');
    expect(told).toEqual([]);
  });

  it('stays where the new file has faults, each of which is logged, once', async () => {
    await writeFile(file, ONE);
    const { registry } = await open();
    const before = registry();
    await putInPlace(BAD);
    await logged(KEPT);
    // The same content again, as a new file.
    await putInPlace(BAD);
    await putInPlace(TWO);
    await logged(RELOADED);
    expect(lines.map(({ level, message }) => [level, message])).toEqual([
      ['error', 'fault in the configuration'],
      ['error', 'fault in the configuration'],
      ['error', KEPT],
      ['info', RELOADED],
    ]);
    expect(lines[0]?.fields).toEqual({
      file,
      line: 1,
      column: 31,
      path: 'workflows.two.provider',
      expected: 'no provider of this name; there is ai-tutor, b3os, draft-and-goal, interactly',
    });
    expect(before.workflow('one')).not.toBeNull();
    expect(workflows()).toEqual(['two']);
  });

  it.each([
    ['is deleted', () => rm(file)],
    ['is emptied', () => writeFile(file, '\n')],
  ])('stays where the file %s, until there is one again', async (_, happens) => {
    await writeFile(file, ONE);
    await open();
    await happens();
    await logged(GONE);
    expect(workflows()).toEqual(['one']);
    await writeFile(file, '{}');
    await logged(RELOADED);
    expect(workflows()).toEqual([]);
  });

  it('stays where the file cannot be read', async () => {
    await writeFile(file, ONE);
    await open();
    await writeFile(file, Uint8Array.of(0x23, 0xe9));
    await logged(KEPT);
    expect(lines[0]?.fields).toMatchObject({ file, line: null, expected: 'expected UTF-8 text' });
    expect(workflows()).toEqual(['one']);
  });

  it('stays where a pipe takes the place of the file, and follows the file that comes after', async () => {
    await writeFile(file, ONE);
    await open();
    execFileSync('mkfifo', [`${file}.pipe`]);
    await rename(`${file}.pipe`, file);
    await logged(KEPT);
    expect(lines[0]?.fields).toMatchObject({ file, expected: 'expected a file' });
    await putInPlace(TWO);
    await logged(RELOADED);
    expect(workflows()).toEqual(['two']);
  });

  it('stops even while the file system does not answer', async () => {
    const registry = createRegistry({ kinds: PROVIDER_KINDS, providers: {}, workflows: [] });
    const never = Promise.withResolvers<never>();
    await writeFile(file, ONE);
    const stuck = watchConfig({
      path: file,
      started: { registry, text: null },
      read: () => never.promise,
      audit: { reloaded: async () => undefined },
      clock: { ...systemClock, after: (_, fn) => systemClock.after(0, fn) },
      log,
    });
    void stuck.reload();
    await expect(stuck.stop()).resolves.toBeUndefined();
  });

  it('begins with nothing where the file may be absent, and follows it when it comes', async () => {
    await open({ mayBeAbsent: true });
    expect(workflows()).toEqual([]);
    await writeFile(file, ONE);
    await logged(RELOADED);
    expect(workflows()).toEqual(['one']);
  });

  it('refuses to begin with a file that has faults', async () => {
    await writeFile(file, BAD);
    await expect(open()).rejects.toThrow(`${file}:1:31 workflows.two.provider: no provider of this name`);
  });

  it('takes nothing that is still being written', async () => {
    await writeFile(file, ONE);
    await open();
    // Each half is a good file; together they take less time than a content must last.
    await writeFile(file, 'workflows: {}');
    await writeFile(file, TWO);
    const [line] = await logged(RELOADED);
    expect(line?.fields.workflows).toEqual({ added: ['two'], removed: ['one'], changed: [] });
  });

  it('is read at once when asked, which is answered in the log even where nothing changed', async () => {
    await writeFile(file, ONE);
    const { reload } = await open();
    await reload();
    expect(lines.map(({ message }) => message)).toEqual([RELOADED]);
    await putInPlace(BAD);
    await Promise.all([reload(), reload()]);
    expect(lines.filter(({ message }) => message === KEPT).length).toBeGreaterThanOrEqual(2);
    expect(workflows()).toEqual(['one']);
  });
});

describe('the audit log', () => {
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

  it('is told of what the server begins with, and of each change, by hash and names', async () => {
    await writeFile(file, ONE);
    const { reload } = await open();
    expect(told).toMatchObject([{ sha256: sha256(ONE), workflows: { count: 1, names: ['one'] } }]);
    await reload();
    expect(told).toHaveLength(1);
    await putInPlace(TWO);
    await reload();
    expect(told[1]).toMatchObject({
      sha256: sha256(TWO),
      workflows: { added: ['two'], removed: ['one'], changed: [] },
    });
    expect(JSON.stringify(told)).not.toContain('wf_');
  });

  it('is told nothing of a file with faults', async () => {
    await writeFile(file, ONE);
    const { reload } = await open();
    await putInPlace(BAD);
    await reload();
    expect(told).toHaveLength(1);
  });

  it('keeps a change from being used until it can be told', async () => {
    await writeFile(file, ONE);
    await open();
    auditIsBroken = true;
    await putInPlace(TWO);
    await logged('configuration could not be read again', 2);
    expect(workflows()).toEqual(['one']);
    auditIsBroken = false;
    await logged(RELOADED);
    expect(workflows()).toEqual(['two']);
  });

  it('keeps a server from beginning with what it cannot be told of', async () => {
    await writeFile(file, ONE);
    auditIsBroken = true;
    await expect(open()).rejects.toMatchObject({ code: 'store_unavailable' });
  });
});
