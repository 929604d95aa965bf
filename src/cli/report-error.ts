import { CommanderError } from 'commander';
import { ConfigError } from '../config/config-error.ts';
import { GatewayError } from '../core/errors.ts';
import { AnsweredFailure, UsageError } from './answer.ts';
import type { CommandContext } from './command-context.ts';
import { printable, printableJson } from './printable.ts';

export const FAILED = 1;
const WRONG_USAGE = 2;

interface Failure {
  exitCode: number;
  code: string;
  message: string;
}

/**
 * Tells what went wrong and returns the exit status. People read it on standard error; with `--json`
 * standard output carries the one document `{ "error": { "code", "message" } }` as well.
 */
export function reportError(
  error: unknown,
  { stdout, stderr, json }: Pick<CommandContext, 'stdout' | 'stderr'> & { json: boolean },
): number {
  const { exitCode, code, message } = describe(error);
  if (json && !(error instanceof AnsweredFailure)) stdout.write(`${printableJson({ error: { code, message } })}\n`);
  const [first = '', ...others] = message.split('\n').map(printable);
  stderr.write([`rungate: ${first}`, ...others.map((line) => `  ${line}`), ''].join('\n'));
  return exitCode;
}

function describe(error: unknown): Failure {
  if (error instanceof CommanderError) {
    return { exitCode: WRONG_USAGE, code: 'invalid_usage', message: usageMessage(error) };
  }
  if (error instanceof UsageError) return { exitCode: WRONG_USAGE, code: 'invalid_usage', message: error.message };
  if (error instanceof AnsweredFailure) return { exitCode: FAILED, code: error.code, message: error.message };
  if (error instanceof ConfigError) {
    return { exitCode: FAILED, code: 'invalid_configuration', message: `wrong configuration\n${error.message}` };
  }
  if (error instanceof GatewayError) {
    const exitCode = error.code === 'invalid_request' ? WRONG_USAGE : FAILED;
    return { exitCode, code: error.code, message: withCause(error) };
  }
  return { exitCode: FAILED, code: 'internal', message: error instanceof Error ? withCause(error) : 'unknown fault' };
}

/** The store's own words are what an operator needs to see: a locked file, a full disk. */
function withCause(error: Error): string {
  const { cause } = error;
  return cause instanceof Error && !error.message.includes(cause.message)
    ? `${error.message}\n${cause.message}`
    : error.message;
}

/** What could be a mistyped name of a command or an option, which have neither digits nor capitals. */
const NAME = /^-{0,2}[a-z][a-z-]{0,15}$/;

/** `unknown option '…'` and the like, with what is quoted only where it looks like a name; a value behind `=` never is. */
function quoteNamesOnly(message: string): string {
  const [, what = 'wrong usage', quoted = '', rest = ''] = /^(unknown \w+) '(.*)'([^']*)$/s.exec(message) ?? [];
  const [name = '', value] = quoted.split('=', 2);
  if (!NAME.test(name)) return `${what}. A secret is never an argument.`;
  return `${what} '${name}${value === undefined ? '' : '=…'}'${rest}`;
}

/** Commander quotes what it did not understand, which may be a secret that was put in the wrong place. */
function usageMessage({ code, message }: CommanderError): string {
  const plain = message.replace(/^error: /, '').replace(/\n\(Did you mean/, ' (did you mean');
  if (code === 'commander.excessArguments') return plain.replace(/: .*$/s, '. A secret is never an argument.');
  if (code === 'commander.invalidArgument') return plain.replace(/ argument '.*' is invalid/s, ' argument is invalid');
  if (code === 'commander.unknownOption' || code === 'commander.unknownCommand') return quoteNamesOnly(plain);
  if (code === 'commander.help') return 'a command is missing';
  return plain;
}
