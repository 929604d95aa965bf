import { createHash } from 'node:crypto';
import { Html, markup } from './html.ts';
import { STYLE } from './style.ts';

export interface Page {
  html: string;
  contentSecurityPolicy: string;
}

export interface Link {
  href: string;
  text: Html;
}

export interface Group {
  title: string;
  links: readonly Link[];
}

const PAGES: Group = {
  title: 'Pages',
  links: [
    { href: '/docs', text: markup`Reference` },
    { href: '/docs/errors', text: markup`Errors` },
    { href: '/openapi.json', text: markup`OpenAPI 3.1` },
  ],
};

/** The one style sheet, by its hash, is all that a page may use: no script, no picture, no request. */
const POLICY = [
  `default-src 'none'`,
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  `base-uri 'none'`,
  `form-action 'none'`,
  `frame-ancestors 'none'`,
].join('; ');

/** Whole, so that nothing comes between it and its hash. */
const STYLE_ELEMENT = new Html(`<style>${STYLE}</style>`);

/** A whole page that loads nothing. */
export function layOut({
  title,
  version,
  groups,
  main,
}: {
  title: string;
  version: string;
  groups: readonly Group[];
  main: Html;
}): Page {
  const page = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
${STYLE_ELEMENT}
</head>
<body>
<nav aria-label="Contents">
<a class="name" href="/docs">Rungate</a><span class="version">${version}</span>
${renderGroup(PAGES)}
<div class="groups">${groups.map(renderGroup)}</div>
</nav>
<main>
${main}
</main>
</body>
</html>
`;
  return { html: page.text, contentSecurityPolicy: POLICY };
}

function renderGroup({ title, links }: Group): Html {
  return markup`<h2>${title}</h2>
<ul>${links.map(({ href, text }) => markup`<li><a href="${href}">${text}</a></li>`)}</ul>
`;
}
