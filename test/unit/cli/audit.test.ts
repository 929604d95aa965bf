import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { userInfo } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { auditHash, AUDIT_FIRST_PREVIOUS, readAuditEntry } from '../../../src/core/audit.ts';
import { reviveJson } from '../../../src/core/json.ts';
import { createCommandLine, type CommandLine } from '../../support/command-line.ts';

interface Entry {
  seq: number;
  action: string;
  actor: { type: string; id: string | null };
  target: { type: string; id: string };
  outcome: string;
  details: Record<string, unknown>;
  hash: string;
}

interface Verification {
  ok: boolean;
  entries: number;
  head: { seq: number; hash: string } | null;
  fault: { seq: number; message: string } | null;
}

const TRIGGERS = ['audit_keeps_entries', 'audit_keeps_all', 'audit_keeps_order'];

let line: CommandLine;
beforeEach(async () => void (line = await createCommandLine()));
afterEach(() => line.remove());

const database = () => new DatabaseSync(join(line.dataDir, 'rungate.db'));

/** Changes the database behind Rungate's back, as somebody who may write the file can, and leaves the triggers as they were. */
function tamper(...statements: string[]): void {
  const db = database();
  const made = db.prepare("SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'audit'").all();
  for (const trigger of TRIGGERS) db.exec(`DROP TRIGGER ${trigger}`);
  for (const statement of statements) db.exec(statement);
  for (const { sql } of made) db.exec(String(sql));
  db.close();
}

async function makeKeys(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await line.document(['keys', 'create', '--name', `key ${i}`, '--role', 'viewer']);
}

async function entries(): Promise<Entry[]> {
  const { stdout } = await line.run(['audit', 'export']);
  return stdout
    .trimEnd()
    .split('\n')
    .map((text) => reviveJson<Entry>(text));
}

async function verify(...argv: string[]): Promise<Verification & { exitCode: number | null; stderr: string }> {
  const { exitCode, stdout, stderr } = await line.run(['audit', 'verify', ...argv, '--json']);
  return { exitCode, stderr, ...reviveJson<Verification>(stdout) };
}

describe('the commands', () => {
  it('leave an entry each for what they change, by the operating system’s user, and none for what they read', async () => {
    const key = await line.document<{ id: string }>(['keys', 'create', '--name', 'web']);
    const { id: successor } = await line.document<{ id: string }>(['keys', 'rotate', key.id]);
    await line.document(['keys', 'revoke', successor]);
    const credential = await line.document<{ id: string }>(['credentials', 'add', 'ai-tutor', '--stdin'], 'sk_1');
    const rotation = await line.document<{ master_key: string }>(['vault', 'rotate']);
    await line.document(['credentials', 'remove', credential.id]);
    await line.run(['credentials', 'verify', 'ai-tutor']);
    await line.run(['runs', 'cancel', 'run_00000000000000000000000000']);
    await line.document(['backup', join(line.dataDir, 'copy.db')]);
    for (const argv of [['keys'], ['credentials'], ['runs']]) await line.document([...argv, 'list']);
    await line.document(['audit', 'verify']);
    const found = await entries();
    const actor = { type: 'command', id: userInfo().username };
    for (const entry of found) expect(entry.actor).toMatchObject(actor);
    expect(found.map(({ action, outcome, target }) => [action, outcome, target.id])).toEqual([
      ['key.create', 'begun', key.id],
      ['key.rotate', 'begun', key.id],
      ['key.revoke', 'begun', successor],
      ['credential.add', 'begun', credential.id],
      ['master_key.rotate', 'begun', rotation.master_key],
      ['credential.remove', 'begun', credential.id],
      ['credential.verify', 'begun', 'ai-tutor'],
      ['credential.verify', 'failed', 'ai-tutor'],
      ['run.cancel', 'begun', 'run_00000000000000000000000000'],
      ['run.cancel', 'failed', 'run_00000000000000000000000000'],
      ['backup.create', 'begun', 'database'],
      ['audit.export', 'begun', 'audit'],
    ]);
    expect(found[7]?.details).toMatchObject({ error: 'no_credential' });
    expect(JSON.stringify(found)).not.toMatch(/sk_1|rgk_|whsec_/);
  });

  it('change nothing where the entry cannot be written', async () => {
    await makeKeys(1);
    const db = database();
    db.exec("CREATE TRIGGER no_more BEFORE INSERT ON audit BEGIN SELECT raise(ABORT, 'no'); END");
    db.close();
    for (const argv of [
      ['keys', 'create', '--name', 'n'],
      ['backup', join(line.dataDir, 'copy.db')],
    ]) {
      expect((await line.run(argv)).exitCode).toBe(1);
    }
    expect((await line.document<{ data: unknown[] }>(['keys', 'list'])).data).toHaveLength(1);
    expect((await line.run(['restore', join(line.dataDir, 'copy.db')])).stderr).toContain('There is no file');
  });

  it('back up a database of an older version as it is: it has no audit log yet', async () => {
    await makeKeys(1);
    const older = () => database().prepare('PRAGMA user_version').get();
    const db = database();
    db.exec('PRAGMA user_version = 2');
    db.close();
    expect(await line.document(['backup', join(line.dataDir, 'copy.db')])).toMatchObject({ schema: 2 });
    expect(older()).toEqual({ user_version: 2 });
  });

  it('leave the entry of a restore in the database that takes the place', async () => {
    await makeKeys(1);
    const file = join(line.dataDir, 'copy.db');
    await line.document(['backup', file]);
    await makeKeys(2);
    await line.document(['restore', file]);
    const found = await entries();
    expect(found.map(({ action }) => action)).toEqual([
      'key.create',
      'backup.create',
      'backup.restore',
      'audit.export',
    ]);
    expect(found[2]?.details).toEqual({ file });
    expect((await verify()).ok).toBe(true);
  });
});

describe('audit verify', () => {
  it('tells the end of a chain that is whole, and finds it again in a longer one', async () => {
    expect(await verify()).toMatchObject({ exitCode: 0, ok: true, entries: 0, head: null });
    await makeKeys(3);
    const before = await verify();
    expect(before).toMatchObject({ exitCode: 0, ok: true, entries: 3, head: { seq: 3 }, fault: null });
    const noted = `3:${before.head?.hash}`;
    expect((await line.run(['audit', 'verify'])).stdout).toBe(
      `All 3 entries fit.\nThe end, to be noted elsewhere: ${noted}\n`,
    );
    await makeKeys(1);
    expect(await verify('--expect', noted)).toMatchObject({ exitCode: 0, entries: 4 });
  });

  it('has an end that anybody can compute', async () => {
    await makeKeys(2);
    const db = database();
    const rows = db.prepare('SELECT seq, entry FROM audit ORDER BY seq').all() as { seq: number; entry: string }[];
    db.close();
    let hash = AUDIT_FIRST_PREVIOUS;
    for (const { seq, entry } of rows) hash = auditHash(hash, { seq, ...readAuditEntry(entry, seq) });
    expect((await verify()).head).toEqual({ seq: 2, hash });
  });

  it('is not needed against the careless: the database refuses', async () => {
    await makeKeys(2);
    const db = database();
    expect(() => db.exec("UPDATE audit SET entry = '{}' WHERE seq = 1")).toThrow('only grows');
    expect(() => db.exec('DELETE FROM audit WHERE seq = 2')).toThrow('only grows');
    expect(() => db.exec("INSERT INTO audit VALUES (9, '', '', '{}')")).toThrow('only grows');
    db.close();
  });

  it.each([
    ['a changed entry', ["UPDATE audit SET entry = replace(entry, 'key 1', 'key 9') WHERE seq = 2"], 2, 'was hashed'],
    ['an entry that is no entry', ["UPDATE audit SET entry = '{}' WHERE seq = 3"], 3, 'cannot be read'],
    [
      'the first of several faults',
      ["UPDATE audit SET entry = '{' WHERE seq = 4", "UPDATE audit SET hash = 'x' WHERE seq = 2"],
      2,
      'was hashed',
    ],
    ['a missing entry', ['DELETE FROM audit WHERE seq = 2'], 2, 'it is gone'],
    ['a missing beginning', ['DELETE FROM audit WHERE seq = 1'], 1, 'it is gone'],
    [
      'two entries that changed places',
      [
        'UPDATE audit SET seq = 99 WHERE seq = 2',
        'UPDATE audit SET seq = 2 WHERE seq = 3',
        'UPDATE audit SET seq = 3 WHERE seq = 99',
      ],
      2,
      'does not name the hash',
    ],
  ])('finds %s', async (_what, statements, seq, message) => {
    await makeKeys(4);
    tamper(...statements);
    const found = await verify();
    expect(found).toMatchObject({ exitCode: 1, ok: false, entries: seq - 1, fault: { seq } });
    expect(found.fault?.message).toContain(message);
    expect(found.stderr).toContain(`Entry ${seq} of the audit log does not fit`);
  });

  it('finds what was cut off its end, and what was written anew, by an end that was noted', async () => {
    await makeKeys(3);
    const { head } = await verify();
    const noted = `3:${head?.hash}`;
    tamper('DELETE FROM audit WHERE seq = 3');
    expect(await verify()).toMatchObject({ exitCode: 0, ok: true, entries: 2 });
    expect(await verify('--expect', noted)).toMatchObject({ exitCode: 1, fault: { seq: 3 } });
    await makeKeys(2);
    expect(await verify()).toMatchObject({ exitCode: 0, entries: 4 });
    expect(await verify('--expect', noted)).toMatchObject({ exitCode: 1, entries: 2, fault: { seq: 3 } });
  });

  it.each(TRIGGERS)('misses the trigger %s, and finds another in its place', async (trigger) => {
    await makeKeys(1);
    const db = database();
    db.exec(`DROP TRIGGER ${trigger}`);
    const gone = await verify();
    expect(gone).toMatchObject({ exitCode: 1, ok: false, entries: 1, fault: null, missing_guards: [trigger] });
    expect(gone.stderr).toContain(trigger);
    db.exec(`CREATE TRIGGER ${trigger} BEFORE DELETE ON audit WHEN 0 BEGIN SELECT 1; END`);
    db.close();
    expect(await verify()).toMatchObject({ exitCode: 1, missing_guards: [trigger] });
  });

  it('suspects an empty log where there are keys or credentials', async () => {
    await makeKeys(1);
    tamper('DELETE FROM audit');
    const found = await verify();
    expect(found).toMatchObject({ exitCode: 1, ok: false, entries: 0, head: null, fault: { seq: 1 } });
    expect(found.stderr).toContain('emptied');
  });

  it('walks more than a page', async () => {
    await makeKeys(1);
    const db = database();
    const [row] = db.prepare('SELECT hash, entry FROM audit').all() as { hash: string; entry: string }[];
    const insert = db.prepare('INSERT INTO audit (seq, previous, hash, entry) VALUES (?, ?, ?, ?)');
    const { entry = '' } = row ?? {};
    let previous = row?.hash ?? '';
    for (let seq = 2; seq <= 450; seq++) {
      const hash = auditHash(previous, { seq, ...readAuditEntry(entry, seq) });
      insert.run(seq, previous, hash, entry);
      previous = hash;
    }
    db.close();
    expect(await verify()).toMatchObject({ ok: true, entries: 450, head: { seq: 450, hash: previous } });
    expect((await entries()).map(({ seq }) => seq)).toEqual(Array.from({ length: 451 }, (_, i) => i + 1));
    tamper("UPDATE audit SET entry = replace(entry, 'key 0', 'key 1') WHERE seq = 430");
    expect(await verify()).toMatchObject({ ok: false, entries: 429, fault: { seq: 430 } });
  });

  it.each(['x', '1', '0:' + '0'.repeat(64), `1:${'g'.repeat(64)}`])('refuses --expect %s', async (expected) => {
    expect((await line.run(['audit', 'verify', '--expect', expected])).exitCode).toBe(2);
  });
});

describe('audit export', () => {
  it('prints a document a line, and with --json one document', async () => {
    await makeKeys(2);
    const found = await entries();
    expect(found.map(({ seq }) => seq)).toEqual([1, 2, 3]);
    const { stdout } = await line.run(['audit', 'export', '--after', '1', '--json']);
    expect(reviveJson<{ data: Entry[] }>(stdout).data.map(({ seq }) => seq)).toEqual([2, 3, 4]);
    const none = await line.run(['audit', 'export', '--after', '99', '--json']);
    expect(reviveJson(none.stdout)).toEqual({ data: [] });
    expect((await line.run(['audit', 'export', '--after', '-1'])).exitCode).toBe(2);
  });
});
