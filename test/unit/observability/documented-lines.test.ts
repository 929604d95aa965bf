import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');
const DOCS = ['operations.md', 'logs-and-traces.md']
  .map((name) => readFileSync(join(ROOT, 'docs', name), 'utf8'))
  .join();
/** `log.warn(` and `log.error(`, and the choice between the two. */
const CALL = /\blog(?:\.(?:warn|error)|\[[^\]]*'(?:warn|error)'[^\]]*\])\(/g;
const ENDS_WITH_TEXT = /'([^'\n]*)',?\s*$/;

/** From behind an opening bracket to the one that closes it. */
function argumentsAt(source: string, from: number): string {
  let depth = 1;
  for (let at = from, quote = ''; at < source.length; at++) {
    const sign = source[at] ?? '';
    if (quote !== '') {
      if (sign === '\\') at++;
      else if (sign === quote) quote = '';
    } else if (/['"`]/.test(sign)) quote = sign;
    else if (/[([{]/.test(sign)) depth++;
    else if (/[)\]}]/.test(sign) && --depth === 0) return source.slice(from, at);
  }
  throw new Error('a call has no end');
}

const SOURCES = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((file) => ({ file, source: readFileSync(join(ROOT, 'src', file), 'utf8') }));
const ALL = SOURCES.map(({ source }) => source).join('\n');

/** The text that a call ends with, or the constants that it names, of its file or exported: some choose between two. Empty: neither. */
function messagesOf(source: string, call: string): string[] {
  const text = ENDS_WITH_TEXT.exec(call)?.[1];
  if (text !== undefined) return [text];
  return [...call.matchAll(/\b[A-Z][A-Z_]{3,}\b/g)].flatMap(([name]) => {
    const own = new RegExp(`const ${name} =\\s*'([^'\\n]*)'`).exec(source);
    return (own ?? new RegExp(`export const ${name} =\\s*'([^'\\n]*)'`).exec(ALL))?.[1] ?? [];
  });
}

function lines(): { file: string; messages: string[] }[] {
  return SOURCES.flatMap(({ file, source }) =>
    [...source.matchAll(CALL)].map(({ 0: { length }, index }) => ({
      file,
      messages: messagesOf(source, argumentsAt(source, index + length)),
    })),
  );
}

/** Those whose message is no constant. */
const PASSED_ON = ['app/serve.ts', 'app/command-log.ts', 'observability/logger.ts'];

describe('the log’s lines at warn and error', () => {
  it('are all in the documents', () => {
    const found = lines().filter(({ file }) => !PASSED_ON.includes(file));
    expect(found.length).toBeGreaterThan(50);
    expect(found.filter(({ messages }) => messages.length === 0)).toEqual([]);
    const missing = found.flatMap(({ file, messages }) => messages.map((message) => ({ file, message })));
    expect(missing.filter(({ message }) => !DOCS.includes(`\`${message}\``))).toEqual([]);
  });
});
