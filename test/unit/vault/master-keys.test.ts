import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import type { Log } from '../../../src/core/log.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import { Secret } from '../../../src/core/secret.ts';
import { parseMasterKeys } from '../../../src/vault/master-key.ts';
import { openMasterKeys, type MasterKeySettings } from '../../../src/vault/open-master-keys.ts';
import { memoryCredentialStore } from '../../support/memory-stores.ts';

const random = createSystemRandom();
const newKey = () => Buffer.from(random.bytes(32)).toString('base64');
const fingerprint = (text: string) => parseMasterKeys(new Secret(text), 'a test')[0].fingerprint;

let dataDir: string;
let logged: string[];
const log: Log = {
  debug: () => {},
  info: () => {},
  warn: (fields, message) => void logged.push(`${message} ${JSON.stringify(fields)}`),
  error: () => {},
};

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'rungate-master-key-'));
  logged = [];
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

function open(given: Partial<MasterKeySettings>, fingerprints: string[] = []) {
  const settings = { value: null, file: null, command: null, dataDir, mayMake: true, ...given };
  return openMasterKeys(settings, { store: memoryCredentialStore(fingerprints), clock: systemClock, random, log });
}

describe('a master key by value', () => {
  it('is taken and recorded', async () => {
    const key = newKey();
    const fingerprints: string[] = [];
    const keys = await open({ value: new Secret(key) }, fingerprints);
    expect((await keys.newest()).fingerprint).toBe(fingerprint(key));
    expect(fingerprints).toEqual([fingerprint(key)]);
    await open({ value: new Secret(key) }, fingerprints);
    expect(fingerprints).toHaveLength(1);
  });

  it.each([
    ['no base64', 'not a key at all'],
    ['too short', Buffer.from(random.bytes(31)).toString('base64')],
    ['too long', Buffer.from(random.bytes(33)).toString('base64')],
    ['zeros', Buffer.alloc(32).toString('base64')],
    ['one byte repeated', Buffer.alloc(32, 0x61).toString('base64')],
    ['a short pattern repeated', Buffer.alloc(32, 'abc').toString('base64')],
  ])('is refused when it is %s, and not shown', async (_, text) => {
    const refusal = await open({ value: new Secret(text) }).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'vault_unavailable' });
    expect(inspect(refusal)).toContain('RUNGATE_MASTER_KEY');
    expect(inspect(refusal)).not.toContain(text);
  });

  it('is refused when it is blank', async () => {
    await expect(open({ value: new Secret(' \n ') })).rejects.toThrow('holds no master key');
  });

  it('is refused where the database knows another, naming the one that is missing', async () => {
    const lost = fingerprint(newKey());
    await expect(open({ value: new Secret(newKey()) }, [lost])).rejects.toThrow(lost);
    await expect(open({ value: new Secret(newKey()) }, [lost])).rejects.toThrow('Put that key back');
    await expect(open({ value: new Secret(newKey()) }, [lost])).rejects.toThrow('as master.key in the data directory');
  });

  it('cannot be given together with a file', async () => {
    await expect(open({ value: new Secret(newKey()), file: '/nowhere' })).rejects.toThrow('several are set');
  });

  it('cannot be printed', async () => {
    const key = newKey();
    const keys = await open({ value: new Secret(key) });
    const printed = inspect(await keys.newest(), { depth: 10, showHidden: true }) + JSON.stringify(await keys.newest());
    expect(printed).not.toContain(key);
    expect(printed).not.toContain(Buffer.from(key, 'base64').toString('hex'));
  });
});

describe('a master key file', () => {
  it('may hold several keys, newest first', async () => {
    const [newest, older] = [newKey(), newKey()];
    const file = join(dataDir, 'keys');
    await writeFile(file, `${newest}\r\n\n${older}`);
    const keys = await open({ file }, [fingerprint(older)]);
    expect((await keys.newest()).fingerprint).toBe(fingerprint(newest));
    expect((await keys.find(fingerprint(older)))?.fingerprint).toBe(fingerprint(older));
    expect(await keys.find('0000000000000000')).toBeNull();
  });

  it('that others than its owner may have is used, and warned of once', async () => {
    const file = join(dataDir, 'master.key');
    await writeFile(file, newKey(), { mode: 0o600 });
    await open({ file });
    await open({});
    expect(logged).toEqual([]);
    for (const [mode, given] of [
      [0o640, { file }],
      [0o604, {}],
    ] as const) {
      logged = [];
      await chmod(file, mode);
      const keys = await open(given);
      await keys.find('0000000000000000');
      await keys.newest();
      expect(logged).toEqual([expect.stringContaining(`chmod 600 {"file":"${file}"}`)]);
    }
  });

  it('is read again for a key that is not known yet', async () => {
    const [first, second] = [newKey(), newKey()];
    const file = join(dataDir, 'keys');
    await writeFile(file, first);
    const keys = await open({ file });
    await writeFile(file, `${second}\n${first}\n`);
    expect((await keys.find(fingerprint(second)))?.fingerprint).toBe(fingerprint(second));
    expect((await keys.newest()).fingerprint).toBe(fingerprint(second));
  });

  it('is refused when it is missing, no file, too long or short of a key that the database knows', async () => {
    const file = join(dataDir, 'keys');
    await expect(open({ file })).rejects.toThrow('does not exist');
    await expect(open({ file: dataDir })).rejects.toThrow('cannot be read');
    const pipe = join(dataDir, 'pipe');
    execFileSync('mkfifo', [pipe]);
    await expect(open({ file: pipe })).rejects.toThrow('cannot be read: it is no file');
    await writeFile(file, 'A'.repeat(5000));
    await expect(open({ file })).rejects.toThrow('longer than');
    await writeFile(file, newKey());
    const lost = fingerprint(newKey());
    await expect(open({ file }, [lost])).rejects.toThrow(lost);
  });
});

describe('without a master key', () => {
  it('one is made, for its owner only, and the log says so without showing it', async () => {
    const fingerprints: string[] = [];
    const made = await (await open({}, fingerprints)).newest();
    const file = join(dataDir, 'master.key');
    const text = (await readFile(file, 'utf8')).trim();
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(dataDir)).toEqual(['master.key']);
    expect(fingerprints).toEqual([made.fingerprint]);
    expect(logged).toHaveLength(1);
    expect(logged[0]).toContain(made.fingerprint);
    expect(logged[0]).not.toContain(text);
    expect((await (await open({}, fingerprints)).newest()).fingerprint).toBe(made.fingerprint);
    expect(logged).toHaveLength(1);
  });

  it('one is made in a directory that is not there yet, by one of those who begin at once', async () => {
    const nested = join(dataDir, 'new', 'and', 'deep');
    const opened = await Promise.all(Array.from({ length: 8 }, () => open({ dataDir: nested })));
    const keys = await Promise.all(opened.map((one) => one.newest()));
    expect(new Set(keys.map((key) => key.fingerprint)).size).toBe(1);
    expect(await readdir(nested)).toEqual(['master.key']);
    expect((await stat(nested)).mode & 0o777).toBe(0o700);
  });

  it('none is made where no directory can be, which is told', async () => {
    const file = join(dataDir, 'file');
    await writeFile(file, '');
    for (const nowhere of [file, join(file, 'below'), '/proc/rungate']) {
      const refusal = await open({ dataDir: nowhere }).catch((error: unknown) => error);
      expect(refusal).toMatchObject({ code: 'vault_unavailable' });
      expect(String(refusal)).toMatch(/The master key file \S+ cannot be (made|read): E/);
    }
  });

  it('none is made where the database knows one', async () => {
    const lost = fingerprint(newKey());
    await expect(open({}, [lost])).rejects.toThrow(lost);
    expect(await readdir(dataDir)).toEqual([]);
  });

  it('none is made where several machines share the database', async () => {
    await expect(open({ mayMake: false })).rejects.toThrow('set RUNGATE_MASTER_KEY');
  });

  it('processes that start together agree on one', async () => {
    const helper = new URL('../../support/make-master-key.ts', import.meta.url);
    const found = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const child = fork(helper, [dataDir], { stdio: 'ignore' });
        const [message] = (await once(child, 'message')) as [string];
        await once(child, 'exit');
        return message;
      }),
    );
    expect(new Set(found).size).toBe(1);
    expect(await readdir(dataDir)).toEqual(['master.key']);
  });
});
