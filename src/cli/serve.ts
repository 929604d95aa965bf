import { Command } from 'commander';
import type { CommandContext } from './command-context.ts';

/** `rungate serve`: runs the gateway until it is told to stop. */
export function serveCommand({ parts, environment, stdout }: CommandContext): Command {
  const command = new Command('serve')
    .description('run the gateway')
    .option('--config <file>', 'the configuration of providers and workflows (default: RUNGATE_CONFIG)')
    .option('--sandbox', 'start simulated vendors on loopback and use only those');
  return command.action(async () => {
    const { config, sandbox = false } = command.opts<{ config?: string; sandbox?: boolean }>();
    await parts.serve({ environment, configFile: config ?? null, sandbox, stdout });
  });
}
