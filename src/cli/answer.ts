import { Command } from 'commander';
import type { CommandContext } from './command-context.ts';
import { printableJson } from './printable.ts';

/** What a command found or did: as a document for programs, and as text for people. */
export interface Answer {
  document: object;
  text: string;
  /** What the command found is no success: exit status 1. It is told on standard error and, with `--json`, as `error`. */
  failure?: { code: string; message: string };
}

export interface CommonOptions {
  json?: boolean;
  sandbox?: boolean;
}

/** A wrong use of the command line that only the command itself can see. Exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** A failure whose document is on standard output already. Exit status 1. */
export class AnsweredFailure extends Error {
  override readonly name = 'AnsweredFailure';
  readonly code: string;

  constructor({ code, message }: { code: string; message: string }) {
    super(message);
    this.code = code;
  }
}

/** A command that answers with a document or a text. */
export function answerCommand(name: string, summary: string): Command {
  return new Command(name)
    .description(summary)
    .option('--json', 'print one JSON document on standard output, and nothing else');
}

/** A command that works on the data, which may be the sandbox's. */
export function dataCommand(name: string, summary: string): Command {
  return answerCommand(name, summary).option('--sandbox', "work in the sandbox's data directory");
}

/** Runs a command's work and prints its answer in the form that was asked for. Throws its failure then. */
export function answering<Options extends CommonOptions>(
  command: Command,
  { stdout }: Pick<CommandContext, 'stdout'>,
  work: (options: Options, ...args: (string | undefined)[]) => Promise<Answer>,
): Command {
  return command.action(async () => {
    const options = command.opts<Options>();
    const { document, text, failure } = await work(options, ...command.args);
    if (failure === undefined) return printAnswer({ document, text }, options, { stdout });
    printAnswer({ document: { ...document, error: failure }, text }, options, { stdout });
    throw new AnsweredFailure(failure);
  });
}

/** Prints an answer in the form that was asked for. */
export function printAnswer(
  { document, text }: Answer,
  { json = false }: CommonOptions,
  { stdout }: Pick<CommandContext, 'stdout'>,
): void {
  stdout.write(json ? `${printableJson(document)}\n` : `${text}\n`);
}
