import type { Command } from 'commander';
import { createKey } from '../access/keys.ts';
import type { StoredKey } from '../access/ports.ts';
import { GatewayError } from '../core/errors.ts';
import { answering, dataCommand, UsageError, type CommonOptions } from './answer.ts';
import { withWorkspace, type CommandContext } from './command-context.ts';
import { parseDuration } from './duration.ts';
import { withExamples } from './examples.ts';
import { keyDocument } from './key-document.ts';
import { printable } from './printable.ts';
import { formatTime } from './table.ts';
import { webhookSecretFields, webhookSecretLines } from './webhook-secret-lines.ts';

const OVERLAP_DEFAULT = '24h';

interface Options extends CommonOptions {
  overlap: string;
}

/** `rungate keys rotate`: a new key with the same rights and runs; the old one works on for a while. */
export function keysRotateCommand(context: CommandContext): Command {
  const command = dataCommand(
    'rotate',
    'make a new key with the same rights and runs; the old one works on for a while',
  )
    .argument('<id>', 'the id that `keys list` shows')
    .option('--overlap <duration>', 'how long the old one still works: 45m, 12h or 30d', OVERLAP_DEFAULT);
  withExamples(command, 'keys rotate 7d2f8a… --overlap 1h');
  return answering<Options>(command, context, (options, id = '') => {
    const overlapMs = parseDuration(options.overlap);
    if (overlapMs === null) throw new UsageError('--overlap takes a number and m, h or d: 45m, 12h, 30d');
    return withWorkspace(context, options, async ({ store, webhookSecrets }) => {
      const old = await store.keys.find(id);
      if (old === null || old.revokedAt !== null) throw cannotRotate(old);
      const now = context.clock.now();
      const { stored, key } = createKey({ ...old, expiresAt: sameLifetime(old, now) }, context);
      // The line's secret goes on to sign; one made before there were any gets its first.
      const webhookSecret = stored.role === 'runs' ? await webhookSecrets.ensure(stored.lineage) : null;
      if (!(await store.keys.replace(id, stored, now + overlapMs))) throw cannotRotate(await store.keys.find(id));
      const replaced = (await store.keys.find(id)) ?? old;
      return {
        document: {
          ...keyDocument(stored, now),
          key: key.open(),
          ...webhookSecretFields(webhookSecret),
          replaces: keyDocument(replaced, now),
        },
        text: [describe({ stored, replaced, shown: key.open() }), ...webhookSecretLines(webhookSecret)].join('\n'),
      };
    });
  });
}

/** What was made for thirty days lasts thirty days again. */
function sameLifetime({ createdAt, expiresAt }: StoredKey, now: number): number | null {
  return expiresAt === null ? null : now + (expiresAt - createdAt);
}

function describe({ stored, replaced, shown }: { stored: StoredKey; replaced: StoredKey; shown: string }): string {
  const until = stored.expiresAt === null ? '' : `, until ${formatTime(stored.expiresAt)}`;
  return [
    `Made the key ${stored.id} for ${printable(stored.name)}${until}. It has the rights and the runs of ${replaced.id},`,
    `which works until ${formatTime(replaced.expiresAt)}. The new one is shown only now:`,
    '',
    shown,
  ].join('\n');
}

function cannotRotate(key: StoredKey | null): GatewayError {
  const message =
    key === null
      ? 'There is no such key. List them with: rungate keys list'
      : `${key.id} is revoked, and stays so. Make another with: rungate keys create --name <name>`;
  return new GatewayError('not_found', { message });
}
