import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tryServeLock } from '../../../src/store/sqlite/serve-lock.ts';

let directory: string;
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'rungate-lock-'))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('the serve lock', () => {
  it('is held by one, until it lets go', () => {
    const path = join(directory, 'rungate.db');
    const first = tryServeLock(path);
    expect(tryServeLock(path)).toBeNull();
    // Looking did not let go of it.
    expect(tryServeLock(path)).toBeNull();
    first?.release();
    const second = tryServeLock(path);
    expect(second).not.toBeNull();
    second?.release();
  });

  it('leaves no file where it is discarded, and can be taken again', () => {
    const path = join(directory, 'rungate.db');
    tryServeLock(path)?.discard();
    expect(readdirSync(directory)).toEqual([]);
    const next = tryServeLock(path);
    expect(next).not.toBeNull();
    expect(tryServeLock(path)).toBeNull();
    next?.release();
  });
});
