import type { Command } from 'commander';
import type { StoredKey } from '../access/ports.ts';
import { renderRotatedKey } from '../access/render-key.ts';
import { answering, dataCommand, UsageError, type CommonOptions } from './answer.ts';
import { withWorkspace, type CommandContext } from './command-context.ts';
import { parseDuration } from './duration.ts';
import { withExamples } from './examples.ts';
import { printable } from './printable.ts';
import { formatTime } from './table.ts';
import { webhookSecretLines } from './webhook-secret-lines.ts';

const OVERLAP_DEFAULT = '24h';
/** The old one ends with its replacement. */
const AT_ONCE = /^0[mhd]$/;

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
    .option('--overlap <duration>', 'how long the old one still works: 0m, 45m, 12h or 30d', OVERLAP_DEFAULT);
  withExamples(command, 'keys rotate 7d2f8a… --overlap 1h');
  return answering<Options>(command, context, (options, id = '') => {
    const overlapMs = AT_ONCE.test(options.overlap) ? 0 : parseDuration(options.overlap);
    if (overlapMs === null)
      throw new UsageError('--overlap takes a number and m, h or d, up to ten years: 0m, 45m, 12h, 30d');
    return withWorkspace(context, options, async ({ keys, actor }) => {
      const made = await keys.rotate(id, overlapMs, actor);
      const { stored, key, webhookSecret, replaced } = made;
      return {
        document: renderRotatedKey(made, context.clock.now()),
        text: [describe({ stored, replaced, shown: key.open() }), ...webhookSecretLines(webhookSecret)].join('\n'),
      };
    });
  });
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
