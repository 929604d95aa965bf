import { formsOfCharacter } from './secret-forms.ts';

/**
 * The forms of one character as a tree: nodes have numbers, the root has 0, and each edge reads one character of a text.
 * A form ends by an edge that leads nowhere, since what follows is another character's.
 */
export interface FormTree {
  /** By node: where each character leads. */
  readonly children: readonly ReadonlyMap<number, number>[];
  /** By node: the characters by which a form ends. */
  readonly lasts: readonly ReadonlySet<number>[];
}

/** No form at all: what follows the last character of a secret. */
export const NO_FORMS: FormTree = { children: [new Map()], lasts: [new Set()] };

/** The tree of a character's forms. */
export function formTree(char: string): FormTree {
  const children: Map<number, number>[] = [new Map()];
  const lasts: Set<number>[] = [new Set()];
  for (const { text, anyCase } of formsOfCharacter(char)) {
    let node = 0;
    for (let i = 0; i < text.length - 1; i++) {
      const codes = codesOf(text.charAt(i), anyCase);
      const child = children[node]?.get(codes[0] ?? 0) ?? children.push(new Map()) - 1;
      if (child === lasts.length) lasts.push(new Set());
      for (const code of codes) children[node]?.set(code, child);
      node = child;
    }
    for (const code of codesOf(text.charAt(text.length - 1), anyCase)) lasts[node]?.add(code);
  }
  return { children, lasts };
}

function codesOf(char: string, anyCase: boolean): number[] {
  const chars = anyCase && /[a-f]/.test(char) ? [char, char.toUpperCase()] : [char];
  return chars.map((one) => one.charCodeAt(0));
}
