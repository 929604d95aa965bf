import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSystemRandom } from '../../../src/core/random.ts';
import { reviveJson } from '../../../src/core/json.ts';
import { Secret } from '../../../src/core/secret.ts';
import { parseMasterKeys } from '../../../src/vault/master-key.ts';
import { createCommandLine, type CommandLine } from '../../support/command-line.ts';

const random = createSystemRandom();
const newKey = () => Buffer.from(random.bytes(32)).toString('base64');
const fingerprint = (text: string) => parseMasterKeys(new Secret(text), 'a test')[0].fingerprint;

interface Rotated {
  object: string;
  master_key: string;
  added: boolean;
  source: string;
  rewrapped: number;
  retired: string[];
  scan: { column: string; rows: number; master_key: string; version: number }[];
  cannot_open: { column: string; id: string; reason: string }[];
  warnings: string[];
}

let line: CommandLine;
beforeEach(async () => void (line = await createCommandLine()));
afterEach(() => line.remove());

const inData = (name: string) => join(line.dataDir, name);
const keyLines = () => readFileSync(inData('master.key'), 'utf8').trim().split('\n');
const rotate = (...argv: string[]) => line.document<Rotated>(['vault', 'rotate', ...argv]);

async function addCredential(environment: Record<string, string> = {}): Promise<string> {
  const argv = ['credentials', 'add', 'ai-tutor', '--stdin', '--json'];
  const { exitCode, stdout, stderr } = await line.run(argv, { stdin: `sk_${Math.random()}`, environment });
  if (exitCode !== 0) throw new Error(stderr);
  return reviveJson<{ id: string }>(stdout).id;
}
async function failure(argv: readonly string[], environment: Record<string, string> = {}): Promise<string> {
  const { exitCode, stdout, stderr } = await line.run([...argv, '--json'], { environment });
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^rungate: /);
  return reviveJson<{ error: { message: string } }>(stdout).error.message;
}
/** Reads each stored secret with the keys in the file: the command proves it by re-wrapping, and would tell. */
const unopened = async () => (await rotate()).cannot_open;

describe('vault rotate', () => {
  it('makes a key, puts everything under it, and says where everything is and what to keep', async () => {
    await addCredential();
    await addCredential();
    const [before = ''] = keyLines();
    const { exitCode, stdout, stderr } = await line.run(['vault', 'rotate']);
    expect([exitCode, stderr]).toEqual([0, '']);
    const [newest = '', ...others] = keyLines();
    expect(others).toEqual([before]);
    expect(statSync(inData('master.key')).mode & 0o777).toBe(0o600);
    expect(stdout).toContain(`Put the new master key ${fingerprint(newest)} first in ${inData('master.key')}.`);
    expect(stdout).toContain('Re-wrapped 2 secrets');
    expect(stdout).toMatch(new RegExp(`credentials.sealed +2 +${fingerprint(newest)}`));
    expect(stdout).toContain(`Nothing is left under ${fingerprint(before)}: retired.`);
    expect(stdout).toContain('Keep the old lines as long as there are backups from before');
    for (const key of keyLines()) expect(stdout).not.toContain(key);
  });

  it('answers a program with the same', async () => {
    await addCredential();
    const [before = ''] = keyLines();
    const rotated = await rotate();
    const [newest = ''] = keyLines();
    expect(rotated).toEqual({
      object: 'master_key_rotation',
      master_key: fingerprint(newest),
      added: true,
      source: inData('master.key'),
      rewrapped: 1,
      retired: [fingerprint(before)],
      scan: [{ column: 'credentials.sealed', rows: 1, master_key: fingerprint(newest), version: 2 }],
      cannot_open: [],
      warnings: [],
    });
    expect(await unopened()).toEqual([]);
  });

  it('needs the old key no more, and later commands do not ask for it', async () => {
    await addCredential();
    await rotate();
    writeFileSync(inData('master.key'), keyLines()[0] ?? '');
    await addCredential();
    expect((await rotate()).rewrapped).toBe(2);
  });

  it('takes a key from a file, exactly one that is new', async () => {
    await addCredential();
    const [before = ''] = keyLines();
    writeFileSync(inData('next'), `${newKey()}\n${newKey()}\n`);
    expect(await failure(['vault', 'rotate', '--new-key-file', inData('next')])).toContain('exactly one');
    writeFileSync(inData('next'), before);
    expect(await failure(['vault', 'rotate', '--new-key-file', inData('next')])).toContain('newest master key already');
    expect(await failure(['vault', 'rotate', '--new-key-file', inData('none')])).toContain('There is no file');
    const next = newKey();
    writeFileSync(inData('next'), next);
    expect(await rotate('--new-key-file', inData('next'))).toMatchObject({ master_key: fingerprint(next) });
    expect(keyLines()).toEqual([next, before]);
  });

  it('says step by step how a key moves from the environment into a file', async () => {
    const key = newKey();
    const environment = { RUNGATE_MASTER_KEY: key };
    await addCredential(environment);
    const message = await failure(['vault', 'rotate'], environment);
    expect(message).toContain('RUNGATE_MASTER_KEY_FILE');
    expect(message.match(/^\d\. /gm)).toEqual(['1. ', '2. ', '3. ', '4. ']);
    expect(message).not.toContain(key);
    // As it says.
    writeFileSync(inData('moved.key'), `${key}\n`, { mode: 0o600 });
    const { exitCode } = await line.run(['vault', 'rotate'], {
      environment: { RUNGATE_MASTER_KEY_FILE: inData('moved.key') },
    });
    expect(exitCode).toBe(0);
    expect(readFileSync(inData('moved.key'), 'utf8').trim().split('\n')).toHaveLength(2);
  });

  it('goes on with what a command prints first, and says what to do where that is not new', async () => {
    const [older, newer] = [newKey(), newKey()];
    const environment = { RUNGATE_MASTER_KEY_COMMAND: `cat ${inData('printed')}`, PATH: process.env['PATH'] ?? '' };
    writeFileSync(inData('printed'), older);
    await addCredential(environment);
    expect(await failure(['vault', 'rotate'], environment)).toContain('Let the command print a new key');
    writeFileSync(inData('printed'), `${newer}\n${older}`);
    const { exitCode, stdout } = await line.run(['vault', 'rotate'], { environment });
    expect(exitCode).toBe(0);
    expect(stdout).toContain(
      `Went on with ${fingerprint(newer)}, the newest master key of RUNGATE_MASTER_KEY_COMMAND.`,
    );
    expect(stdout).toContain(`Nothing is left under ${fingerprint(older)}: retired.`);
  });

  it('tells what cannot be opened by its id, exits with 1 and retires nothing', async () => {
    const [good, broken] = [await addCredential(), await addCredential()];
    const [before = ''] = keyLines();
    const db = new DatabaseSync(inData('rungate.db'));
    const box = db.prepare('SELECT sealed FROM credentials WHERE id = ?').get(broken)?.['sealed'] as Uint8Array;
    box[box.length - 1]! ^= 1;
    db.prepare('UPDATE credentials SET sealed = ? WHERE id = ?').run(box, broken);
    db.close();
    const { exitCode, stdout, stderr } = await line.run(['vault', 'rotate']);
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(new RegExp(`credentials.sealed +${broken} +ai-tutor +altered`));
    expect(stdout).not.toContain(good);
    expect(stderr).toContain('no old master key was retired');
    const again = await line.run(['vault', 'rotate', '--json']);
    expect(again.exitCode).toBe(1);
    expect(reviveJson<Rotated>(again.stdout)).toMatchObject({
      rewrapped: 0,
      cannot_open: [{ column: 'credentials.sealed', id: broken }],
    });
    expect(keyLines()).toHaveLength(2);
    await line.run(['credentials', 'remove', broken]);
    expect(await rotate()).toMatchObject({ added: false, retired: [fingerprint(before)] });
  });

  it('warns of a key file that others can read, and does nothing where there is no key yet', async () => {
    expect(await failure(['vault', 'rotate'])).toContain('nothing to rotate');
    await addCredential();
    chmodSync(inData('master.key'), 0o644);
    expect((await rotate()).warnings[0]).toContain('chmod 600');
    expect(statSync(inData('master.key')).mode & 0o777).toBe(0o644);
  });

  it('works in the sandbox', async () => {
    await line.run(['credentials', 'add', 'ai-tutor', '--stdin', '--sandbox'], { stdin: 'sk_1' });
    expect(await rotate('--sandbox')).toMatchObject({ rewrapped: 1 });
  });
});

describe('a backup from before a rotation', () => {
  it('opens with the old line of the key file, and is rotated in its turn', async () => {
    const id = await addCredential();
    const [before = ''] = keyLines();
    await line.document(['backup', inData('b.db')]);
    await rotate();
    const { scan, master_key: newest } = await rotate();
    expect(scan).toMatchObject([{ rows: 1 }]);
    const backup = await line.document<{ master_keys: string[] }>(['backup', inData('c.db')]);
    expect(backup.master_keys).toEqual([newest]);
    await line.document(['restore', inData('b.db')]);
    expect(await rotate()).toMatchObject({
      added: false,
      rewrapped: 1,
      cannot_open: [],
      retired: [fingerprint(before)],
    });
    const { data } = await line.document<{ data: { id: string }[] }>(['credentials', 'list']);
    expect(data.map((one) => one.id)).toEqual([id]);
  });

  it('is not restored without it, and the message names the key', async () => {
    await addCredential();
    const [before = ''] = keyLines();
    await line.document(['backup', inData('b.db')]);
    await rotate();
    writeFileSync(inData('master.key'), keyLines()[0] ?? '');
    expect(await failure(['restore', inData('b.db')])).toContain(fingerprint(before));
    expect((await rotate()).cannot_open).toEqual([]);
  });
});

describe('a start with another master key', () => {
  it('is refused, and the message names the key that is missing; one that was retired is not missed', async () => {
    await addCredential();
    const [before = ''] = keyLines();
    await rotate();
    const [newest = ''] = keyLines();
    const serve = (environment: Record<string, string>) => line.run(['serve'], { environment });
    const ports = { RUNGATE_PORT: '0', RUNGATE_ADMIN_PORT: '0' };
    for (const [key, missing] of [
      [before, newest],
      [newKey(), newest],
    ] as const) {
      const { exitCode, stderr } = await serve({ ...ports, RUNGATE_MASTER_KEY: key });
      expect(exitCode).toBe(1);
      expect(stderr).toContain(fingerprint(missing));
      expect(stderr).not.toContain(fingerprint(before));
    }
    rmSync(inData('master.key'));
    expect((await serve(ports)).stderr).toContain(fingerprint(newest));
  });
});
