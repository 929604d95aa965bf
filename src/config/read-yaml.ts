import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Node,
  type Pair,
  type YAMLError,
} from 'yaml';
import { JSON_DEPTH_MAX, type Json } from '../core/json.ts';

/** More than any configuration needs; aliases count each time they are used, so a small file cannot grow large. */
const VALUES_MAX = 100_000;

export type YamlPath = readonly (string | number)[];

export interface YamlFault {
  line: number;
  column: number;
  path: YamlPath;
  message: string;
}

export interface ReadYaml {
  /** Null where the text has none. After faults it may be incomplete. */
  value: Json;
  faults: YamlFault[];
  /** Whether `value` is all that the text says; after a fault of syntax it is not worth a look. */
  complete: boolean;
  /** Where a value, or its key, is written; of what is not there, where its nearest parent is. */
  positionOf(path: YamlPath, part: 'key' | 'value'): { line: number; column: number };
}

interface Place {
  key: number;
  value: number;
}

/**
 * Reads one YAML 1.2 document as JSON, with the place of every value. Tags, merge keys and keys that are no
 * strings are faults, and so is what JSON cannot say. Never throws.
 */
export function readYaml(text: string): ReadYaml {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
    // The parser compares each key with every other: a minute for a wide file. The reader below does it in one go.
    uniqueKeys: false,
    resolveKnownTags: false,
    logLevel: 'error',
  });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const syntax = firstOfEach([...document.errors, ...document.warnings], lines);
  const reader = new NodeReader();
  const value = reader.read(document.contents, [], 0);
  return {
    value,
    faults: [
      ...syntax.map((error) => ({ ...at(error.pos[0]), path: [], message: syntaxMessage(error) })),
      ...reader.faults.map(({ offset, path, message }) => ({ ...at(offset), path, message })),
    ],
    complete: document.errors.length === 0 && !reader.exhausted,
    positionOf(path, part) {
      for (let length = path.length; length >= 0; length--) {
        const place = reader.places.get(placeKey(path.slice(0, length)));
        if (place) return at(length === path.length ? place[part] : place.key);
      }
      return { line: 1, column: 1 };
    },
  };
}

/** Some faults come once for every bracket of a line. */
function firstOfEach(errors: readonly YAMLError[], lines: LineCounter): YAMLError[] {
  const seen = new Set<string>();
  return errors.filter(({ code, pos }) => {
    const key = `${code} ${lines.linePos(pos[0]).line}`;
    return !seen.has(key) && seen.add(key);
  });
}

/** The parser's words without what it quotes of the file: people paste secrets. */
function syntaxMessage({ code, message }: YAMLError): string {
  if (code === 'MULTIPLE_DOCS') return 'expected one document';
  if (code === 'RESOURCE_EXHAUSTION') return 'expected fewer levels';
  // Its messages quote what they found, which may be a secret.
  if (code === 'BAD_DIRECTIVE') return 'not valid YAML: a directive that is not known';
  return `not valid YAML: ${(message.split(':')[0] ?? '').replaceAll(/!\S+ /g, '')}`;
}

function placeKey(path: YamlPath): string {
  return JSON.stringify(path);
}

class NodeReader {
  readonly faults: { offset: number; path: YamlPath; message: string }[] = [];
  readonly places = new Map<string, Place>();
  exhausted = false;
  #values = 0;
  /** Filled once an anchored value has been read, so that none can contain itself. */
  readonly #anchors = new Map<string, Node>();

  read(node: Node | null, path: YamlPath, keyOffset: number): Json {
    const offset = node?.range?.[0] ?? keyOffset;
    this.places.set(placeKey(path), { key: keyOffset, value: offset });
    if (++this.#values > VALUES_MAX || path.length > JSON_DEPTH_MAX) return this.#exhaust(offset, path);
    const value = this.#convert(node, path, offset);
    if (node && !isAlias(node) && node.anchor) this.#anchors.set(node.anchor, node);
    return value;
  }

  #convert(node: Node | null, path: YamlPath, offset: number): Json {
    if (node === null) return null;
    if (isScalar(node)) return this.#scalar(node.value, path, offset);
    if (isSeq<Node>(node)) {
      return node.items.map((item, i) => this.read(item, [...path, i], item.range?.[0] ?? offset));
    }
    if (isMap<Node, Node | null>(node)) return this.#object(node.items, path, offset);
    if (isAlias(node)) {
      const target = this.#anchors.get(node.source);
      if (target) return this.#convert(target, path, offset);
    }
    return this.#fault(offset, path, 'expected an alias of a value further up');
  }

  #object(pairs: readonly Pair<Node, Node | null>[], path: YamlPath, offset: number): Json {
    const fields = new Map<string, Json>();
    for (const { key, value } of pairs) {
      const keyOffset = key.range?.[0] ?? offset;
      const name = isScalar(key) ? String(key.value) : '';
      if (fields.has(name)) {
        this.#fault(keyOffset, [...path, name], 'expected each key once');
        continue;
      }
      if (!name.isWellFormed()) this.#fault(keyOffset, path, 'expected a key without lone surrogates');
      fields.set(name, this.read(value, [...path, name], keyOffset));
      if (this.exhausted) break;
    }
    return Object.fromEntries(fields);
  }

  #scalar(value: unknown, path: YamlPath, offset: number): Json {
    if (value === null || typeof value === 'boolean') return value;
    if (typeof value === 'string') {
      return value.isWellFormed() ? value : this.#fault(offset, path, 'expected text without lone surrogates');
    }
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      return this.#fault(offset, path, 'expected a value that JSON has');
    }
    if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
      return this.#fault(offset, path, 'expected a number of at most 15 digits; put quotes around a longer one');
    }
    return value;
  }

  #fault(offset: number, path: YamlPath, message: string): null {
    this.faults.push({ offset, path, message });
    return null;
  }

  #exhaust(offset: number, path: YamlPath): null {
    if (this.exhausted) return null;
    this.exhausted = true;
    const message = `expected at most ${VALUES_MAX} values and ${JSON_DEPTH_MAX} levels`;
    return this.#fault(offset, path.slice(0, 3), message);
  }
}
