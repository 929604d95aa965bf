import type { Command } from 'commander';

/** Ends a command's help with how it is used; `lines` are without the program's name. */
export function withExamples(command: Command, ...lines: readonly string[]): Command {
  return command.addHelpText('after', ['\nExamples:', ...lines.map((line) => `  rungate ${line}`)].join('\n'));
}
