import type { Command } from 'commander';
import { appParts } from '../../src/cli/app-parts.ts';
import { createProgram } from '../../src/cli/run-cli.ts';
import { systemClock } from '../../src/core/clock.ts';
import { createSystemRandom } from '../../src/core/random.ts';

const HELP_WIDTH = 110;

export interface CommandHelp {
  /** `rungate keys create`. */
  name: string;
  /** As `--help` prints it, however wide the terminal is. */
  help: string;
  options: readonly string[];
}

/** The help of every command that does something, in the program's own order. */
export function commandHelps(): CommandHelp[] {
  const nowhere = { write: () => undefined };
  const program = createProgram({
    environment: {},
    stdin: (async function* () {})(),
    stdout: nowhere,
    stderr: nowhere,
    clock: systemClock,
    random: createSystemRandom(),
    parts: appParts,
  });
  return leaves(program, '');
}

function leaves(command: Command, parent: string): CommandHelp[] {
  const name = parent === '' ? command.name() : `${parent} ${command.name()}`;
  if (command.commands.length > 0) return command.commands.flatMap((child) => leaves(child, name));
  const options = command
    .createHelp()
    .visibleOptions(command)
    .map(({ long }) => long ?? '');
  return [{ name, help: helpOf(command), options }];
}

function helpOf(command: Command): string {
  let help = '';
  command.configureOutput({ writeOut: (text) => void (help += text), getOutHelpWidth: () => HELP_WIDTH });
  command.outputHelp();
  return help.trim();
}
