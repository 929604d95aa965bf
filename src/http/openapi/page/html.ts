/** Markup; plain text is escaped where it goes into one. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Part = Html | string | number | readonly Html[];

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export const NOTHING = new Html('');

/** Makes markup; text in the holes is escaped, lists of markup are joined. */
export function markup(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  let made = strings[0] ?? '';
  parts.forEach((part, i) => (made += written(part) + (strings[i + 1] ?? '')));
  return new Html(made);
}

function written(part: Part): string {
  if (typeof part === 'string') return escapeHtml(part);
  if (typeof part === 'number') return String(part);
  return part instanceof Html ? part.text : part.map(({ text }) => text).join('');
}

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ESCAPES[character] ?? '');
}

const INLINE = /`([^`]+)`|\[([^\]]+)\]\(([^)\s]+)\)/g;

/** Paragraphs with `code` and [links](…), which is all that our descriptions use. */
export function prose(text: string): Html {
  const paragraphs = text.split(/\n{2,}/).filter((paragraph) => paragraph !== '');
  return markup`${paragraphs.map((paragraph) => markup`<p>${line(paragraph)}</p>`)}`;
}

/** One line of such text, without a paragraph around it. */
export function line(text: string): Html {
  const parts: Html[] = [];
  let end = 0;
  for (const { 0: whole, 1: code, 2: label = '', 3: target = '', index } of text.matchAll(INLINE)) {
    parts.push(markup`${text.slice(end, index)}`);
    parts.push(code === undefined ? markup`<a href="${target}">${label}</a>` : markup`<code>${code}</code>`);
    end = index + whole.length;
  }
  return markup`${parts}${text.slice(end)}`;
}
