import { access } from 'node:fs/promises';
import type { Command } from 'commander';
import { loadConfig } from '../config/load-config.ts';
import { loadSettings } from '../config/load-settings.ts';
import { PROVIDER_KINDS } from '../providers/catalog.generated.ts';
import { createRegistry } from '../providers/registry.ts';
import { answerCommand, answering } from './answer.ts';
import type { CommandContext } from './command-context.ts';
import { printable } from './printable.ts';

/** `rungate check`: reads a configuration as `serve` would, and tells all of its faults at once. */
export function checkCommand(context: CommandContext): Command {
  const command = answerCommand('check', 'validate a configuration').argument('[file]', 'default: RUNGATE_CONFIG');
  return answering(command, context, async (_options, file) => {
    const { environment, stderr } = context;
    const settings = loadSettings(environment);
    for (const warning of settings.warnings) stderr.write(`rungate: ${printable(warning)}\n`);
    const source = file === undefined ? settings.config : { path: file, mayBeAbsent: false };
    const config = await loadConfig(source, { kinds: PROVIDER_KINDS, environment });
    const registry = createRegistry({ kinds: PROVIDER_KINDS, ...config });
    const providers = registry.providers().map(({ name }) => name);
    const workflows = registry.workflows().map(({ name }) => name);
    const present = await exists(source.path);
    const verdict = `${printable(source.path)} ${present ? 'is good' : 'is not there, which is good too'}`;
    return {
      document: { ok: true, file: source.path, present, providers, workflows },
      text: `${verdict}: ${providers.length} providers, ${workflows.length} workflows.`,
    };
  });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
