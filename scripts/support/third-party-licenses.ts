import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { reviveJson } from '../../src/core/json.ts';

const LICENSE_FILE = /^(?:licen[cs]e|copying|notice)/i;
const PACKAGE = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//;

interface Package {
  name: string;
  version: string;
  license?: string;
}

/** The licences, with their texts, of all packages that modules lie in. Throws where one says nothing of its licence. */
export function thirdPartyLicenses(modules: readonly string[]): string {
  const directories = new Set(modules.map((id) => PACKAGE.exec(id)?.[1]).filter((found) => found !== undefined));
  const parts = [...directories].map((directory) => {
    const { name, version, license } = reviveJson<Package>(readFileSync(join(directory, 'package.json'), 'utf8'));
    if (license === undefined) throw new Error(`${name} ${version} names no licence`);
    return `${name} ${version}, ${license}\n\n${textsOf(directory).join('\n\n') || 'No text is in the package.'}\n`;
  });
  const rule = `\n${'-'.repeat(80)}\n\n`;
  return `This program contains the packages below, under their own licences.\n${rule}${parts.toSorted().join(rule)}`;
}

function textsOf(directory: string): string[] {
  const files = existsSync(directory) ? readdirSync(directory).filter((file) => LICENSE_FILE.test(file)) : [];
  return files.toSorted().map((file) => readFileSync(join(directory, file), 'utf8').trim());
}
