import { LABELS, OTHER, type LabelName } from './definition.ts';

interface Branch<Child> {
  below: Map<string, Branch<Child>>;
  child: Child | null;
}

/** A metric's children by the values of its labels, in the labels' order: of as many as it has, at most four. */
export type Family<Child> = (first?: string, second?: string, third?: string, fourth?: string) => Child;

/**
 * Finds a child by one map a label, which costs a tenth of what the library needs to do the same. Beyond `childrenMax`
 * the names of the operator's choosing become `other`; labels of few values keep theirs.
 */
export function createFamily<Child>(
  labels: readonly LabelName[],
  childrenMax: number,
  make: (values: readonly string[]) => Child,
): Family<Child> {
  const root: Branch<Child> = { below: new Map(), child: null };
  let count = 0;

  function add(values: readonly string[]): Child {
    let at = root;
    for (const value of values) {
      const next = at.below.get(value) ?? { below: new Map(), child: null };
      at.below.set(value, next);
      at = next;
    }
    if (at.child === null) count++;
    return (at.child ??= make(values));
  }

  const depth = labels.length;
  return (first, second, third, fourth) => {
    // No arrays on the way to a child that is known: this is called several times a run.
    let at: Branch<Child> | undefined = root;
    if (depth > 0) at = at.below.get(first as string);
    if (depth > 1) at = at?.below.get(second as string);
    if (depth > 2) at = at?.below.get(third as string);
    if (depth > 3) at = at?.below.get(fourth as string);
    if (at !== undefined && at.child !== null) return at.child;
    const values = [first, second, third, fourth].slice(0, depth) as string[];
    if (count < childrenMax) return add(values);
    return add(values.map((value, i) => (isOpen(labels[i]) ? OTHER : value)));
  };
}

function isOpen(label: LabelName | undefined): boolean {
  return label === undefined || LABELS[label].values === null;
}
