import { setImmediate } from 'node:timers/promises';
import type * as z from 'zod';
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import type { AnyProviderKind } from '../providers/define-provider.ts';
import type { ProviderSetting, RegisteredWorkflow, ValidateInputs } from '../providers/registry.ts';
import { ConfigError, type ConfigFault } from './config-error.ts';
import {
  baseUrlFault,
  ConfigFile,
  expectationOf,
  fieldsOf,
  LATER_FIELDS,
  NAME,
  NAME_FORM,
  normalizeBaseUrl,
  ProviderEntry,
  WorkflowEntry,
} from './config-schema.ts';
import type { Environment } from './environment.ts';
import { createInputsCompiler, type InputsCompiler } from './inputs/compile-inputs.ts';
import { didYouMean } from './nearest-name.ts';
import { readYaml, type ReadYaml, type YamlPath } from './read-yaml.ts';
import { readReference, referenceFault } from './references.ts';

/** What `rungate.yaml` says: with the kinds, all that `createRegistry` takes. */
export interface Config {
  providers: Readonly<Record<string, ProviderSetting>>;
  workflows: readonly RegisteredWorkflow[];
}

export interface ConfigContext {
  kinds: readonly AnyProviderKind[];
  /** Where references to secrets are looked up; null: they are not, and one that names nothing is no fault. */
  environment: Environment | null;
  /** Remembers what an earlier reading compiled. */
  compileInputs?: InputsCompiler;
}

/** Reads a configuration. `file` names it in faults. Throws `ConfigError` with all faults at once, in the file's order. */
export function parseConfig(text: string, file: string, context: ConfigContext): Config {
  const steps = parsing(text, file, context);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** As `parseConfig`, for a process that serves meanwhile: what waits has its turn after every workflow. */
export async function parseConfigInTurns(text: string, file: string, context: ConfigContext): Promise<Config> {
  const steps = parsing(text, file, context);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await setImmediate();
  }
}

function* parsing(text: string, file: string, context: ConfigContext): Generator<void, Config> {
  context.compileInputs?.nextReading();
  const yaml = readYaml(text);
  const parser = new ConfigParser(yaml, file, context);
  const config = yaml.complete ? yield* parser.parse(yaml.value) : { providers: {}, workflows: [] };
  if (parser.faults.length > 0) throw new ConfigError(parser.faults.toSorted(byPosition));
  return config;
}

function byPosition(a: ConfigFault, b: ConfigFault): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}

class ConfigParser {
  readonly faults: ConfigFault[];
  readonly #yaml: ReadYaml;
  readonly #file: string;
  readonly #environment: Environment | null;
  readonly #compileInputs: InputsCompiler;
  readonly #kinds: ReadonlyMap<string, AnyProviderKind>;
  /** The kind of every provider that can be named; null where its own entry is at fault. */
  readonly #kindOfProvider: Map<string, AnyProviderKind | null>;

  constructor(
    yaml: ReadYaml,
    file: string,
    { kinds, environment, compileInputs = createInputsCompiler() }: ConfigContext,
  ) {
    this.#yaml = yaml;
    this.#file = file;
    this.#environment = environment;
    this.#compileInputs = compileInputs;
    this.#kinds = new Map(kinds.map((kind) => [kind.kind, kind]));
    this.#kindOfProvider = new Map(this.#kinds);
    this.faults = yaml.faults.map(({ path, ...fault }) => ({ ...fault, source: file, path: pathText(path) }));
  }

  *parse(value: Json): Generator<void, Config> {
    const file = this.#entry(ConfigFile, value, []);
    // All providers first: a workflow may name one that is written below it.
    const providers = Object.entries(file.providers ?? {}).map(([name, entry]) => this.#provider(name, entry));
    const workflows: RegisteredWorkflow[] = [];
    for (const [name, entry] of Object.entries(file.workflows ?? {})) {
      workflows.push(this.#workflow(name, entry));
      // Its schema may have been compiled, which takes longer than everything else here.
      yield;
    }
    return { providers: Object.fromEntries(providers), workflows };
  }

  #provider(name: string, value: Json): [string, ProviderSetting] {
    const at = ['providers', name];
    this.#name(name, at);
    const entry = this.#entry(ProviderEntry, value, at);
    const kind = this.#kindOf(name, entry.kind ?? null, at);
    this.#kindOfProvider.set(name, kind);
    const allowPrivateNetwork = entry.allow_private_network ?? false;
    const { base_url: baseUrl } = entry;
    const urlFault = typeof baseUrl === 'string' ? baseUrlFault(baseUrl, allowPrivateNetwork) : null;
    if (urlFault !== null) this.#fault([...at, 'base_url'], urlFault);
    if (kind) this.#check(kind.settings, entry.settings ?? {}, [...at, 'settings']);
    const credentials = entry.credentials ?? [];
    credentials.forEach((reference, i) => this.#reference(reference, [...at, 'credentials', i]));
    const setting: ProviderSetting = {
      kind: kind?.kind ?? name,
      allowPrivateNetwork,
      settings: entry.settings ?? {},
      credentials,
      ...(typeof baseUrl === 'string' && urlFault === null ? { baseUrl: normalizeBaseUrl(baseUrl) } : {}),
    };
    return [name, setting];
  }

  #kindOf(name: string, kindName: string | null, at: YamlPath): AnyProviderKind | null {
    const kind = this.#kinds.get(kindName ?? name) ?? null;
    if (kind) return kind;
    const known = [...this.#kinds.keys()];
    const choice = `expected one of ${known.join(', ')}`;
    if (kindName === null) {
      const message = `needs a kind, as its name is none: ${choice}${didYouMean(name, known)}`;
      this.#fault(at, message, 'key');
    } else {
      this.#fault([...at, 'kind'], `${choice}${didYouMean(kindName, known)}`);
    }
    return null;
  }

  #reference(reference: string, at: YamlPath): void {
    const fault = referenceFault(reference);
    if (fault !== null) {
      this.#fault(at, fault);
    } else if (this.#environment !== null && readReference(reference, this.#environment) === null) {
      this.#fault(at, `${reference}: set this variable in the server’s environment`);
    }
  }

  #workflow(name: string, value: Json): RegisteredWorkflow {
    const at = ['workflows', name];
    this.#name(name, at);
    const entry = this.#entry(WorkflowEntry, value, at);
    const { provider = '', workflow = '' } = entry;
    const kind = this.#kindOfProvider.get(provider);
    if (kind === undefined && entry.provider !== undefined) {
      const known = [...this.#kindOfProvider.keys()];
      this.#fault([...at, 'provider'], `no provider of this name${didYouMean(provider, known)}`);
    }
    if (kind && entry.workflow !== undefined) this.#check(kind.workflowId, workflow, [...at, 'workflow']);
    const inputs = entry.inputs ?? null;
    const defaults = entry.defaults ?? {};
    return {
      name,
      provider,
      workflow,
      description: entry.description ?? null,
      inputs,
      validateInputs: inputs === null ? anyInputs : this.#inputs(inputs, defaults, at),
      defaults,
      timeoutS: entry.timeout_s ?? null,
    };
  }

  #inputs(schema: JsonObject, defaults: JsonObject, at: YamlPath): ValidateInputs {
    const compiled = this.#compileInputs.compile(schema);
    if (!compiled.ok) {
      for (const { path, message, part } of compiled.faults) this.#fault([...at, 'inputs', ...path], message, part);
      return anyInputs;
    }
    // What is missing the caller may add; a default that fits nowhere would refuse every call.
    const { required: _, ...withoutRequired } = schema;
    const checked = Object.keys(defaults).length === 0 ? null : this.#compileInputs.compile(withoutRequired);
    const fault = checked?.ok === true ? checked.validate(defaults) : null;
    const [name] = fault?.path ?? [];
    if (fault && name !== undefined && Object.hasOwn(defaults, name)) {
      this.#fault([...at, 'defaults', ...fault.path], `does not fit inputs: ${fault.message}`);
    }
    return compiled.validate;
  }

  #name(name: string, at: YamlPath): void {
    if (!NAME.test(name)) this.#fault(at, NAME_FORM, 'key');
  }

  /** Reads an object of the file. Fields at fault are noted and left out, so that the others are looked at too. */
  #entry<Shape extends z.ZodRawShape>(
    schema: z.ZodObject<Shape>,
    value: Json,
    at: YamlPath,
  ): Partial<z.infer<z.ZodObject<Shape>>> {
    const fields = value ?? {};
    const faulty = this.#check(schema, fields, at);
    const sound = isJsonObject(fields) ? Object.entries(fields).filter(([key]) => !faulty.has(key)) : [];
    // The schemas of entries check and do not transform, so what passed is what was read.
    return Object.fromEntries(sound) as Partial<z.infer<z.ZodObject<Shape>>>;
  }

  /** Notes what is wrong with a part of the file, and returns the names of the fields at fault. */
  #check(schema: z.ZodType, value: Json, at: YamlPath): ReadonlySet<unknown> {
    const faulty = new Set<unknown>();
    for (const issue of schema.safeParse(value).error?.issues ?? []) {
      const path = [...at, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
      if (issue.code !== 'unrecognized_keys') {
        faulty.add(issue.path[0]);
        this.#fault(path, expectationOf(issue));
        continue;
      }
      const known = path.length === at.length ? fieldsOf(schema) : [];
      for (const key of issue.keys) {
        faulty.add(path.length === at.length ? key : issue.path[0]);
        this.#fault([...path, key], unknownField(key, known), 'key');
      }
    }
    return faulty;
  }

  #fault(path: YamlPath, message: string, part: 'key' | 'value' = 'value'): void {
    const position = this.#yaml.positionOf(path, part);
    this.faults.push({ source: this.#file, ...position, path: pathText(path), message });
  }
}

/** Without a schema any object will do. */
function anyInputs(): null {
  return null;
}

function unknownField(key: string, known: readonly string[]): string {
  if (LATER_FIELDS.includes(key)) return `${key} is not supported by this version`;
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
