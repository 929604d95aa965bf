import { describe, expect, it } from 'vitest';
import { Secret } from '../../../src/core/secret.ts';
import { createReferences } from '../../../src/vault/references/references.ts';
import type { ReferenceIn, SecretSource } from '../../../src/vault/references/secret-source.ts';

const VAULT = 'vault:kv/tutor#key';

function setUp({ withServer = true } = {}) {
  const clock = { atMs: 1_000_000, monotonic: () => clock.atMs };
  const values: Record<string, string> = { A: 'sk_env', '/key': 'sk_file', 'kv/tutor#key': 'sk_1' };
  const expired: string[] = [];
  const told: object[] = [];
  let isDown = false;
  const secretOf = async (name: string) => {
    if (isDown) throw new Error('down');
    return values[name] === undefined ? null : new Secret(values[name]);
  };
  const env: SecretSource<ReferenceIn<'env'>> = {
    isSet: ({ name }) => values[name] !== undefined,
    read: ({ name }) => secretOf(name),
    expire: null,
  };
  const file: SecretSource<ReferenceIn<'file'>> = {
    isSet: () => true,
    read: ({ path }) => secretOf(path),
    expire: ({ path }) => void expired.push(path),
  };
  const vault: SecretSource<ReferenceIn<'vault'>> = {
    isSet: () => true,
    read: ({ mount, path, field }) => secretOf(`${mount}/${path}#${field}`),
    expire: ({ path }) => void expired.push(path),
  };
  const references = createReferences({
    env,
    file,
    vault: withServer ? vault : null,
    clock,
    log: { info: (fields) => void told.push(fields) },
  });
  return { clock, values, references, expired, told, setDown: (down: boolean) => void (isDown = down) };
}

describe('references', () => {
  it('lead each to its own place', async () => {
    const { references } = setUp();
    for (const [reference, secret] of [
      ['env:A', 'sk_env'],
      ['file:/key', 'sk_file'],
      [VAULT, 'sk_1'],
    ] as const) {
      expect(references.isSet(reference)).toBe(true);
      expect((await references.read(reference))?.open()).toBe(secret);
    }
  });

  it.each(['env:B', 'sk_pasted', 'vault:kv#key', ''])('to nothing are not set: %j', async (reference) => {
    const { references } = setUp();
    expect(references.isSet(reference)).toBe(false);
    expect(await references.read(reference)).toBeNull();
    expect(await references.hasChanged(reference)).toBe(false);
  });

  it('to a server are not set where none is configured', async () => {
    const { references } = setUp({ withServer: false });
    expect(references.isSet(VAULT)).toBe(false);
    expect(await references.read(VAULT)).toBeNull();
  });
});

describe('a reference whose secret was refused', () => {
  it('has changed where another secret is there now', async () => {
    const { references, values, expired, told } = setUp();
    await references.read(VAULT);
    expect(await references.hasChanged(VAULT)).toBe(false);
    expect(expired).toEqual(['tutor']);
    values['kv/tutor#key'] = 'sk_2';
    expect((await references.read(VAULT))?.open()).toBe('sk_2');
    expect(await references.hasChanged(VAULT)).toBe(true);
    expect(told).toEqual([{ credential: VAULT }]);
  });

  it('hands out the last two before it too, for vendors’ answers to be searched for them', async () => {
    const { references, values } = setUp();
    for (const [secret, before] of [
      ['sk_1', []],
      ['sk_1', []],
      ['sk_2', ['sk_1']],
      ['sk_2', ['sk_1']],
      ['sk_3', ['sk_2', 'sk_1']],
      ['sk_4', ['sk_3', 'sk_2']],
    ] as const) {
      values['kv/tutor#key'] = secret;
      const read = await references.read(VAULT);
      expect([read?.open(), read?.before.map((one) => one.open())]).toEqual([secret, before]);
      // Those before them are forgotten.
      expect(read?.before.every((one) => one.before.length === 0)).toBe(true);
    }
  });

  it('is looked at again at once, and then every few seconds at most', async () => {
    const { references, values, expired, clock } = setUp();
    await references.read(VAULT);
    values['kv/tutor#key'] = 'sk_2';
    expect(await references.hasChanged(VAULT)).toBe(true);
    await references.hasChanged(VAULT);
    clock.atMs += 4_999;
    await references.hasChanged(VAULT);
    expect(expired).toHaveLength(1);
    clock.atMs += 1;
    await references.hasChanged(VAULT);
    expect(expired).toHaveLength(2);
  });

  it('may have been refused with the secret before for half a minute, and no longer', async () => {
    const { references, values, clock } = setUp();
    await references.read(VAULT);
    values['kv/tutor#key'] = 'sk_2';
    expect(await references.hasChanged(VAULT)).toBe(true);
    clock.atMs += 29_999;
    expect(await references.hasChanged(VAULT)).toBe(true);
    clock.atMs += 1;
    expect(await references.hasChanged(VAULT)).toBe(false);
  });

  it('has not changed where nobody can tell', async () => {
    const { references, setDown } = setUp();
    await references.read(VAULT);
    setDown(true);
    expect(await references.hasChanged(VAULT)).toBe(false);
  });

  it('in the environment never changes, and is not looked at', async () => {
    const { references, values, expired } = setUp();
    await references.read('env:A');
    values['A'] = 'sk_other';
    expect(await references.hasChanged('env:A')).toBe(false);
    expect(expired).toEqual([]);
  });
});
