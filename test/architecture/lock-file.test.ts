import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { reviveJson } from '../../src/core/json.ts';

const ROOT = resolve(import.meta.dirname, '../..');

interface Entry {
  version?: string;
  bin?: Record<string, string>;
  resolved?: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

const { packages } = reviveJson<{ packages: Record<string, Entry> }>(
  readFileSync(join(ROOT, 'package-lock.json'), 'utf8'),
);

/** Whether `name` is found from the package at `place`, as Node looks for it: nested first, then upwards. */
function isLocked(place: string, name: string): boolean {
  for (let at = place; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    if (packages[`${at === '' ? '' : `${at}/`}node_modules/${name}`]) return true;
    if (!at.includes('/node_modules/')) return packages[`node_modules/${name}`] !== undefined;
  }
}

describe('the lock file', () => {
  it('has every package for every platform, or npm 11 and later refuse `npm ci`', () => {
    const missing = Object.entries(packages).flatMap(([place, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter((name) => !isLocked(place, name)),
    );
    expect(missing).toEqual([]);
    expect(Object.keys(packages).length).toBeGreaterThan(100);
  });

  it('has the program that package.json has', () => {
    const { bin } = reviveJson<Entry>(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(bin).toEqual({ rungate: 'bin/rungate.js' });
    expect(packages['']?.bin).toEqual(bin);
  });

  it('names no registry', () => {
    expect(Object.entries(packages).filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
  });

  it('pins what package.json pins, exactly', () => {
    const { dependencies = {}, devDependencies = {} } = packages[''] ?? {};
    const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
      ([, version]) => !/^\d+\.\d+\.\d+$/.test(version),
    );
    expect(loose).toEqual([]);
  });
});
