import type { Command } from 'commander';
import type { Environment } from '../config/environment.ts';
import { isEmptyText, loadConfigText } from '../config/load-config.ts';
import { loadSettings } from '../config/load-settings.ts';
import { OWN_SECRET, ownSecretFiles } from '../config/own-secrets.ts';
import { NO_CONFIG, parseConfig } from '../config/parse-config.ts';
import type { Clock } from '../core/clock.ts';
import { counted } from '../core/counted.ts';
import { parseReference } from '../core/secret-reference.ts';
import { PROVIDER_KINDS } from '../providers/catalog.generated.ts';
import { createRegistry, type Registry } from '../providers/registry.ts';
import { createFileSecrets } from '../vault/references/file-secrets.ts';
import { LEFT_OUT, PLAYED, sandboxConfig } from '../app/sandbox-config.ts';
import { answerCommand, answering } from './answer.ts';
import type { CommandContext } from './command-context.ts';
import { printable } from './printable.ts';

const EMPTY = 'is empty: a server that runs would keep what it has; {} is how a file says that there is nothing';

/** `rungate check`: reads a configuration as `serve` would, and tells all of its faults at once. */
export function checkCommand(context: CommandContext): Command {
  const command = answerCommand('check', 'validate a configuration')
    .argument('[file]', 'default: RUNGATE_CONFIG')
    .option('--sandbox', 'tell what `serve --sandbox` would use of it');
  return answering(command, context, async ({ sandbox = false }, file) => {
    const { environment, stderr, clock } = context;
    const settings = loadSettings(environment);
    const warn = (warning: string) => stderr.write(`rungate: ${printable(warning)}\n`);
    settings.warnings.forEach(warn);
    const source = file === undefined ? settings.config : { path: file, mayBeAbsent: false };
    const text = await loadConfigText(source);
    // Nothing that the file refers to is used in the sandbox.
    const reading = { kinds: PROVIDER_KINDS, environment: sandbox ? null : environment };
    const config = text === null ? NO_CONFIG : await parseConfig(text, source.path, reading);
    if (text !== null && isEmptyText(text)) warn(`${source.path} ${EMPTY}`);
    const { config: used, leftOut } = sandbox ? sandboxConfig(config, PLAYED) : { config, leftOut: [] };
    if (leftOut.length > 0) warn(`${LEFT_OUT}: ${leftOut.join(', ')}`);
    const registry = createRegistry({ kinds: PROVIDER_KINDS, ...used });
    const providers = registry.providers().map(({ name }) => name);
    const workflows = registry.workflows().map(({ name }) => name);
    // They may be mounted where the server runs alone, so that they are no faults.
    (await missingFiles(registry, { environment, clock })).forEach(warn);
    const present = text !== null;
    const { origins, issuers } = registry.access;
    const counts = [
      counted(providers.length, 'provider'),
      counted(workflows.length, 'workflow'),
      counted(origins.size, 'origin'),
      counted(issuers.length, 'issuer'),
    ].join(', ');
    const verdict = `${printable(source.path)} ${present ? 'is good' : 'is not there, which is good too'}`;
    return {
      document: {
        ok: true,
        file: source.path,
        present,
        providers,
        workflows,
        origins: origins.size,
        issuers: issuers.length,
      },
      text: `${verdict}: ${counts}.`,
    };
  });
}

/** What `file:` references lead to nowhere, as this process sees it. */
async function missingFiles(
  registry: Registry,
  { environment, clock }: { environment: Environment; clock: Clock },
): Promise<string[]> {
  const refused = { paths: ownSecretFiles(environment), reason: `it ${OWN_SECRET}` };
  const files = createFileSecrets({ clock, refused });
  const references = registry.providers().flatMap(({ credentials }) => credentials.map(({ reference }) => reference));
  const warnings: string[] = [];
  for (const text of new Set(references)) {
    const parsed = parseReference(text);
    if (!parsed.ok || parsed.reference.in !== 'file') continue;
    const fault = await files.read(parsed.reference).then(
      (secret) => (secret === null ? 'There is no such file here.' : null),
      (error: Error) => error.message,
    );
    if (fault !== null) warnings.push(`${text}: ${fault}`);
  }
  return warnings;
}
