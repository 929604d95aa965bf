import { execFileSync } from 'node:child_process';
import { chmod, link, mkdir, mkdtemp, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFileSecrets } from '../../../src/vault/references/file-secrets.ts';

let directory: string;
beforeEach(async () => void (directory = await mkdtemp(join(tmpdir(), 'rungate-files-'))));
afterEach(() => rm(directory, { recursive: true, force: true }));

function setUp() {
  const clock = { atMs: 10_000, now: () => Date.now() + 60_000, monotonic: () => clock.atMs };
  const files = createFileSecrets({ clock });
  const file = { in: 'file', path: join(directory, 'secret') } as const;
  const read = async () => (await files.read(file))?.open() ?? null;
  /** After the time in which a file is not looked at again. */
  const later = () => void (clock.atMs += 1_000);
  return { clock, files, file, read, later };
}

const faultOf = (reading: Promise<unknown>) => reading.catch((error: unknown) => error as Error);

describe('a secret in a file', () => {
  it('is its text without one line break at the end', async () => {
    const { file, read, later } = setUp();
    for (const [text, secret] of [
      ['sk_1', 'sk_1'],
      ['sk_2\n', 'sk_2'],
      ['sk_3\r\n', 'sk_3'],
      ['sk_4\n\n', 'sk_4\n'],
    ] as const) {
      await writeFile(file.path, text);
      expect(await read()).toBe(secret);
      later();
    }
  });

  it('is read again when it was written, replaced or linked elsewhere, and not looked at within a second', async () => {
    const { file, read, later } = setUp();
    await writeFile(file.path, 'sk_1');
    expect(await read()).toBe('sk_1');
    await writeFile(file.path, 'sk_2');
    expect(await read()).toBe('sk_1');
    later();
    expect(await read()).toBe('sk_2');
    await writeFile(`${file.path}.new`, 'sk_3');
    await rename(`${file.path}.new`, file.path);
    later();
    expect(await read()).toBe('sk_3');
    await writeFile(join(directory, 'other'), 'sk_4');
    await rm(file.path);
    await symlink(join(directory, 'other'), file.path);
    later();
    expect(await read()).toBe('sk_4');
  });

  it('is never one of our own, whatever link leads there, and the fault shows nothing of it', async () => {
    const own = join(directory, 'master.key');
    await writeFile(own, 'marker-of-the-master-key');
    await symlink(own, join(directory, 'symbolic'));
    await link(own, join(directory, 'hard'));
    await writeFile(join(directory, 'copy'), 'sk_of-a-vendor');
    const clock = { now: () => Date.now() + 60_000, monotonic: () => 0 };
    const refused = { paths: [join(directory, 'nowhere'), own], reason: 'it is ours' };
    const files = createFileSecrets({ clock, refused });
    for (const name of ['master.key', 'symbolic', 'hard']) {
      const fault = await faultOf(files.read({ in: 'file', path: join(directory, name) }));
      expect(fault).toMatchObject({ code: 'vault_unavailable', message: expect.stringContaining('it is ours') });
      expect(inspect([fault, files], { depth: 10 })).not.toContain('marker-of');
    }
    expect((await files.read({ in: 'file', path: join(directory, 'copy') }))?.open()).toBe('sk_of-a-vendor');
  });

  it('is the same object while the file is the same, and is looked at once for many callers', async () => {
    const { file, files, later } = setUp();
    await writeFile(file.path, 'sk_1');
    const all = await Promise.all(Array.from({ length: 20 }, () => files.read(file)));
    later();
    expect(new Set([...all, await files.read(file)]).size).toBe(1);
  });

  it('is read at once after it was said to have expired', async () => {
    const { file, files, read } = setUp();
    await writeFile(file.path, 'sk_1');
    expect(await read()).toBe('sk_1');
    await writeFile(file.path, 'sk_2');
    files.expire?.(file);
    expect(await read()).toBe('sk_2');
  });

  it('stays what it was while its file is being written in place', async () => {
    const { clock, file, read, later } = setUp();
    await writeFile(file.path, 'sk_1');
    expect(await read()).toBe('sk_1');
    await writeFile(file.path, '');
    const writtenAt = new Date();
    await utimes(file.path, writtenAt, writtenAt);
    clock.now = () => writtenAt.getTime() + 50;
    later();
    expect(await read()).toBe('sk_1');
    clock.now = () => writtenAt.getTime() + 150;
    later();
    expect(await read()).toBe('');
  });

  it('is nothing where there is no file, and is there when the file is', async () => {
    const { file, read, later } = setUp();
    expect(await read()).toBeNull();
    await writeFile(file.path, 'sk_1');
    later();
    expect(await read()).toBe('sk_1');
    await rm(file.path);
    later();
    expect(await read()).toBeNull();
  });

  it.each<[string, (path: string) => unknown, string]>([
    ['a directory', (path) => mkdir(path), 'it is a directory'],
    ['a pipe that nobody writes into', (path) => execFileSync('mkfifo', [path]), 'it is a pipe'],
    ['too long', (path) => writeFile(path, 'x'.repeat(16 * 1024 + 1)), 'longer than 16384 bytes'],
    ['a link to itself', (path) => symlink(path, path), 'ELOOP'],
    ['a link to a device', (path) => symlink('/dev/zero', path), 'it is a device'],
  ])('is a fault that says so where it is %s, and never waits', async (_, make, reason) => {
    const { file, files } = setUp();
    await make(file.path);
    const begunAt = performance.now();
    const fault = await faultOf(files.read(file));
    expect(performance.now() - begunAt).toBeLessThan(2_000);
    expect(fault).toMatchObject({ code: 'vault_unavailable' });
    expect((fault as Error).message).toContain(reason);
    // Callers read the message; the path is for the log.
    expect((fault as Error).message).not.toContain(directory);
    expect(inspect(fault)).toContain(directory);
  });

  it.skipIf(process.getuid?.() === 0)('is a fault where it may not be read', async () => {
    const { file, files } = setUp();
    await writeFile(file.path, 'sk_hidden');
    await chmod(file.path, 0o000);
    expect(await faultOf(files.read(file))).toMatchObject({ message: expect.stringContaining('EACCES') as string });
  });

  it('is in no print of what reads it', async () => {
    const { file, files, read } = setUp();
    await writeFile(file.path, 'sk_marker');
    expect(await read()).toBe('sk_marker');
    expect(inspect(files, { depth: 9, showHidden: true })).not.toContain('sk_marker');
  });
});
