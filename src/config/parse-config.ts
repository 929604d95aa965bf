import { setImmediate } from 'node:timers/promises';
import { NO_ACCESS_SETTINGS, type AccessSettings } from '../core/access-settings.ts';
import type { Json } from '../core/json.ts';
import type { AnyProviderKind } from '../providers/define-provider.ts';
import type { ProviderSetting, RegisteredWorkflow } from '../providers/registry.ts';
import { ConfigError, type ConfigFault } from './config-error.ts';
import { ConfigFile } from './config-schema.ts';
import { EntryReader } from './entry-reader.ts';
import type { Environment } from './environment.ts';
import { createInputsCompiler, type InputsCompiler } from './inputs/compile-inputs.ts';
import { readAccess } from './read-access.ts';
import { readProvider } from './read-provider.ts';
import { readWorkflow } from './read-workflow.ts';
import { readYaml } from './read-yaml.ts';

/** What `rungate.yaml` says: with the kinds, all that `createRegistry` takes. */
export interface Config {
  providers: Readonly<Record<string, ProviderSetting>>;
  workflows: readonly RegisteredWorkflow[];
  access: AccessSettings;
}

/** Of a file that says nothing. */
export const NO_CONFIG: Config = { providers: {}, workflows: [], access: NO_ACCESS_SETTINGS };

export interface ConfigContext {
  kinds: readonly AnyProviderKind[];
  /** Where references to secrets are looked up; null: they are not, and one that names nothing is no fault. */
  environment: Environment | null;
  /** Remembers what an earlier reading compiled. */
  compileInputs?: InputsCompiler;
  /** Ends the reading, which throws the signal's reason. */
  signal?: AbortSignal | undefined;
}

/**
 * Reads a configuration. `file` names it in faults. Throws `ConfigError` with all faults at once, in the file's order. What
 * else the process does has its turn after every workflow.
 */
export async function parseConfig(text: string, file: string, context: ConfigContext): Promise<Config> {
  context.compileInputs?.nextReading();
  const yaml = readYaml(text);
  const entries = new EntryReader(yaml, file);
  const config = yaml.complete ? await readEntries(yaml.value, entries, context) : NO_CONFIG;
  if (entries.faults.length > 0) throw new ConfigError(entries.faults.toSorted(byPosition));
  return config;
}

function byPosition(a: ConfigFault, b: ConfigFault): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}

async function readEntries(value: Json, entries: EntryReader, context: ConfigContext): Promise<Config> {
  const kinds = new Map(context.kinds.map((kind) => [kind.kind, kind]));
  const { environment, compileInputs = createInputsCompiler() } = context;
  const file = entries.entry(ConfigFile, value, []);
  const kindOfProvider = new Map<string, AnyProviderKind | null>(kinds);
  // All providers first: a workflow may name one that is written below it.
  const providers = Object.entries(file.providers ?? {}).map(([name, entry]) => {
    const { setting, kind } = readProvider({ entries, kinds, environment }, name, entry);
    kindOfProvider.set(name, kind);
    return [name, setting] as const;
  });
  const workflows: RegisteredWorkflow[] = [];
  for (const [name, entry] of Object.entries(file.workflows ?? {})) {
    workflows.push(await readWorkflow({ entries, kindOfProvider, compileInputs }, name, entry));
    // Its schema may have been compiled, which takes longer than everything else here.
    await setImmediate();
    context.signal?.throwIfAborted();
  }
  const access = readAccess(entries, file.access ?? {});
  return { providers: Object.fromEntries(providers), workflows, access };
}
