import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../../src/core/secret.ts';
import { createKvSecrets } from '../../../src/vault/references/kv-secrets.ts';
import { ServerFault } from '../../../src/vault/references/vault-http.ts';
import type { KvSecret } from '../../../src/vault/references/vault-server.ts';

const CACHE_MS = 60_000;
const OUTAGE_MS = 600_000;
const KEY = { in: 'vault', mount: 'kv', path: 'tutor', field: 'key' } as const;

/** A server whose answers come when the test lets them. */
function setUp({ outageMs = OUTAGE_MS } = {}) {
  const clock = { atMs: 1_000_000, monotonic: () => clock.atMs };
  const told: { message: string; fields: object }[] = [];
  const note = (fields: object, message: string) => void told.push({ message, fields });
  const server = {
    reads: [] as string[],
    data: { key: 'sk_1', other: 'sk_other', number: 7 } as Record<string, unknown> | null,
    fault: null as string | null,
    bug: null as Error | null,
    /** Kept until it is resolved; null: answers come at once. */
    held: null as PromiseWithResolvers<void> | null,
  };
  async function read(mount: string, path: string): Promise<KvSecret> {
    server.reads.push(`${mount}/${path}`);
    await server.held?.promise;
    if (server.bug !== null) throw server.bug;
    if (server.fault !== null) throw new ServerFault(server.fault);
    if (server.data === null) return { is: 'gone' };
    const fields = Object.entries(server.data).map(
      ([name, value]) => [name, typeof value === 'string' ? new Secret(value) : null] as const,
    );
    const characters = fields.reduce((sum, [name, value]) => sum + name.length + (value?.open().length ?? 0), 0);
    return { is: 'found', fields: new Map(fields), characters };
  }
  const limits = { cacheMs: CACHE_MS, outageMs };
  const secrets = createKvSecrets({ read, limits, clock, log: { warn: note, info: note } });
  const open = async (reference: typeof KEY | object = KEY) =>
    (await secrets.read({ ...KEY, ...reference }))?.open() ?? null;
  const pass = (ms: number) => void (clock.atMs += ms);
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { secrets, server, open, pass, settle, told };
}

describe('a secret that a server keeps', () => {
  it('counts as set without asking', () => {
    const { secrets, server } = setUp();
    expect(secrets.isSet(KEY)).toBe(true);
    expect(server.reads).toEqual([]);
  });

  it('is read once for all of its fields and all callers', async () => {
    const { open, server } = setUp();
    server.held = Promise.withResolvers();
    const all = [open(), open(), open({ field: 'other' })];
    server.held.resolve();
    expect(await Promise.all(all)).toEqual(['sk_1', 'sk_1', 'sk_other']);
    expect(await open({ field: 'other' })).toBe('sk_other');
    expect(server.reads).toEqual(['kv/tutor']);
  });

  it('is read once more for whoever wants a newer one than a read that is under way may bring', async () => {
    const { secrets, open, server, pass } = setUp();
    await open();
    pass(CACHE_MS);
    server.held = Promise.withResolvers();
    const old = { ...server.data };
    expect(await open()).toBe('sk_1');
    const rotated = { key: 'sk_2' };
    secrets.expire?.(KEY);
    const newer = open();
    server.data = old;
    const { resolve } = server.held;
    server.held = null;
    resolve();
    await Promise.resolve();
    server.data = rotated;
    expect(await newer).toBe('sk_2');
    expect(server.reads).toHaveLength(3);
  });

  it('is used for as long as it is fresh, then read anew behind a caller who does not wait', async () => {
    const { open, server, pass, settle } = setUp();
    expect(await open()).toBe('sk_1');
    server.data = { key: 'sk_2' };
    pass(CACHE_MS - 1);
    expect(await open()).toBe('sk_1');
    expect(server.reads).toHaveLength(1);
    pass(1);
    server.held = Promise.withResolvers();
    expect(await Promise.all([open(), open()])).toEqual(['sk_1', 'sk_1']);
    expect(server.reads).toHaveLength(2);
    server.held.resolve();
    await settle();
    expect(await open()).toBe('sk_2');
    expect(server.reads).toHaveLength(2);
  });

  it('that nobody has used for long is read before it is used', async () => {
    const { open, server, pass } = setUp();
    expect(await open()).toBe('sk_1');
    server.data = { key: 'sk_2' };
    pass(2 * CACHE_MS);
    expect(await open()).toBe('sk_2');
  });

  it('is used through an outage, without a wait for each failure, until the outage is too long', async () => {
    const { open, server, pass, settle, told } = setUp();
    expect(await open()).toBe('sk_1');
    server.fault = 'there is no connection to it';
    pass(2 * CACHE_MS);
    expect(await open()).toBe('sk_1');
    pass(1_000);
    server.held = Promise.withResolvers();
    // The server is silent, and known to fail: nobody waits for it.
    expect(await open()).toBe('sk_1');
    expect(server.reads).toHaveLength(3);
    server.held.resolve();
    await settle();
    pass(OUTAGE_MS - CACHE_MS - 1_001);
    expect(await open()).toBe('sk_1');
    await settle();
    pass(1);
    await expect(open()).rejects.toMatchObject({ code: 'vault_unavailable' });
    expect(told).toHaveLength(1);
    pass(5_000);
    server.fault = null;
    expect(await open()).toBe('sk_1');
    expect(told.at(-1)?.message).toContain('again');
  });

  it('is bridged, and nothing else breaks, where reading it fails in a way that nobody foresaw', async () => {
    const { open, server, pass, settle } = setUp();
    expect(await open()).toBe('sk_1');
    server.bug = new TypeError('a bug');
    pass(CACHE_MS);
    expect(await open()).toBe('sk_1');
    await settle();
    expect(await open()).toBe('sk_1');
    expect(server.reads).toHaveLength(2);
  });

  it('is not bridged where the settings say so', async () => {
    const { open, server, pass } = setUp({ outageMs: 0 });
    expect(await open()).toBe('sk_1');
    server.fault = 'it is sealed';
    pass(CACHE_MS);
    await expect(open()).rejects.toMatchObject({ code: 'vault_unavailable' });
  });

  it('that was never read is `vault_unavailable`, says why and when to come back, and is not asked for all the time', async () => {
    const { open, server, pass } = setUp();
    server.fault = 'it is sealed, or down for maintenance (503)';
    const error = await open().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'vault_unavailable', details: { retryAfterS: 1 } });
    expect(String(error)).toContain('sealed');
    // Callers read it.
    expect(String(error)).not.toMatch(/kv|tutor/);
    await expect(open()).rejects.toMatchObject({ code: 'vault_unavailable' });
    expect(server.reads).toHaveLength(1);
    for (const [i, waitMs] of [1_000, 2_000, 4_000, 5_000, 5_000].entries()) {
      pass(waitMs - 1);
      await open().catch(() => null);
      expect(server.reads).toHaveLength(i + 1);
      pass(1);
      await open().catch(() => null);
      expect(server.reads).toHaveLength(i + 2);
    }
    pass(5_000);
    server.fault = null;
    expect(await open()).toBe('sk_1');
  });

  it('that is gone is gone at once, whatever was known, and is there again soon after it was written', async () => {
    const { open, server, pass, settle, told } = setUp();
    expect(await open()).toBe('sk_1');
    server.data = null;
    pass(CACHE_MS);
    await open();
    await settle();
    expect(await open()).toBeNull();
    expect(told.map(({ message }) => message)).toEqual([expect.stringContaining('not at its path')]);
    server.data = { key: 'sk_2' };
    expect(await open()).toBeNull();
    pass(1_000);
    expect(await open()).toBe('sk_2');
  });

  it('without the field, or with one that is no text, is no secret, and the log says which', async () => {
    const { open, told } = setUp();
    expect(await open({ field: 'nothing' })).toBeNull();
    expect(await open({ field: 'number' })).toBeNull();
    expect(await open({ field: 'constructor' })).toBeNull();
    await open({ field: 'nothing' });
    expect(told[0]?.fields).toEqual({ mount: 'kv', path: 'tutor', field: 'nothing' });
  });

  it('is read at once after it was said to have expired, and bridged where that fails', async () => {
    const { open, secrets, server, pass } = setUp();
    expect(await open()).toBe('sk_1');
    server.data = { key: 'sk_2' };
    secrets.expire?.(KEY);
    expect(await open()).toBe('sk_2');
    server.fault = 'there is no connection to it';
    secrets.expire?.(KEY);
    expect(await open()).toBe('sk_2');
    expect(server.reads).toHaveLength(3);
    pass(1_000);
    server.held = Promise.withResolvers();
    expect(await open()).toBe('sk_2');
    expect(server.reads).toHaveLength(3);
  });

  it('is forgotten where there are too many, the one used longest ago first', async () => {
    const { open, server } = setUp();
    for (let i = 0; i < 1_000; i++) await open({ path: `p${i}` });
    await open({ path: 'p0' });
    await open({ path: 'one-more' });
    server.reads.length = 0;
    await open({ path: 'p0' });
    expect(server.reads).toEqual([]);
    await open({ path: 'p1' });
    expect(server.reads).toEqual(['kv/p1']);
  });

  it('is forgotten where all together are too large', async () => {
    const { open, server } = setUp();
    server.data = { key: 'sk_1', ballast: 'x'.repeat(1024 * 1024) };
    for (const path of ['a', 'b', 'c', 'd']) await open({ path });
    server.reads.length = 0;
    await open({ path: 'd' });
    await open({ path: 'a' });
    expect(server.reads).toEqual(['kv/a']);
  });

  it('that was never read is told as such: nothing known could be used meanwhile', async () => {
    const { open, server, pass, told } = setUp();
    server.fault = 'there is no connection to it';
    await expect(open()).rejects.toMatchObject({ code: 'vault_unavailable' });
    expect(told.map(({ message }) => message)).toEqual([expect.stringContaining('none is known')]);
    expect(told[0]?.fields).toEqual({ mount: 'kv', path: 'tutor', reason: server.fault, detail: null });
    pass(5_000);
    server.fault = null;
    expect(await open()).toBe('sk_1');
    server.fault = 'it is sealed';
    pass(2 * CACHE_MS);
    await open();
    expect(told.at(-1)?.message).toContain('what is known of it is used');
  });

  it('is in no print and no log line', async () => {
    const { open, secrets, server, pass, told } = setUp();
    expect(await open()).toBe('sk_1');
    server.fault = 'it is sealed';
    pass(2 * CACHE_MS);
    expect(await open()).toBe('sk_1');
    expect(told).not.toEqual([]);
    expect(inspect([secrets, told], { depth: 9, showHidden: true })).not.toContain('sk_');
  });
});
