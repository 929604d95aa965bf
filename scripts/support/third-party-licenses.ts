import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { reviveJson } from '../../src/core/json.ts';

const LICENSE_FILE = /^(?:licen[cs]e|copying|notice)/i;
const PACKAGE = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//;

interface Package {
  name: string;
  version: string;
  license?: string;
}

/**
 * The licences of all packages that `modules` (absolute paths) lie in, with the texts that lie between each module and its package's
 * root: parts of a package may be others' work. Throws where a package names no licence.
 */
export function thirdPartyLicenses(modules: readonly string[]): string {
  const directories = new Map<string, Set<string>>();
  for (const path of modules) {
    const root = PACKAGE.exec(path)?.[1];
    if (root === undefined) continue;
    const found = directories.get(root) ?? new Set([root]);
    for (let at = dirname(path); at !== root; at = dirname(at)) found.add(at);
    directories.set(root, found);
  }
  const parts = [...directories].map(([root, within]) => licenseOf(root, [...within]));
  const rule = `\n${'-'.repeat(80)}\n\n`;
  return `This program contains the packages below, under their own licences.\n${rule}${parts.toSorted().join(rule)}`;
}

function licenseOf(root: string, directories: readonly string[]): string {
  const { name, version, license } = reviveJson<Package>(readFileSync(join(root, 'package.json'), 'utf8'));
  if (license === undefined) throw new Error(`${name} ${version} names no licence`);
  const texts = directories.toSorted().flatMap((directory) =>
    readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isFile() && LICENSE_FILE.test(entry.name) && !/\.[cm]?[jt]s$/.test(entry.name))
      .map((entry) => readFileSync(join(directory, entry.name), 'utf8').trim()),
  );
  return `${name} ${version}, ${license}\n\n${texts.join('\n\n') || 'No text is in the package.'}\n`;
}
