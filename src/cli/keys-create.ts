import { Option, type Command } from 'commander';
import { KEY_LIMIT_MAX } from '../access/key-limits.ts';
import { renderMadeKey } from '../access/render-key.ts';
import { ROLES, type CallerLimits, type Role } from '../core/caller.ts';
import { answering, dataCommand, UsageError, type CommonOptions } from './answer.ts';
import { withWorkspace, type CommandContext } from './command-context.ts';
import { parseDuration } from './duration.ts';
import { withExamples } from './examples.ts';
import { printable } from './printable.ts';
import { formatTime } from './table.ts';
import { webhookSecretLines } from './webhook-secret-lines.ts';

interface Options extends CommonOptions {
  name: string;
  role: Role;
  allowWorkflow: string[];
  allowProvider: string[];
  expires?: string;
  rpm?: string;
  concurrency?: string;
  daily?: string;
  origin: string[];
}

/** `rungate keys create`: makes a client key and shows it once. */
export function keysCreateCommand(context: CommandContext): Command {
  const command = dataCommand('create', 'make a client key; it is shown once')
    .requiredOption('--name <name>', 'a name for people')
    .addOption(new Option('--role <role>', 'what it may do').choices(ROLES).default('runs'))
    .option(
      '--allow-workflow <name>',
      'a registered workflow that it may run; one that is not registered yet is taken too; repeatable',
      collect,
      [],
    )
    .option(
      '--allow-provider <name[/id]>',
      "a provider, or one vendor's workflow, that it may run; one that is not there yet is taken too; repeatable",
      collect,
      [],
    )
    .option('--rpm <n>', 'how many requests it may send a minute (default: no bound)')
    .option('--concurrency <n>', 'how many unfinished runs it may have at once (default: no bound)')
    .option('--daily <n>', 'how many runs it may begin in a day of UTC (default: no bound)')
    .option(
      '--origin <origin>',
      'a browser origin whose pages may use it: https://app.example.com; repeatable',
      collect,
      [],
    )
    .option('--expires <duration>', 'when it stops to work: 45m, 12h or 30d (default: never)');
  withExamples(
    command,
    'keys create --name website --allow-workflow summarize-ticket --expires 90d',
    'keys create --name frontend --allow-workflow summarize-ticket --origin https://app.example.com',
    'keys create --name dashboard --role viewer',
    'keys create --name partner --rpm 60 --concurrency 5 --daily 1000',
    'keys create --name trial --allow-provider draft-and-goal/0cf35172-859e-4b26-8ce9-6c2588a77b40',
  );
  return answering<Options>(command, context, async (options) => {
    const limits = readLimits(options);
    const expiresInMs = options.expires === undefined ? null : parseDuration(options.expires);
    if (expiresInMs === null && options.expires !== undefined) {
      throw new UsageError('--expires takes a number and m, h or d, up to ten years: 45m, 12h, 30d');
    }
    return withWorkspace(context, { ...options, mayMakeDatabase: true }, async ({ keys, actor }) => {
      const now = context.clock.now();
      const made = await keys.create(
        {
          name: options.name,
          role: options.role,
          allowedWorkflows: options.allowWorkflow,
          allowedProviders: options.allowProvider,
          limits,
          origins: options.origin,
          expiresAt: expiresInMs === null ? null : now + expiresInMs,
        },
        actor,
      );
      const { stored, key, webhookSecret } = made;
      const until = stored.expiresAt === null ? '' : `, until ${formatTime(stored.expiresAt)}`;
      const told = `Made the key ${printable(stored.name)} (${stored.id}, role ${stored.role}${until}). It is shown only now:`;
      return {
        document: renderMadeKey(made, now),
        text: [told, '', key.open(), ...webhookSecretLines(webhookSecret)].join('\n'),
      };
    });
  });
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
