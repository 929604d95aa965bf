import { Option, type Command } from 'commander';
import { KEY_LIMIT_MAX } from '../access/key-limits.ts';
import { createKey } from '../access/keys.ts';
import { ROLES, type CallerLimits, type Role } from '../core/caller.ts';
import { answering, dataCommand, UsageError, type CommonOptions } from './answer.ts';
import { withWorkspace, type CommandContext } from './command-context.ts';
import { parseDuration } from './duration.ts';
import { withExamples } from './examples.ts';
import { keyDocument } from './key-document.ts';
import { printable } from './printable.ts';
import { formatTime } from './table.ts';
import { webhookSecretFields, webhookSecretLines } from './webhook-secret-lines.ts';

/** Recognised, so that nobody believes in a limit that is not kept. */
const LATER_OPTIONS = [['--origin <origin>', 'origin']] as const;

interface Options extends CommonOptions {
  name: string;
  role: Role;
  allowWorkflow: string[];
  allowProvider: string[];
  expires?: string;
  rpm?: string;
  concurrency?: string;
  daily?: string;
  origin?: string;
}

/** `rungate keys create`: makes a client key and shows it once. */
export function keysCreateCommand(context: CommandContext): Command {
  const command = dataCommand('create', 'make a client key; it is shown once')
    .requiredOption('--name <name>', 'a name for people')
    .addOption(new Option('--role <role>', 'what it may do').choices(ROLES).default('runs'))
    .option('--allow-workflow <name>', 'a registered workflow that it may run; repeatable', collect, [])
    .option(
      '--allow-provider <name[/id]>',
      "a provider, or one vendor's workflow, that it may run; repeatable",
      collect,
      [],
    )
    .option('--rpm <n>', 'how many requests it may send a minute (default: no bound)')
    .option('--concurrency <n>', 'how many unfinished runs it may have at once (default: no bound)')
    .option('--daily <n>', 'how many runs it may begin in a day of UTC (default: no bound)')
    .option('--expires <duration>', 'when it stops to work: 45m, 12h or 30d (default: never)');
  withExamples(
    command,
    'keys create --name website --allow-workflow summarize-ticket --expires 90d',
    'keys create --name dashboard --role viewer',
    'keys create --name partner --rpm 60 --concurrency 5 --daily 1000',
    'keys create --name trial --allow-provider draft-and-goal/0cf35172-859e-4b26-8ce9-6c2588a77b40',
  );
  for (const [flags] of LATER_OPTIONS) command.option(flags, 'not supported by this version');
  return answering<Options>(command, context, async (options) => {
    refuseLaterOptions(options);
    const limits = readLimits(options);
    const expiresInMs = options.expires === undefined ? null : parseDuration(options.expires);
    if (expiresInMs === null && options.expires !== undefined) {
      throw new UsageError('--expires takes a number and m, h or d, up to ten years: 45m, 12h, 30d');
    }
    return withWorkspace(context, options, async ({ store, webhookSecrets }) => {
      const now = context.clock.now();
      const { stored, key } = createKey(
        {
          name: options.name,
          role: options.role,
          allowedWorkflows: options.allowWorkflow,
          allowedProviders: options.allowProvider,
          limits,
          expiresAt: expiresInMs === null ? null : now + expiresInMs,
        },
        context,
      );
      // Before the key: nobody is to hold one that came without it.
      const webhookSecret = stored.role === 'runs' ? await webhookSecrets.ensure(stored.lineage) : null;
      await store.keys.insert(stored);
      const until = stored.expiresAt === null ? '' : `, until ${formatTime(stored.expiresAt)}`;
      const made = `Made the key ${printable(stored.name)} (${stored.id}, role ${stored.role}${until}). It is shown only now:`;
      return {
        document: { ...keyDocument(stored, now), key: key.open(), ...webhookSecretFields(webhookSecret) },
        text: [made, '', key.open(), ...webhookSecretLines(webhookSecret)].join('\n'),
      };
    });
  });
}

function refuseLaterOptions(options: Options): void {
  for (const [, name] of LATER_OPTIONS) {
    if (options[name] !== undefined) throw new UsageError(`--${name} is not supported by this version; leave it out`);
  }
}

function readLimits({ rpm, concurrency, daily }: Options): CallerLimits {
  return {
    requestsPerMinute: readLimit('--rpm', rpm),
    concurrentRuns: readLimit('--concurrency', concurrency),
    runsPerDay: readLimit('--daily', daily),
  };
}

function readLimit(option: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const limit = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= KEY_LIMIT_MAX) return limit;
  throw new UsageError(`${option} takes a whole number from 1 to ${KEY_LIMIT_MAX}`);
}

function collect(value: string, values: string[]): string[] {
  return [...values, value];
}
