import { Command, CommanderError } from 'commander';
import { VERSION } from '../app/version.ts';
import { auditExportCommand } from './audit-export.ts';
import { auditVerifyCommand } from './audit-verify.ts';
import { backupCommand } from './backup.ts';
import { checkCommand } from './check.ts';
import type { CommandContext } from './command-context.ts';
import { credentialsAddCommand } from './credentials-add.ts';
import { credentialsListCommand } from './credentials-list.ts';
import { credentialsRemoveCommand } from './credentials-remove.ts';
import { credentialsVerifyCommand } from './credentials-verify.ts';
import { keysCreateCommand } from './keys-create.ts';
import { keysListCommand } from './keys-list.ts';
import { keysRevokeCommand } from './keys-revoke.ts';
import { keysRotateCommand } from './keys-rotate.ts';
import { reportError } from './report-error.ts';
import { restoreCommand } from './restore.ts';
import { runsCancelCommand } from './runs-cancel.ts';
import { runsEventsCommand } from './runs-events.ts';
import { runsGetCommand } from './runs-get.ts';
import { runsListCommand } from './runs-list.ts';
import { runsResolveCommand } from './runs-resolve.ts';
import { serveCommand } from './serve.ts';
import { vaultRotateCommand } from './vault-rotate.ts';

const EXIT_STATUS = `
Exit status: 0 done, 1 failed, 2 wrong usage. With --json, a failure prints { "error": { "code", "message" } }.
Settings come from the environment (RUNGATE_CONFIG, RUNGATE_DATA_DIR, …); the documents list them.`;

/** Runs one command line, without the program's own name, and resolves to the exit status. Never throws. */
export async function runCli(argv: readonly string[], context: CommandContext): Promise<number> {
  try {
    await createProgram(context).parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    return reportError(error, { ...context, json: asksForJson(argv) });
  }
}

/** Every command there is; the documents list them from here. */
export function createProgram(context: CommandContext): Command {
  const program = group('rungate', 'A self-hosted gateway with one API in front of every workflow vendor and engine.', [
    serveCommand(context),
    checkCommand(context),
    group('credentials', "the vendors' secrets", [
      credentialsAddCommand(context),
      credentialsListCommand(context),
      credentialsRemoveCommand(context),
      credentialsVerifyCommand(context),
    ]),
    group('keys', 'client keys', [
      keysCreateCommand(context),
      keysListCommand(context),
      keysRotateCommand(context),
      keysRevokeCommand(context),
    ]),
    group('runs', 'runs', [
      runsListCommand(context),
      runsGetCommand(context),
      runsEventsCommand(context),
      runsCancelCommand(context),
      runsResolveCommand(context),
    ]),
    group(
      'vault',
      "the master key that secrets are encrypted with: vendors', those that sign webhooks, and those that sign tokens",
      [vaultRotateCommand(context)],
    ),
    group('audit', 'the log of who changed what', [auditVerifyCommand(context), auditExportCommand(context)]),
    backupCommand(context),
    restoreCommand(context),
  ]);
  program.version(VERSION, '--version', 'print the version');
  program.helpCommand('help [command]', 'explain a command');
  program.addHelpText('after', EXIT_STATUS);
  settle(program, context);
  return program;
}

function group(name: string, summary: string, commands: readonly Command[]): Command {
  const parent = new Command(name).description(summary).helpCommand(false);
  for (const command of commands) parent.addCommand(command);
  return parent;
}

/** Commander neither ends the process nor writes past our streams; errors are told in one place. */
function settle(command: Command, context: CommandContext): void {
  command.exitOverride().configureOutput({
    writeOut: (text) => void context.stdout.write(text),
    writeErr: (text) => void context.stderr.write(text),
    outputError: () => undefined,
  });
  for (const child of command.commands) settle(child, context);
}

/** Read by hand, since a wrong command line may not have been parsed that far. */
function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end === -1 ? argv : argv.slice(0, end)).includes('--json');
}
