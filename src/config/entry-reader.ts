import type * as z from 'zod';
import { isJsonObject, type Json } from '../core/json.ts';
import type { ConfigFault } from './config-error.ts';
import { NAME } from '../core/name.ts';
import { expectationOf, fieldsOf, NAME_FORM } from './config-schema.ts';
import { didYouMean } from './nearest-name.ts';
import type { ReadYaml, YamlPath } from './read-yaml.ts';

/** Reads the parts of one file by their schemas, and gathers what is wrong with them, each fault with its place. */
export class EntryReader {
  readonly faults: ConfigFault[];
  readonly #yaml: ReadYaml;
  readonly #file: string;

  constructor(yaml: ReadYaml, file: string) {
    this.#yaml = yaml;
    this.#file = file;
    this.faults = yaml.faults.map(({ path, ...fault }) => ({ ...fault, source: file, path: pathText(path) }));
  }

  /** Reads an object of the file. Fields at fault are noted and left out, so that the others are looked at too. */
  entry<Shape extends z.ZodRawShape>(
    schema: z.ZodObject<Shape>,
    value: Json,
    at: YamlPath,
  ): Partial<z.infer<z.ZodObject<Shape>>> {
    const fields = value ?? {};
    const faulty = this.check(schema, fields, at);
    const sound = isJsonObject(fields) ? Object.entries(fields).filter(([key]) => !faulty.has(key)) : [];
    // The schemas of entries check and do not transform, so what passed is what was read.
    return Object.fromEntries(sound) as Partial<z.infer<z.ZodObject<Shape>>>;
  }

  /** Notes what is wrong with a part of the file, and returns the names of the fields at fault. */
  check(schema: z.ZodType, value: Json, at: YamlPath): ReadonlySet<unknown> {
    const faulty = new Set<unknown>();
    for (const issue of schema.safeParse(value).error?.issues ?? []) {
      const path = [...at, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
      if (issue.code !== 'unrecognized_keys') {
        faulty.add(issue.path[0]);
        this.fault(path, expectationOf(issue));
        continue;
      }
      const known = path.length === at.length ? fieldsOf(schema) : [];
      for (const key of issue.keys) {
        faulty.add(path.length === at.length ? key : issue.path[0]);
        this.fault([...path, key], unknownField(key, known), 'key');
      }
    }
    return faulty;
  }

  /** Checks the name of a provider or a workflow. */
  name(name: string, at: YamlPath): void {
    if (!NAME.test(name)) this.fault(at, NAME_FORM, 'key');
  }

  fault(path: YamlPath, message: string, part: 'key' | 'value' = 'value'): void {
    const position = this.#yaml.positionOf(path, part);
    this.faults.push({ source: this.#file, ...position, path: pathText(path), message });
  }
}

function unknownField(key: string, known: readonly string[]): string {
  const hint = didYouMean(key, known);
  if (hint !== '') return `unknown field${hint}`;
  return known.length === 0 ? 'unknown field' : `unknown field; expected one of ${known.join(', ')}`;
}

/** `workflows.summarize.credentials[0]`; what is no plain name is quoted and cut. */
function pathText(path: YamlPath): string {
  return path
    .map((part, i) => {
      if (typeof part === 'number') return `[${part}]`;
      const plain = /^[\w$-]{1,63}$/.test(part) ? part : JSON.stringify(part.slice(0, 63));
      return i === 0 ? plain : `.${plain}`;
    })
    .join('');
}
