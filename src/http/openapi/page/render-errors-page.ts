import { ERROR_CATALOGUE, type CatalogueEntry } from '../../../core/error-catalogue.ts';
import { line, markup, type Html } from './html.ts';
import { layOut, type Page } from './layout.ts';

const SOURCES = [
  { source: 'gateway', title: 'Rungate’s own', about: 'Rungate refused the request, or failed.' },
  { source: 'upstream', title: 'The vendor’s', about: 'The vendor answered so. Its 401 is never yours.' },
  { source: 'network', title: 'The network’s', about: 'No answer of the vendor came through.' },
] as const;

type Named = readonly [code: string, entry: CatalogueEntry];

/** Every error code under its own name, which is where an error's `docs_url` leads. */
export function renderErrorsPage(version: string): Page {
  const codes = Object.entries<CatalogueEntry>(ERROR_CATALOGUE);
  const groups = SOURCES.map((group) => ({
    ...group,
    codes: codes.filter(([, { source }]) => source === group.source),
  }));
  const main = markup`<h1>Errors</h1>
    <p>
      Every refusal is one envelope, and a run that failed or timed out has the same object as its <code>error</code>. A
      program decides by <code>code</code>, or by <code>status</code> and <code>retryable</code>; people read
      <code>message</code>.
    </p>
    <p>
      <code>retryable: true</code> is a promise: the same request, sent again with the same idempotency key or with
      none, may succeed and cannot begin a second run. What stands here is each code’s usual value; the answer itself
      decides.
    </p>
    ${groups.map(
      ({ title, about, codes }) =>
        markup`<h2>${title}</h2>
          <p class="lead">${about}</p>
          ${codes.map(renderCode)} `,
    )}`;
  return layOut({
    title: 'Rungate: errors',
    version,
    groups: groups.map(({ title, codes }) => ({
      title,
      links: codes.map(([code]) => ({ href: `#${code}`, text: markup`${code}` })),
    })),
    main,
  });
}

function renderCode([code, { status, retryable, source, message, advice }]: Named): Html {
  return markup`<section id="${code}">
    <h3><code>${code}</code></h3>
    <div class="facts">
      <span>HTTP ${status}</span><span>source: ${source}</span><span>retryable: ${retryable ? 'yes' : 'no'}</span>
    </div>
    <p>${line(message)}</p>
    <p><strong>What to do:</strong> ${line(advice)}</p>
  </section>`;
}
