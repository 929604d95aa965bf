import { Option, type Command } from 'commander';
import { variable } from '../config/environment.ts';
import { Secret } from '../core/secret.ts';
import type { Provider } from '../providers/registry.ts';
import type { CredentialPurpose } from '../vault/credentials.ts';
import { renderCredential } from '../vault/render-credential.ts';
import { answering, dataCommand, UsageError, type CommonOptions } from './answer.ts';
import { withWorkspace, type CommandContext, type SecretSource } from './command-context.ts';
import { withExamples } from './examples.ts';

/** More than any secret may have, so that the vault is who says that it is too long. */
const STDIN_BYTES_MAX = 64 * 1024;

interface Options extends CommonOptions {
  label?: string;
  purpose: CredentialPurpose;
  weight?: string;
  stdin?: boolean;
  env?: string;
}

/** `rungate credentials add`: puts a vendor's secret into the vault. */
export function credentialsAddCommand(context: CommandContext): Command {
  const command = dataCommand('add', "put a vendor's secret into the vault; it is never an argument and never printed")
    .argument('<provider>', "the provider's name")
    .option('--label <label>', 'a word for people')
    .addOption(new Option('--purpose <purpose>', 'what it is for').choices(['api', 'webhook']).default('api'))
    .option('--weight <n>', "its share of the runs beside the provider's others, 1 to 1000 (default: 1)")
    .addOption(new Option('--stdin', 'read the secret from standard input').conflicts('env'))
    .option('--env <variable>', 'read the secret from this environment variable');
  withExamples(
    command,
    'credentials add ai-tutor --stdin < ai-tutor.key',
    'credentials add b3os --env B3OS_KEY --label production',
    'credentials add ai-tutor --stdin --label large-account --weight 3 < large.key',
  );
  return answering<Options>(command, context, async (options, provider = '') => {
    const weight = readWeight(options);
    const secret = await readSecret(options, context);
    return withWorkspace(context, { ...options, mayMakeDatabase: true }, async ({ credentials, actor }) => {
      const { label = null, purpose } = options;
      const wanted = { provider, label, purpose, secret, weight };
      const { added, provider: known, others } = await credentials.add(wanted, actor);
      const use = purpose === 'webhook' ? [] : useOf(known, others);
      const text = [`Added ${added.id} for ${provider}.`, ...use].join(' ');
      return { document: renderCredential(added, { is: 'usable' }), text };
    });
  });
}

/** What an operator may not expect: who adds one in place of another has to remove that. */
function useOf({ credentials }: Provider, others: number): string[] {
  if (credentials.length > 0) return ['New runs do not use it: rungate.yaml names credentials for this provider.'];
  if (others === 0) return [];
  return [
    `New runs share it with ${others} more; remove what is to be used no longer: rungate credentials remove <id>`,
  ];
}

function readWeight({ weight, purpose }: Options): number {
  if (weight === undefined) return 1;
  if (purpose === 'webhook')
    throw new UsageError('--weight is for credentials of purpose api: those of webhooks all count');
  if (!/^\d{1,6}$/.test(weight)) throw new UsageError('--weight takes a whole number from 1 to 1000');
  return Number(weight);
}

async function readSecret({ stdin, env }: Options, context: CommandContext): Promise<Secret> {
  if (stdin === true) return readStdin(context.stdin);
  if (env === undefined) throw new UsageError('say where the secret comes from: --stdin, or --env and a variable name');
  const value = variable(context.environment, env);
  // The name is not repeated: whoever puts the secret itself there should not find it in a log.
  if (value === undefined) throw new UsageError('--env takes the name of an environment variable that is set');
  return new Secret(value);
}

async function readStdin(stdin: SecretSource): Promise<Secret> {
  if (stdin.isTTY === true) {
    throw new UsageError('--stdin reads from a pipe or a file, so that no terminal shows the secret: … --stdin < file');
  }
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk);
    length += bytes.length;
    if (length > STDIN_BYTES_MAX) throw new UsageError('what came on standard input is too long to be a secret');
    chunks.push(bytes);
  }
  return new Secret(Buffer.concat(chunks).toString('utf8'));
}
