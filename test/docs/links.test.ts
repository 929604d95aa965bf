import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { proseOf, readDocuments, ROOT, type Document } from '../support/documents.ts';

const documents = readDocuments();

/** Every relative link of a document that leads nowhere. */
function brokenLinks(document: Document): string[] {
  return linksOf(document).filter((link) => {
    const [path = '', anchor] = link.split('#');
    const target = path === '' ? document.path : relative(ROOT, join(ROOT, dirname(document.path), path));
    const file = join(ROOT, target);
    if (!existsSync(file)) return true;
    if (anchor === undefined) return false;
    return statSync(file).isDirectory() || !anchorsOf(readFileSync(file, 'utf8')).has(anchor);
  });
}

function linksOf(document: Document): string[] {
  const links = Array.from(proseOf(document).matchAll(/\]\(([^)\s]+)\)/g), ([, link = '']) => link);
  return links.filter((link) => !/^[a-z]+:/.test(link));
}

/** As repository hosts make them of headings. */
function anchorsOf(text: string): ReadonlySet<string> {
  const headings = Array.from(proseOf({ path: '', text }).matchAll(/^#+ (.+)$/gm), ([, heading = '']) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

describe('relative links', () => {
  it('are looked for in every document', () => {
    expect(documents.length).toBeGreaterThanOrEqual(18);
    expect(documents.flatMap(linksOf).length).toBeGreaterThan(50);
  });

  it.each(documents)('of $path lead somewhere', (document) => {
    expect(brokenLinks(document)).toEqual([]);
  });

  it('are found broken where the file or the heading is missing', () => {
    const text = '[a](docs/errors.md#no_such_code) [b](docs/nothing.md) [d](docs/errors.md#internal)';
    expect(brokenLinks({ path: 'README.md', text })).toEqual(['docs/errors.md#no_such_code', 'docs/nothing.md']);
  });
});
