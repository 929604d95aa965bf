import type { Form } from './secret-forms.ts';

/**
 * A trie of the forms of one character: nodes have numbers, the root has 0, and each edge reads one character of a text.
 * A form ends by an accepting edge, which leads nowhere, since what follows is another character's.
 */
export interface FormTrie {
  /** By node: where each character leads. */
  readonly children: readonly ReadonlyMap<number, number>[];
  /** By node: the characters of its accepting edges. */
  readonly accepting: readonly ReadonlySet<number>[];
}

/** No form at all: what follows the last character of a secret. */
export const NO_FORMS: FormTrie = { children: [new Map()], accepting: [new Set()] };

/** The trie of these forms. */
export function formTrie(forms: readonly Form[]): FormTrie {
  const children: Map<number, number>[] = [new Map()];
  const accepting: Set<number>[] = [new Set()];
  for (const { text, anyCase } of forms) {
    let node = 0;
    for (let i = 0; i < text.length - 1; i++) {
      const codes = codesOf(text.charAt(i), anyCase);
      const child = children[node]?.get(codes[0] ?? 0) ?? children.push(new Map()) - 1;
      if (child === accepting.length) accepting.push(new Set());
      for (const code of codes) children[node]?.set(code, child);
      node = child;
    }
    for (const code of codesOf(text.charAt(text.length - 1), anyCase)) accepting[node]?.add(code);
  }
  return { children, accepting };
}

function codesOf(char: string, anyCase: boolean): number[] {
  const chars = anyCase && /[a-f]/.test(char) ? [char, char.toUpperCase()] : [char];
  return chars.map((one) => one.charCodeAt(0));
}
