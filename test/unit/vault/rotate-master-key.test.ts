import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSystemRandom } from '../../../src/core/random.ts';
import { Secret } from '../../../src/core/secret.ts';
import type { Store } from '../../../src/store/open-store.ts';
import { tryServeLock } from '../../../src/store/sqlite/serve-lock.ts';
import { parseMasterKeys, type MasterKey } from '../../../src/vault/master-key.ts';
import { openMasterKeys } from '../../../src/vault/open-master-keys.ts';
import { openSealed } from '../../../src/vault/open-sealed.ts';
import { RetiredMasterKeyError, type SealedRow } from '../../../src/vault/ports.ts';
import { planRotation, rotateMasterKey, type Rotation } from '../../../src/vault/rotate-master-key.ts';
import {
  commandSource,
  makeKey,
  openFileSource,
  type LockFile,
  type RotationSource,
  type WrittenKey,
} from '../../../src/vault/rotation-source.ts';
import { seal } from '../../../src/vault/sealed-box.ts';
import { credentialPlace, signingKeyPlace, webhookSecretPlace } from '../../../src/vault/sealed-places.ts';
import { createTestPlace, silentLog as log, type TestPlace } from '../../contract/store/open-test-store.ts';
import { sealVersion1 } from '../../support/seal-version-1.ts';

const random = createSystemRandom();
const freeLock: LockFile = () => ({ release: () => undefined });

let place: TestPlace;
let store: Store;
let file: string;
let old: WrittenKey;

beforeEach(async () => {
  place = createTestPlace();
  store = await place.open();
  file = join(place.directory, 'master.key');
  old = makeKey(random);
  writeKeys(old);
  await store.credentials.addMasterKey(old.key.fingerprint);
});
afterEach(() => place.remove());

function writeKeys(...keys: WrittenKey[]): void {
  writeFileSync(file, keys.map(({ text }) => `${text.open()}\n`).join(''), { mode: 0o600 });
}
function keysInFile(): MasterKey[] {
  return parseMasterKeys(new Secret(readFileSync(file, 'utf8')), 'the test');
}

/** Secrets of every kind, `n` of each, half of the credentials as the first releases sealed them. */
async function addSecrets(n: number, { key }: WrittenKey = old): Promise<void> {
  const sealing = { key, random };
  const writes = Array.from({ length: n }, async (_, i) => {
    const credential = { id: `cred_${key.fingerprint}${i}`, provider: 'ai-tutor', purpose: 'api' as const };
    const sealAs = i % 2 === 0 ? seal : sealVersion1;
    const sealed = sealAs(`secret of ${credential.id}`, credentialPlace(credential), sealing);
    const webhook = { id: `whs_${i}`, lineage: `lineage-${key.fingerprint}-${i}` };
    const ofWebhook = seal(`secret of ${webhook.id}`, webhookSecretPlace(webhook), sealing);
    const signing = { id: `sig_${key.fingerprint}${i}` };
    const ofSigning = seal(`secret of ${signing.id}`, signingKeyPlace(signing), sealing);
    await Promise.all([
      store.credentials.insert({ ...credential, label: null, sealed, createdAt: i, weight: 1 }),
      store.webhookSecrets.replace(
        { ...webhook, sealed: ofWebhook, createdAt: i, expiresAt: null },
        { oldExpiresAt: 0, validMax: 100 },
      ),
      store.signingKeys.insert({ ...signing, sealed: ofSigning, createdAt: i, expiresAt: 9e15 }),
    ]);
  });
  await Promise.all(writes);
}

async function openSource(lock = freeLock): Promise<RotationSource> {
  const source = await openFileSource(file, { lock });
  if (source === null) throw new Error('there is no key file');
  return source;
}
async function rotate(
  given: { source?: RotationSource; newKey?: WrittenKey | null; on?: Pick<Store, 'credentials' | 'sealed'> } = {},
): Promise<Rotation> {
  const { on = store, newKey = null } = given;
  const parts = { store: on, source: given.source ?? (await openSource()), clock: place.clock, random };
  return rotateMasterKey(await planRotation(parts, { newKey }), parts);
}

/** Every row, as far as it opens with the keys in the file now. */
async function openAll(): Promise<string[]> {
  const dataDir = place.directory;
  const settings = { value: null, file, command: null, dataDir, mayMake: false };
  const masterKeys = await openMasterKeys(settings, { store: store.credentials, clock: place.clock, random, log });
  const rows: SealedRow[] = await store.sealed.others('', 100_000);
  const opened = rows.map(async ({ sealed, place: at, column }) => {
    const secret = await openSealed(sealed, at, { masterKeys, what: column });
    expect(secret.open()).toBe(`secret of ${at.id}`);
    return at.id;
  });
  return Promise.all(opened);
}

describe('a rotation of the master key', () => {
  it('puts every secret of every column under a new key, and retires the old one', async () => {
    await addSecrets(130);
    const rotated = await rotate();
    const [newest, ...others] = keysInFile();
    expect(others.map(({ fingerprint }) => fingerprint)).toEqual([old.key.fingerprint]);
    expect(rotated).toMatchObject({ to: newest?.fingerprint, added: true, resealed: 390, unopened: [] });
    expect(rotated.retired).toEqual([old.key.fingerprint]);
    expect(rotated.scan).toEqual(
      ['credentials', 'webhook_secrets', 'signing_keys'].map((table) => {
        return { column: `${table}.sealed`, fingerprint: newest?.fingerprint, version: 2, rows: 130 };
      }),
    );
    expect(await store.sealed.countByMasterKey()).toEqual(rotated.scan);
    expect(await store.credentials.masterKeys()).toEqual([newest?.fingerprint]);
    writeFileSync(file, readFileSync(file, 'utf8').split('\n')[0] ?? '');
    expect(await openAll()).toHaveLength(390);
  });

  it('keeps the file’s mode, and leaves nothing beside it', async () => {
    const before = readdirSync(place.directory).toSorted();
    for (const mode of [0o600, 0o640]) {
      chmodSync(file, mode);
      const source = await openSource();
      expect(source.warnings.join()).toContain(mode === 0o640 ? 'chmod 600' : '');
      expect(source.warnings).toHaveLength(mode === 0o640 ? 1 : 0);
      await rotate({ source });
      expect(statSync(file).mode & 0o777).toBe(mode);
    }
    expect(readdirSync(place.directory).toSorted()).toEqual(before);
    expect(keysInFile()).toHaveLength(3);
  });

  it('replaces the file that a link leads to, and what a killed process left of a draft', async () => {
    mkdirSync(join(place.directory, 'real'));
    const real = join(place.directory, 'real', 'keys');
    writeFileSync(real, old.text.open(), { mode: 0o600 });
    writeFileSync(`${real}.new`, 'half a ke');
    file = join(place.directory, 'link');
    symlinkSync(real, file);
    await rotate();
    expect(readFileSync(real, 'utf8').trim().split('\n')).toHaveLength(2);
    expect(readdirSync(join(place.directory, 'real'))).toEqual(['keys']);
  });

  it('takes a given key, and none that was used before', async () => {
    await addSecrets(3);
    const given = makeKey(random);
    const refused = (newKey: WrittenKey) => rotate({ newKey }).then(String, (error: Error) => error.message);
    expect(await refused(old)).toContain('is the newest master key already');
    expect(await rotate({ newKey: given })).toMatchObject({ to: given.key.fingerprint, added: true });
    expect(await refused(given)).toContain('is the newest master key already');
    expect(await refused(old)).toContain('is an old master key');
    // One that was retired and taken out of the file is known by the database alone.
    writeKeys(given);
    const before = readFileSync(file, 'utf8');
    expect(await refused(old)).toContain('was retired by an earlier rotation');
    expect(readFileSync(file, 'utf8')).toBe(before);
    expect(await openAll()).toHaveLength(9);
  });

  it('goes on with the first line where an operator has put a new key there', async () => {
    await addSecrets(3);
    const byHand = makeKey(random);
    writeKeys(byHand, old);
    expect(await rotate()).toMatchObject({ to: byHand.key.fingerprint, added: false, retired: [old.key.fingerprint] });
    expect(keysInFile()).toHaveLength(2);
  });

  it('goes on with the key that a command prints first, and says what to do where that is not new', async () => {
    await addSecrets(3);
    const next = makeKey(random);
    await expect(rotate({ source: commandSource([old.key]) })).rejects.toThrow('Let the command print a new key');
    const rotated = await rotate({ source: commandSource([next.key, old.key]) });
    expect(rotated).toMatchObject({ to: next.key.fingerprint, added: false, resealed: 9 });
    await expect(rotate({ source: commandSource([next.key, old.key]) })).rejects.toThrow('under it already');
  });

  it('does nothing with keys of another database', async () => {
    await addSecrets(1);
    writeKeys(makeKey(random));
    const before = readFileSync(file, 'utf8');
    await expect(rotate()).rejects.toThrow(old.key.fingerprint);
    expect(readFileSync(file, 'utf8')).toBe(before);
  });

  it('does nothing with a file that is read-only, changed meanwhile, or locked', async () => {
    await addSecrets(1);
    const before = readFileSync(file, 'utf8');
    chmodSync(file, 0o400);
    await expect(rotate()).rejects.toThrow('put a new key into its first line yourself');
    chmodSync(file, 0o600);
    const source = await openSource();
    writeFileSync(file, `${before}\n`);
    await expect(rotate({ source })).rejects.toThrow('changed by somebody else');
    const held = tryServeLock(file);
    try {
      await expect(rotate({ source: await openSource(tryServeLock) })).rejects.toThrow('Another process');
    } finally {
      held?.discard();
    }
    expect(readFileSync(file, 'utf8')).toBe(`${before}\n`);
    expect(await store.credentials.masterKeys()).toEqual([old.key.fingerprint]);
  });
});

describe('what cannot be opened', () => {
  const insert = async (id: string, sealed: Uint8Array) => {
    const row = { id, provider: 'b3os', label: null, purpose: 'api' as const, sealed, createdAt: 0, weight: 1 };
    await store.credentials.insert(row);
  };
  const sealedBy = ({ key }: WrittenKey, id: string) =>
    seal(`secret of ${id}`, credentialPlace({ id, provider: 'b3os', purpose: 'api' }), { key, random });

  it('is told by its id, keeps the old key, and everything else is re-wrapped', async () => {
    await addSecrets(2);
    const lost = makeKey(random);
    await insert('cred_lost', sealedBy(lost, 'cred_lost'));
    const broken = Buffer.from(sealedBy(old, 'cred_broken'));
    broken[broken.length - 1]! ^= 1;
    await insert('cred_broken', broken);
    await insert('cred_moved', sealedBy(old, 'cred_elsewhere'));
    await insert('cred_unknown', Uint8Array.of(9, 1, 2, 3));
    writeKeys(makeKey(random), old);
    const rotated = await rotate();
    const told = Object.fromEntries(rotated.unopened.map(({ id, reason }) => [id, reason]));
    expect(Object.keys(told).toSorted()).toEqual(['cred_broken', 'cred_lost', 'cred_moved', 'cred_unknown']);
    expect(told['cred_lost']).toContain(lost.key.fingerprint);
    expect(told['cred_unknown']).toContain('known version');
    expect(rotated).toMatchObject({ resealed: 6, retired: [] });
    expect(await store.credentials.masterKeys()).toContain(old.key.fingerprint);
    // Mended: the key is back, and what is broken is removed. No further key is made.
    for (const id of ['cred_broken', 'cred_moved', 'cred_unknown']) await store.credentials.remove(id);
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, `${text}${lost.text.open()}\n`);
    const again = await rotate();
    expect(again).toMatchObject({ to: rotated.to, added: false, resealed: 1, unopened: [] });
    expect(again.retired).toEqual([old.key.fingerprint]);
  });

  it('does not hide what can be, however much of it there is', async () => {
    const ids = Array.from({ length: 250 }, (_, i) => `cred_lost${i}`);
    await Promise.all(ids.map((id) => insert(id, sealedBy(makeKey(random), id))));
    await addSecrets(120);
    writeKeys(makeKey(random), old);
    const rotated = await rotate();
    expect(rotated.unopened).toHaveLength(250);
    expect(rotated.resealed).toBe(360);
  });
});

class Killed extends Error {}

/** Counts the steps that change something, and breaks off before or after one of them. */
function mortal(source: RotationSource, killAt: number) {
  let steps = 0;
  async function step<T>(work: () => Promise<T>): Promise<T> {
    steps += 1;
    if (steps === killAt) throw new Killed();
    const result = await work();
    steps += 1;
    if (steps === killAt) throw new Killed();
    return result;
  }
  const { adding } = source;
  return {
    steps: () => steps,
    source: {
      ...source,
      adding: adding && { check: () => adding.check(), add: (key: WrittenKey) => step(() => adding.add(key)) },
    },
    on: {
      credentials: {
        ...store.credentials,
        addMasterKey: (fingerprint: string) => step(() => store.credentials.addMasterKey(fingerprint)),
      },
      sealed: {
        ...store.sealed,
        reseal: (rows: Parameters<Store['sealed']['reseal']>[0]) => step(() => store.sealed.reseal(rows)),
        retireMasterKey: (fingerprint: string, at: number) => step(() => store.sealed.retireMasterKey(fingerprint, at)),
      },
    },
  };
}

describe('a rotation that is killed', () => {
  it('at any step goes on when it is begun again: one new key, everything under it, nothing lost', async () => {
    await addSecrets(80);
    const whole = mortal(await openSource(), 0);
    await rotate(whole);
    expect(whole.steps()).toBeGreaterThanOrEqual(2 * (1 + 1 + 3 + 1));
    for (let killAt = 1; killAt <= whole.steps(); killAt++) {
      const before = keysInFile();
      await expect(rotate(mortal(await openSource(), killAt))).rejects.toThrow(Killed);
      expect(await openAll()).toHaveLength(240);
      const ended = killAt === whole.steps();
      const rotated = ended ? null : await rotate();
      expect(keysInFile()).toHaveLength(before.length + 1);
      expect(keysInFile().slice(1)).toMatchObject(before.map(({ fingerprint }) => ({ fingerprint })));
      const [{ fingerprint: newest } = { fingerprint: '' }] = keysInFile();
      expect(rotated?.to ?? newest).toBe(newest);
      expect(await store.credentials.masterKeys()).toEqual([newest]);
      expect((await store.sealed.others(newest, 1)).length).toBe(0);
      // A key file has room for sixteen.
      writeFileSync(file, readFileSync(file, 'utf8').split('\n').slice(0, 2).join('\n'));
    }
    expect(await openAll()).toHaveLength(240);
  });
});

describe('two rotations at once', () => {
  it('lose no key and leave everything under one that is in the file', async () => {
    await addSecrets(150);
    const sources = await Promise.all([1, 2, 3].map(() => openSource(tryServeLock)));
    const ends = await Promise.allSettled(sources.map((source) => rotate({ source })));
    expect(ends.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThanOrEqual(1);
    for (const end of ends) {
      if (end.status === 'rejected') expect(String(end.reason)).toMatch(/rotate again|Rotate again/);
    }
    await rotate();
    expect(await openAll()).toHaveLength(450);
    expect(keysInFile().map(({ fingerprint }) => fingerprint)).toContain(old.key.fingerprint);
  });

  it('with one key from the same command do the same work twice', async () => {
    await addSecrets(150);
    const next = makeKey(random);
    const source = () => commandSource([next.key, old.key]);
    const [one, two] = await Promise.all([rotate({ source: source() }), rotate({ source: source() })]);
    expect(one.resealed + two.resealed).toBe(450);
    expect(await store.credentials.masterKeys()).toEqual([next.key.fingerprint]);
  });
});

describe('beside a rotation', () => {
  it('what is sealed under the old key until the last moment is re-wrapped, and nothing after it', async () => {
    await addSecrets(10);
    let late = 0;
    const addLate = async () => {
      const id = `cred_late${late++}`;
      const at = { id, provider: 'late', purpose: 'api' as const };
      const sealed = seal(`secret of ${id}`, credentialPlace(at), { key: old.key, random });
      await store.credentials.insert({ ...at, label: null, sealed, createdAt: 0, weight: 1 });
    };
    const retireMasterKey: Store['sealed']['retireMasterKey'] = async (fingerprint, at) => {
      if (late < 3) await addLate();
      return store.sealed.retireMasterKey(fingerprint, at);
    };
    const rotated = await rotate({ on: { ...store, sealed: { ...store.sealed, retireMasterKey } } });
    expect(rotated).toMatchObject({ resealed: 33, unopened: [], retired: [old.key.fingerprint] });
    await expect(addLate()).rejects.toThrow(RetiredMasterKeyError);
    expect(rotated.scan).toEqual(await store.sealed.countByMasterKey());
    expect(await openAll()).toHaveLength(33);
  });
});
