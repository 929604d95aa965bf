import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../support/documents.ts';

const text = readFileSync(join(ROOT, 'docs/security.md'), 'utf8');
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

function named(pattern: RegExp): string[] {
  return [...new Set(Array.from(text.matchAll(pattern), ([, name = '']) => name))];
}

describe('the threat model', () => {
  it('names tests that are there', () => {
    const files = named(/`(test\/[\w./-]+)`/g);
    expect(files.length).toBeGreaterThan(25);
    expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  });

  it('names commands that are there, each of which runs with every change or is a bench', () => {
    const commands = named(/`npm run ([\w:]+)`/g);
    const suites = readFileSync(join(ROOT, 'scripts/ci.mjs'), 'utf8');
    expect(commands.length).toBeGreaterThan(4);
    expect(commands.filter((command) => scripts[command] === undefined)).toEqual([]);
    expect(commands.filter((command) => !command.startsWith('bench:') && !suites.includes(` ${command}`))).toEqual([]);
  });
});
