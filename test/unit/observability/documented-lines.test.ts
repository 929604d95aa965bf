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

/** The text that a call ends with, or the constants of its file that it names: some choose between two. Empty: neither. */
function messagesOf(source: string, call: string): string[] {
  const text = ENDS_WITH_TEXT.exec(call)?.[1];
  if (text !== undefined) return [text];
  return [...call.matchAll(/\b[A-Z][A-Z_]{3,}\b/g)].flatMap(([name]) => {
    return new RegExp(`const ${name} =\\s*'([^'\\n]*)'`).exec(source)?.[1] ?? [];
  });
}

function lines(): { file: string; messages: string[] }[] {
  return readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((file) => {
      const source = readFileSync(join(ROOT, 'src', file), 'utf8');
      return [...source.matchAll(CALL)].map(({ 0: { length }, index }) => ({
        file,
        messages: messagesOf(source, argumentsAt(source, index + length)),
      }));
    });
}

/** Those whose message is no constant of their file. */
const PASSED_ON = ['app/serve.ts', 'observability/logger.ts'];

describe('the log’s lines at warn and error', () => {
  it('are all in the documents', () => {
    const found = lines().filter(({ file }) => !PASSED_ON.includes(file));
    expect(found.length).toBeGreaterThan(50);
    expect(found.filter(({ messages }) => messages.length === 0)).toEqual([]);
    const missing = found.flatMap(({ file, messages }) => messages.map((message) => ({ file, message })));
    expect(missing.filter(({ message }) => !DOCS.includes(`\`${message}\``))).toEqual([]);
  });
});
