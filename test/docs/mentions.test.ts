import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commandHelps } from '../../scripts/support/command-helps.ts';
import { VERSION } from '../../src/app/version.ts';
import { SETTING_VARIABLES } from '../../src/config/setting-variables.ts';
import { reviveJson } from '../../src/core/json.ts';
import { codeOf, codeRows, plain, readDocument, readDocuments, ROOT, sectionOf } from '../support/documents.ts';

interface Package {
  version: string;
  scripts: Record<string, string>;
}

const pkg = reviveJson<Package>(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const code = readDocuments().flatMap((document) => codeOf(document).map((text) => ({ path: document.path, text })));

/** All that `pattern`'s first group finds in code, with where it was found. */
function mentions(pattern: RegExp): { path: string; found: string }[] {
  return code.flatMap(({ path, text }) => Array.from(text.matchAll(pattern), ([, found = '']) => ({ path, found })));
}

describe('what the documents mention', () => {
  it('are npm scripts that exist, and run files that exist', () => {
    const scripts = mentions(/npm run (?:-s )?([a-z][\w:-]*)/g);
    expect(scripts.length).toBeGreaterThan(10);
    expect(scripts.filter(({ found }) => pkg.scripts[found] === undefined)).toEqual([]);
    const files = Object.values(pkg.scripts).flatMap((script) => /node (?:--\S+ )*(\S+)/.exec(script)?.[1] ?? []);
    expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  });

  it('are commands that exist', () => {
    const names = commandHelps().map(({ name }) => name);
    const found = mentions(/\b(rungate(?: --)?(?: [a-z]+){1,2})/g);
    expect(found.length).toBeGreaterThan(10);
    const exists = (text: string) => {
      const [, first, second] = text.replace(' --', '').split(' ');
      return names.some((name) => name === `rungate ${first}` || name === `rungate ${first} ${second}`);
    };
    expect(found.filter((mention) => !exists(mention.found))).toEqual([]);
  });

  it('are settings that exist', () => {
    const found = mentions(/\b(RUNGATE_[A-Z_]*[A-Z])\b/g);
    // What the README and the demo call the key and the address in the caller's own shell.
    const known = [...SETTING_VARIABLES, 'RUNGATE_KEY', 'RUNGATE_URL'];
    expect(found.filter((mention) => !known.includes(mention.found))).toEqual([]);
  });

  it('are files that exist', () => {
    const found = mentions(/^(?:node )?((?:src|test|scripts|docs|bench|\.ci)\/[^\s<>*]*)$/g);
    expect(found.length).toBeGreaterThan(20);
    expect(found.filter((mention) => !existsSync(join(ROOT, mention.found)))).toEqual([]);
  });

  it('are log lines that are written', () => {
    const source = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(join(ROOT, 'src', name), 'utf8'))
      .join('\n');
    const lines = codeRows(sectionOf(readDocument('docs/operations.md'), 'The log')).map(([line = '']) => plain(line));
    expect(lines.length).toBeGreaterThan(4);
    expect(lines.filter((line) => !source.includes(`'${line}'`))).toEqual([]);
  });
});

describe('the version', () => {
  it('is the same in the program, in package.json and at the top of the changelog', () => {
    expect(VERSION).toBe(pkg.version);
    const [, latest] = /^## (\S+)/m.exec(readDocument('CHANGELOG.md').text) ?? [];
    expect(latest).toBe(VERSION);
  });
});
