import { createInputsCompiler } from '../config/inputs/compile-inputs.ts';
import { loadConfigText, type ConfigSource } from '../config/load-config.ts';
import { parseConfig, type Config, type ConfigContext } from '../config/parse-config.ts';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { AnyProviderKind } from '../providers/define-provider.ts';
import { createRegistry, type Registry } from '../providers/registry.ts';
import type { ConfigAudit } from './audit-config.ts';
import type { OwnSandbox } from './own-sandbox.ts';
import { LEFT_OUT, sandboxConfig } from './sandbox-config.ts';
import { watchConfig, type ConfigWatch } from './watch-config.ts';

export interface OpenConfigParts {
  source: ConfigSource;
  context: Omit<ConfigContext, 'compileInputs' | 'signal'>;
  sandbox: OwnSandbox | null;
  /** Hears of each configuration before it is used. */
  audit: ConfigAudit;
  /** Hears of each configuration that is in use from now on. None: nobody does. */
  used?: (registry: Registry) => Promise<void>;
  clock: Clock;
  log: Log;
  /** Ends the first reading, which throws the signal's reason; later ones end with the watch. */
  stop?: AbortSignal | undefined;
  pollMs?: number;
}

/** Reads the configuration and keeps it equal to its file. Throws `ConfigError` where the server cannot start with it. */
export async function openConfig({
  source,
  context,
  sandbox,
  stop,
  ...watching
}: OpenConfigParts): Promise<ConfigWatch> {
  const compileInputs = createInputsCompiler();
  const read = async (text: string, signal?: AbortSignal): Promise<Registry> => {
    const config = await parseConfig(text, source.path, { ...context, compileInputs, signal });
    return toRegistry(config, context.kinds, { sandbox, log: watching.log });
  };
  const text = await loadConfigText(source);
  const registry = await read(text ?? '', stop);
  await watching.audit.loaded(text, registry);
  await watching.used?.(registry);
  return watchConfig({ path: source.path, started: { registry, text }, read, ...watching });
}

function toRegistry(
  config: Config,
  kinds: readonly AnyProviderKind[],
  { sandbox, log }: Pick<OpenConfigParts, 'sandbox' | 'log'>,
): Registry {
  if (!sandbox) return createRegistry({ kinds, ...config });
  const { config: used, leftOut } = sandboxConfig(config, sandbox.providers);
  if (leftOut.length > 0) log.warn({ workflows: leftOut }, LEFT_OUT);
  return createRegistry({ kinds, ...used });
}
