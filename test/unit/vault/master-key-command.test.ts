import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock as clock } from '../../../src/core/clock.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import { Secret } from '../../../src/core/secret.ts';
import { masterKeysByCommand, runMasterKeyCommand } from '../../../src/vault/master-key-command.ts';
import { masterKeyOf } from '../../../src/vault/master-key.ts';
import { openMasterKeys } from '../../../src/vault/open-master-keys.ts';
import { makeKey } from '../../../src/vault/rotation-source.ts';
import { silentLog as log } from '../../contract/store/open-test-store.ts';
import { memoryCredentialStore } from '../../support/memory-stores.ts';

const random = createSystemRandom();
const fingerprintsOf = (keys: readonly { fingerprint: string }[]) => keys.map(({ fingerprint }) => fingerprint);

let directory: string;
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'rungate-command-'))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const inHere = (name: string) => join(directory, name);
const commandOf = (text: string) => ({
  command: new Secret(text),
  environment: { PATH: process.env['PATH'], KEYS: inHere('keys'), HERE: directory },
});
const run = (text: string, runMsMax = 5_000) => runMasterKeyCommand(commandOf(text), { clock, runMsMax });

async function failure(text: string, runMsMax?: number): Promise<string> {
  const error: unknown = await run(text, runMsMax).then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ code: 'vault_unavailable' });
  return inspect(error);
}

describe('a command that prints master keys', () => {
  it('gives them newest first, in its own environment', async () => {
    const [newest, older] = [makeKey(random), makeKey(random)];
    writeFileSync(inHere('keys'), `${newest.text.open()}\n\n${older.text.open()}\n`);
    expect(fingerprintsOf(await run('cat "$KEYS"'))).toEqual(fingerprintsOf([newest.key, older.key]));
  });

  it('tells of a failure its status and the first line of its standard error, and never what it printed', async () => {
    const { text } = makeKey(random);
    writeFileSync(inHere('keys'), text.open());
    const told = await failure(
      'cat "$KEYS"; echo "no \u001b[31mpermission for $(cat "$KEYS")" >&2; echo more >&2; exit 7',
    );
    expect(told).toContain('failed with exit status 7');
    expect(told).toContain('It says: no  [31mpermission for […]');
    expect(told).not.toContain('more');
    expect(told).not.toContain(text.open());
    expect(told).not.toContain('cat "');
  });

  it('is refused what it prints where that is no key, nothing, or too much', async () => {
    const told = await failure('echo sk_live_hunter2');
    expect(told).toContain('is not a master key');
    expect(told).not.toContain('hunter2');
    expect(await failure('true')).toContain('holds no master key');
    expect(await failure('head -c 5000 /dev/zero')).toContain('printed too much');
    expect(await failure('yes')).toContain('printed too much');
    expect(await failure('/nowhere/at-all')).toContain('exit status 127');
    expect(await failure('kill -9 $$')).toContain('was ended by SIGKILL');
  });

  it('is ended with all that it began when it takes too long', async () => {
    expect(await failure('sleep 1 && touch "$HERE/late" & sleep 60', 200)).toContain('took longer than 0.2 s');
    // Its shell is gone, and a child of it holds the output open.
    expect(await failure('sleep 60 &', 200)).toContain('took longer than 0.2 s');
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    expect(existsSync(inHere('late'))).toBe(false);
  });

  it('can be waited for by several, and rests between two runs', async () => {
    const [first, second] = [masterKeyOf(random.bytes(32)), masterKeyOf(random.bytes(32))];
    let now = 0;
    let runs = 0;
    const timers: { at: number; fn: () => void }[] = [];
    const stepped = {
      now: () => now,
      monotonic: () => now,
      after(ms: number, fn: () => void) {
        timers.push({ at: now + ms, fn });
        return () => undefined;
      },
    };
    const pass = async (ms: number) => {
      now += ms;
      for (const { fn } of timers.splice(0)) fn();
      await new Promise((resolve) => setImmediate(resolve));
    };
    const again = async (): Promise<[typeof first, typeof first]> => {
      runs += 1;
      return [second, first];
    };
    const keys = masterKeysByCommand([first], { run: again, clock: stepped });
    expect(await keys.find(first.fingerprint)).toBe(first);
    const waiting = Promise.all([
      keys.find(second.fingerprint),
      keys.find('0'.repeat(16)),
      keys.newest(first.fingerprint),
    ]);
    await pass(1_000);
    expect(timers.length + runs).toBe(1);
    await pass(1_000);
    expect(await waiting).toEqual([second, null, second]);
    expect(runs).toBe(1);
    expect(await keys.newest()).toBe(second);
    const unknown = keys.find('1'.repeat(16));
    await pass(2_000);
    expect(await unknown).toBeNull();
    expect(runs).toBe(2);
  });
});

describe('master keys by a command', () => {
  const open = (text: string, known: string[] = []) => {
    const settings = { value: null, file: null, command: commandOf(text), dataDir: directory, mayMake: true };
    return openMasterKeys(settings, { store: memoryCredentialStore(known), clock, random, log });
  };

  it('are recorded, and a missing one is told', async () => {
    const { key, text } = makeKey(random);
    writeFileSync(inHere('keys'), text.open());
    const known: string[] = [];
    expect((await (await open('cat "$KEYS"', known)).newest()).fingerprint).toBe(key.fingerprint);
    expect(known).toEqual([key.fingerprint]);
    const lost = 'f'.repeat(16);
    await expect(open('cat "$KEYS"', [lost])).rejects.toThrow('RUNGATE_MASTER_KEY_COMMAND does not print it');
    expect(existsSync(inHere('master.key'))).toBe(false);
  });

  it('that it prints later are found, and recorded before anything is sealed with them', async () => {
    const [older, newer] = [makeKey(random), makeKey(random)];
    writeFileSync(inHere('keys'), older.text.open());
    const known: string[] = [];
    const keys = await open('echo run >> "$HERE/runs"; cat "$KEYS"', known);
    writeFileSync(inHere('keys'), `${newer.text.open()}\n${older.text.open()}`);
    expect((await keys.find(newer.key.fingerprint))?.fingerprint).toBe(newer.key.fingerprint);
    expect((await keys.newest()).fingerprint).toBe(newer.key.fingerprint);
    expect(known).toEqual(fingerprintsOf([older.key, newer.key]));
    expect(readFileSync(inHere('runs'), 'utf8')).toBe('run\nrun\n');
  });
});
