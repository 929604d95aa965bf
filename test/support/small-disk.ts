import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A disk of its own that can really be full: its path; null where this user may not mount. */
export function mountSmallDisk(megabytes: number): string | null {
  const directory = mkdtempSync(join(tmpdir(), 'rungate-small-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', directory], { stdio: 'ignore' });
    return directory;
  } catch {
    rmSync(directory, { recursive: true });
    return null;
  }
}

export function removeSmallDisk(path: string): void {
  execFileSync('umount', [path]);
  rmSync(path, { recursive: true });
}

/** Writes until nothing fits any more. */
export function fillDisk(path: string): void {
  for (let chunk = 1 << 20; chunk >= 1; chunk >>= 1) {
    try {
      for (;;) writeFileSync(path, Buffer.alloc(chunk), { flag: 'a' });
    } catch {
      // Full for this size of chunk.
    }
  }
}
