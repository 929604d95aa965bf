import { createHash } from 'node:crypto';

/** How a vendor's workflow ids and the sandbox's names for workflows go together. */
export interface WorkflowNames {
  idOf(name: string): string;
  /** The name behind an id; the id itself where it stands for none. */
  nameOf(id: string): string;
}

/** An id is its workflow's name. */
export const plainNames: WorkflowNames = { idOf: (name) => name, nameOf: (id) => id };

const ID_BYTES = 12;
const NAMES_MAX = 200_000;

/**
 * The id of 24 hexadecimal digits that stands for a name: its bytes, filled up with zeros; of a longer name than
 * 12 bytes the beginning of its SHA-256. A name that is such an id already stands for itself.
 */
export function hexIdOf(name: string): string {
  if (isHexId(name)) return name.toLowerCase();
  const bytes = Buffer.from(name);
  if (bytes.length > ID_BYTES)
    return createHash('sha256')
      .update(bytes)
      .digest('hex')
      .slice(0, ID_BYTES * 2);
  return bytes.toString('hex').padEnd(ID_BYTES * 2, '0');
}

export function isHexId(text: string): boolean {
  return /^[0-9a-f]{24}$/i.test(text);
}

/**
 * For vendors whose ids are 24 hexadecimal digits. A short name can be read out of its id; a longer one is known
 * once it was asked for, as `known` are from the beginning. Any other id is an ordinary workflow.
 */
export function createHexNames(known: readonly string[]): WorkflowNames {
  const knownNames = new Map(known.map((name) => [hexIdOf(name), name]));
  const askedFor = new Map<string, string>();
  return {
    idOf(name) {
      const id = hexIdOf(name);
      if (!isHexId(name)) askedFor.set(id, name);
      const oldest = askedFor.keys().next().value;
      if (askedFor.size > NAMES_MAX && oldest !== undefined) askedFor.delete(oldest);
      return id;
    },
    nameOf(id) {
      const key = id.toLowerCase();
      return knownNames.get(key) ?? askedFor.get(key) ?? shortNameIn(id) ?? id;
    },
  };
}

function shortNameIn(id: string): string | null {
  const text = Buffer.from(id, 'hex').toString('latin1').replace(/\0+$/, '');
  return /^[A-Za-z0-9][A-Za-z0-9._~:@-]*$/.test(text) ? text : null;
}
