import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { createIds, type RunId } from '../../../src/core/ids.ts';
import { reviveJson } from '../../../src/core/json.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import type { NewRun } from '../../../src/runs/ports.ts';
import { openStore, type Store } from '../../../src/store/open-store.ts';
import { silentLog as log } from '../../contract/store/open-test-store.ts';
import { newRun } from '../../contract/store/sample-run.ts';
import { createCommandLine, type CommandLine } from '../../support/command-line.ts';

const ids = createIds({ clock: systemClock, random: createSystemRandom() });
const SECRET = 'sk_removed-but-not-overwritten';

let line: CommandLine;
beforeEach(async () => void (line = await createCommandLine()));
afterEach(() => line.remove());

const inData = (...names: string[]) => join(line.dataDir, ...names);
const files = (directory = line.dataDir) => readdirSync(directory).toSorted();

/** A directory in which no server has been. */
function removeDatabase(): void {
  for (const file of files()) if (file.startsWith('rungate.db')) rmSync(inData(file));
}

async function open(role: 'serve' | 'command'): Promise<Store> {
  return openStore({ url: `sqlite:${inData('rungate.db')}`, role, clock: systemClock, log });
}

async function write(store: Store, given: Partial<NewRun> = {}): Promise<RunId> {
  const run = newRun(ids.run(), Date.now(), given);
  await store.runs.create(run, { idempotency: null, quota: null });
  return run.id;
}

async function writeOne(given: Partial<NewRun> = {}): Promise<RunId> {
  const store = await open('command');
  const id = await write(store, given);
  await store.close();
  return id;
}

async function failure(argv: readonly string[], environment = {}): Promise<string> {
  const { exitCode, stdout } = await line.run([...argv, '--json'], { environment });
  expect(exitCode).toBe(1);
  return reviveJson<{ error: { message: string } }>(stdout).error.message;
}

const addCredential = () => line.run(['credentials', 'add', 'ai-tutor', '--stdin'], { stdin: SECRET });

describe('backup', () => {
  it('copies what is there while a server writes, for its owner alone, and leaves no draft', async () => {
    const store = await open('serve');
    try {
      const id = await write(store);
      mkdirSync(inData('to'));
      const made = await line.document(['backup', inData('to', 'b.db')]);
      expect(made).toMatchObject({ object: 'backup', runs: 1, master_keys: [] });
      expect(statSync(inData('to', 'b.db'))).toMatchObject({ size: made['bytes'] });
      expect(statSync(inData('to', 'b.db')).mode & 0o777).toBe(0o600);
      expect(files(inData('to'))).toEqual(['b.db']);
      expect(await store.runs.peek(id)).toMatchObject({ id });
    } finally {
      await store.close();
    }
  });

  it('names the master key, and holds neither it nor what was deleted', async () => {
    await addCredential();
    const id = await writeOne({ inputs: { text: 'told in confidence' } });
    await line.run(['runs', 'cancel', id]);
    const store = await open('command');
    await store.runs.remove(id);
    await store.close();
    const { stdout } = await line.run(['backup', inData('b.db')]);
    const { master_keys: masterKeys } = await line.document<{ master_keys: string[] }>(['backup', inData('c.db')]);
    expect(masterKeys).toHaveLength(1);
    expect(stdout).toContain(masterKeys[0]);
    const bytes = readFileSync(inData('b.db'));
    const key = readFileSync(inData('master.key'), 'utf8').trim();
    for (const text of [SECRET, key, 'told in confidence']) expect(bytes.includes(text)).toBe(false);
    expect(bytes.includes(Buffer.from(key, 'base64'))).toBe(false);
  });

  it('replaces a file only where it is told to', async () => {
    await writeOne();
    await line.document(['backup', inData('b.db')]);
    const before = readFileSync(inData('b.db'));
    expect(await failure(['backup', inData('b.db')])).toContain('--force');
    expect(readFileSync(inData('b.db')).equals(before)).toBe(true);
    await writeOne();
    expect(await line.document(['backup', inData('b.db'), '--force'])).toMatchObject({ runs: 2 });
  });

  it('replaces nothing that is no backup, such as a master key or a device', async () => {
    await writeOne();
    for (const name of ['master.key', 'notes.txt']) {
      writeFileSync(inData(name), 'precious');
      expect(await failure(['backup', inData(name), '--force'])).toContain('no backup');
      expect(readFileSync(inData(name), 'utf8')).toBe('precious');
    }
    symlinkSync('/dev/zero', inData('device'));
    expect(await failure(['backup', inData('device'), '--force'])).toContain('no backup');
  });

  it.each(['rungate.db', 'rungate.db-wal', 'rungate.db.lock', 'link.db'])(
    'never takes the place of %s',
    async (name) => {
      const store = await open('serve');
      await write(store);
      symlinkSync(inData('rungate.db'), inData('link.db'));
      expect(await failure(['backup', inData(name), '--force'])).toContain('cannot take the place');
      await store.check();
      await store.close();
    },
  );

  it('makes no database where there is none', async () => {
    removeDatabase();
    expect(await failure(['backup', inData('b.db')])).toContain('no database');
    expect(files()).toEqual(['rungate.yaml']);
  });

  it('says where it cannot write', async () => {
    await writeOne();
    expect(await failure(['backup', inData('nowhere', 'b.db')])).toContain('nowhere');
  });

  it('works in the sandbox', async () => {
    removeDatabase();
    await line.run(['keys', 'create', '--name', 'a', '--sandbox']);
    expect(await line.document(['backup', inData('b.db'), '--sandbox'])).toMatchObject({ runs: 0 });
    expect(await failure(['backup', inData('c.db')])).toContain('no database');
    expect(await line.document(['restore', inData('b.db'), '--sandbox'])).toMatchObject({ runs: 0 });
    expect(existsSync(inData('rungate.db'))).toBe(false);
  });
});

describe('restore', () => {
  async function backedUp(): Promise<RunId> {
    await addCredential();
    const id = await writeOne();
    await line.document(['backup', inData('b.db')]);
    return id;
  }
  const runsOf = async () =>
    (await line.document<{ data: { id: string }[] }>(['runs', 'list'])).data.map((run) => run.id);

  it('brings the backup back and keeps what was there', async () => {
    const before = await backedUp();
    const after = await writeOne();
    const restored = await line.document<{ replaced: string }>(['restore', inData('b.db')]);
    expect(restored).toMatchObject({ object: 'restore', runs: 1, unsure_starts: 0 });
    expect(await runsOf()).toEqual([before]);
    expect(statSync(inData('rungate.db')).mode & 0o777).toBe(0o600);
    expect(files().filter((name) => name.includes('restore-'))).toEqual([]);
    await line.document(['restore', restored.replaced]);
    expect((await runsOf()).toSorted()).toEqual([before, after].toSorted());
  });

  it('leaves a database that a server can open at once, in its own mode', async () => {
    await backedUp();
    await line.document(['restore', inData('b.db')]);
    const store = await open('serve');
    await store.check();
    await store.close();
    const db = new DatabaseSync(inData('rungate.db'), { readOnly: true });
    expect(db.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    expect(db.prepare('PRAGMA auto_vacuum').get()).toEqual({ auto_vacuum: 2 });
    db.close();
  });

  it('works where there is nothing yet, with the master key at hand', async () => {
    const id = await backedUp();
    copyFileSync(inData('master.key'), inData('kept.key'));
    const elsewhere = {
      RUNGATE_DATA_DIR: inData('new', 'place'),
      RUNGATE_MASTER_KEY: readFileSync(inData('kept.key'), 'utf8').trim(),
    };
    const { exitCode } = await line.run(['restore', inData('b.db')], { environment: elsewhere });
    expect(exitCode).toBe(0);
    const { stdout } = await line.run(['runs', 'list'], { environment: elsewhere });
    expect(stdout).toContain(id);
    expect(statSync(inData('new')).mode & 0o777).toBe(0o700);
  });

  it('refuses, with nothing done, where the master key is another or none', async () => {
    await backedUp();
    const after = await writeOne();
    const before = files();
    const other = { RUNGATE_MASTER_KEY: Buffer.from(createSystemRandom().bytes(32)).toString('base64') };
    const { master_keys: keys } = await line.document<{ master_keys: string[] }>(['backup', inData('c.db')]);
    expect(await failure(['restore', inData('b.db')], other)).toContain(keys[0]);
    renameSync(inData('master.key'), inData('away.key'));
    expect(await failure(['restore', inData('b.db')])).toContain(keys[0]);
    renameSync(inData('away.key'), inData('master.key'));
    expect(await runsOf()).toContain(after);
    expect(files()).toEqual([...before, 'c.db'].toSorted());
  });

  it('leaves nothing behind in a fresh directory where it refuses', async () => {
    await addCredential();
    await backedUp();
    const fresh = inData('fresh');
    mkdirSync(fresh);
    const environment = { RUNGATE_DATA_DIR: fresh };
    expect(await failure(['restore', inData('b.db')], environment)).toContain('Put that key back');
    expect(files(fresh)).toEqual([]);
  });

  it('refuses while a server holds the database', async () => {
    await backedUp();
    const store = await open('serve');
    expect(await failure(['restore', inData('b.db')])).toContain('Stop it first');
    await store.check();
    await store.close();
  });

  it('refuses while a command has the database open', async () => {
    await backedUp();
    const store = await open('command');
    await write(store);
    expect(await failure(['restore', inData('b.db')])).toContain('has the database open');
    await write(store);
    expect((await store.runs.countUnfinished()).total).toBe(3);
    await store.close();
  });

  it('replaces a database that is beyond reading, and keeps all of it', async () => {
    const id = await backedUp();
    writeFileSync(inData('rungate.db'), 'rubbish '.repeat(1_000));
    writeFileSync(inData('rungate.db-wal'), 'the last of it');
    const { replaced } = await line.document<{ replaced: string }>(['restore', inData('b.db')]);
    expect(await runsOf()).toEqual([id]);
    expect(readFileSync(replaced, 'utf8')).toMatch(/^rubbish/);
    expect(readFileSync(`${replaced}-wal`, 'utf8')).toBe('the last of it');
  });

  it('refuses what is no good backup', async () => {
    await backedUp();
    const whole = readFileSync(inData('b.db'));
    const bad = async (name: string, make: (path: string) => void) => {
      make(inData(name));
      return failure(['restore', inData(name)]);
    };
    expect(await failure(['restore', inData('absent.db')])).toContain('no file');
    expect(await failure(['restore', line.dataDir])).toContain('no file');
    expect(await bad('empty.db', (path) => writeFileSync(path, ''))).toContain('empty');
    expect(await bad('text.db', (path) => writeFileSync(path, 'hello '.repeat(9_000)))).toContain('damaged');
    expect(
      await bad('half.db', (path) => {
        writeFileSync(path, whole);
        truncateSync(path, Math.floor(whole.length / 2));
      }),
    ).toContain('damaged');
    expect(
      await bad('foreign.db', (path) => {
        const db = new DatabaseSync(path);
        db.exec('CREATE TABLE notes (text TEXT)');
        db.close();
      }),
    ).toContain('another program');
    expect(
      await bad('newer.db', (path) => {
        writeFileSync(path, whole);
        const db = new DatabaseSync(path);
        db.exec('PRAGMA user_version = 99');
        db.close();
      }),
    ).toContain('schema 99');
    expect(
      await bad('used.db', (path) => {
        writeFileSync(path, whole);
        writeFileSync(`${path}-wal`, 'x');
      }),
    ).toContain('in use');
    expect(await runsOf()).toHaveLength(1);
  });

  it('starts nothing that may have been started since', async () => {
    const queued: Partial<NewRun> = {
      status: 'queued',
      attempts: [],
      startedAt: null,
      owner: null,
      events: [{ type: 'run.created', at: 0, data: {} }],
      dueInMs: 3_600_000,
    };
    const waiting = await writeOne(queued);
    const sample = newRun(ids.run(), Date.now());
    const attempts = sample.attempts.map((attempt) => ({ ...attempt, state: 'not_begun' as const }));
    const refused = await writeOne({ attempts, owner: null, dueInMs: 500 });
    const open = await writeOne();
    await line.document(['backup', inData('b.db')]);
    const { stdout } = await line.run(['restore', inData('b.db')]);
    expect(stdout).toContain('2 had not been started');
    const shown = async (id: string) => line.document(['runs', 'get', id]);
    expect(await shown(waiting)).toMatchObject({ status: 'running', attempts: [{}] });
    expect(await shown(refused)).toMatchObject({ status: 'running', attempts: [{}, {}] });
    expect(await shown(open)).toMatchObject({ status: 'running', attempts: [{}] });
  });

  it('can be done at a path with a space, and leaves no lock behind', async () => {
    await backedUp();
    mkdirSync(inData('a b'));
    renameSync(inData('b.db'), inData('a b', 'c d.db'));
    await line.document(['restore', inData('a b', 'c d.db')]);
    rmSync(inData('a b'), { recursive: true });
    const store = await open('serve');
    expect(await store.runs.countUnfinished()).toMatchObject({ total: 1 });
    await store.close();
  });
});
