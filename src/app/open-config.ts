import { createInputsCompiler } from '../config/inputs/compile-inputs.ts';
import { loadConfigText, type ConfigSource } from '../config/load-config.ts';
import { parseConfig, type Config, type ConfigContext } from '../config/parse-config.ts';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { AnyProviderKind } from '../providers/define-provider.ts';
import { createRegistry, type Registry } from '../providers/registry.ts';
import type { OwnSandbox } from './own-sandbox.ts';
import { watchConfig, type ConfigWatch } from './watch-config.ts';

export interface OpenConfigParts {
  source: ConfigSource;
  context: Omit<ConfigContext, 'compileInputs'>;
  sandbox: OwnSandbox | null;
  clock: Clock;
  log: Log;
  pollMs?: number;
}

/** Reads the configuration and keeps it equal to its file. Throws `ConfigError` where the server cannot start with it. */
export async function openConfig({ source, context, sandbox, ...watching }: OpenConfigParts): Promise<ConfigWatch> {
  const compileInputs = createInputsCompiler();
  const read = (text: string): Registry => {
    const config = parseConfig(text, source.path, { ...context, compileInputs });
    return toRegistry(config, context.kinds, sandbox);
  };
  const text = await loadConfigText(source);
  return watchConfig({ path: source.path, started: { registry: read(text ?? ''), text }, read, ...watching });
}

function toRegistry(config: Config, kinds: readonly AnyProviderKind[], sandbox: OwnSandbox | null): Registry {
  if (!sandbox) return createRegistry({ kinds, ...config });
  // In the sandbox nothing but the sandbox is called: configured providers would reach real vendors.
  const workflows = config.workflows.filter(({ provider }) => Object.hasOwn(sandbox.providers, provider));
  return createRegistry({ kinds, providers: sandbox.providers, workflows });
}
