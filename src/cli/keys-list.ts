import type { Command } from 'commander';
import type { StoredKey } from '../access/ports.ts';
import { keyStatus, renderKey } from '../access/render-key.ts';
import { answering, dataCommand } from './answer.ts';
import { counted } from '../core/counted.ts';
import { withWorkspace, type CommandContext } from './command-context.ts';
import { formatTime, table } from './table.ts';

/** `rungate keys list`: every client key, newest first, never a secret. */
export function keysListCommand(context: CommandContext): Command {
  return answering(dataCommand('list', 'every client key, newest first'), context, (options) => {
    return withWorkspace(context, options, async (workspace) => {
      const now = context.clock.now();
      const keys = await workspace.keys.list();
      return {
        document: { data: keys.map((key) => renderKey(key, now)) },
        text:
          keys.length === 0
            ? "No keys. Make one with: rungate keys create --name <name>, with --sandbox for the sandbox's"
            : table(
                ['ID', 'NAME', 'ROLE', 'STATUS', 'MAY RUN', 'LIMITS', 'ORIGINS', 'CREATED', 'EXPIRES', 'LAST USED'],
                keys.map((key) => [
                  key.id,
                  key.name,
                  key.role,
                  keyStatus(key, now),
                  mayRun(key),
                  limitsOf(key),
                  key.origins.join(', ') || null,
                  formatTime(key.createdAt),
                  formatTime(key.expiresAt),
                  formatTime(key.lastUsedAt),
                ]),
              ),
      };
    });
  });
}

function mayRun({ role, allowedWorkflows, allowedProviders }: StoredKey): string | null {
  if (role !== 'runs') return null;
  return [...allowedWorkflows, ...allowedProviders.map((entry) => `provider ${entry}`)].join(', ') || 'everything';
}

function limitsOf({ limits: { requestsPerMinute, concurrentRuns, runsPerDay } }: StoredKey): string | null {
  const limits = [
    requestsPerMinute === null ? [] : `${counted(requestsPerMinute, 'request')} a minute`,
    concurrentRuns === null ? [] : `${counted(concurrentRuns, 'run')} at once`,
    runsPerDay === null ? [] : `${counted(runsPerDay, 'run')} a day`,
  ];
  return limits.flat().join(', ') || null;
}
