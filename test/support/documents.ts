import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** A document of the repository. */
export interface Document {
  /** Below the repository's root. */
  path: string;
  text: string;
}

export function readDocument(path: string): Document {
  return { path, text: readFileSync(join(ROOT, path), 'utf8') };
}

/** Everything that is written for readers: the root's documents and `docs/`. */
export function readDocuments(): Document[] {
  const root = readdirSync(ROOT).filter((name) => name.endsWith('.md'));
  const below = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name.replaceAll('\\', '/')}`);
  return [...root, ...below].sort().map(readDocument);
}

export interface CodeBlock {
  language: string;
  text: string;
}

const FENCE = /^```(\w*)\n([\s\S]*?)^```$/gm;

/** The fenced blocks of a document, in order. */
export function codeBlocks({ text }: Document): CodeBlock[] {
  return Array.from(text.matchAll(FENCE), ([, language = '', body = '']) => ({ language, text: body }));
}

/** All that stands as code: fenced and indented blocks, and code in the text. */
export function codeOf(document: Document): string[] {
  const prose = proseOf(document);
  const spans = Array.from(prose.matchAll(/`([^`\n]+)`/g), ([, span = '']) => span);
  const indented = Array.from(prose.matchAll(/^ {4}(\S.*)$/gm), ([, line = '']) => line);
  return [...codeBlocks(document).map(({ text }) => text), ...spans, ...indented];
}

/** The document without its fenced blocks. */
export function proseOf({ text }: Document): string {
  return text.replace(FENCE, '');
}

/** Headings of one level, as they stand. */
export function headings(document: Document, level: number): string[] {
  const mark = '#'.repeat(level);
  return Array.from(proseOf(document).matchAll(new RegExp(`^${mark} (.+)$`, 'gm')), ([, heading = '']) => heading);
}

/** What follows a heading, up to the next one of its level or a higher one. */
export function sectionOf({ text }: Document, heading: string): string {
  const [mark = '##'] = new RegExp(`^#+(?= ${escape(heading)}$)`, 'm').exec(text) ?? [];
  const found = new RegExp(`^${mark} ${escape(heading)}$([\\s\\S]*?)(?=^#{1,${mark.length}} |$(?![\\s\\S]))`, 'm').exec(
    text,
  );
  return found?.[1] ?? '';
}

/** The cells of every table row whose first cell is code, without the row's outer bars. */
export function codeRows(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim().replaceAll('\\|', '|')),
    );
}

/** Code without its marks. */
export function plain(cell: string): string {
  return cell.replaceAll('`', '');
}

function escape(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
