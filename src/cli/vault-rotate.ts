import type { Command } from 'commander';
import type { RotatedMasterKey } from '../app/rotate-master-key.ts';
import { answering, dataCommand, type Answer, type CommonOptions } from './answer.ts';
import type { CommandContext } from './command-context.ts';
import { withExamples } from './examples.ts';
import { counted } from '../core/counted.ts';
import { printable } from './printable.ts';
import { table } from './table.ts';

const UNOPENED_SHOWN = 20;

interface Options extends CommonOptions {
  newKeyFile?: string;
}

/** `rungate vault rotate`: everything that is sealed under a new master key, while the server serves. */
export function vaultRotateCommand(context: CommandContext): Command {
  const command = dataCommand(
    'rotate',
    'put everything that is encrypted under a new master key, while the server serves; one that was cut off goes on',
  ).option('--new-key-file <file>', 'a file with the new key, 32 bytes in base64; without it, a key is made');
  withExamples(command, 'vault rotate', 'vault rotate --new-key-file /run/secrets/next-master-key');
  return answering<Options>(command, context, async ({ sandbox = false, newKeyFile = null }) => {
    const { environment, stderr: logTo } = context;
    const rotated = await context.parts.rotateMasterKey({ environment, sandbox, newKeyFile, logTo });
    return { document: documentOf(rotated), text: textOf(rotated), ...failureOf(rotated) };
  });
}

function documentOf({ to, added, source, resealed, retired, scan, unopened, warnings }: RotatedMasterKey): object {
  return {
    object: 'master_key_rotation',
    master_key: to,
    added,
    source,
    rewrapped: resealed,
    retired,
    scan: scan.map(({ column, rows, fingerprint, version }) => ({ column, rows, master_key: fingerprint, version })),
    cannot_open: unopened,
    warnings,
  };
}

function textOf(rotated: RotatedMasterKey): string {
  const { to, added, source, resealed, retired, scan, unopened, warnings } = rotated;
  const where = printable(source);
  const lines = [
    added
      ? `Put the new master key ${to} first in ${where}.`
      : `Went on with ${to}, the newest master key of ${where}.`,
    `Re-wrapped ${counted(resealed, 'secret')}. What lies in the database now:`,
    '',
    table(
      ['COLUMN', 'ROWS', 'MASTER KEY'],
      scan.map(({ column, rows, fingerprint }) => [column, String(rows), fingerprint]),
    ),
    '',
  ];
  if (unopened.length > 0) lines.push(...unopenedLines(rotated));
  else if (retired.length === 0) lines.push(`Everything is under ${to}.`);
  else lines.push(`Nothing is left under ${retired.join(', ')}: retired.`, ...keepLines(rotated));
  return [...lines, ...warnings.map(printable)].join('\n');
}

/** An operator's next thought is to delete the old key. */
function keepLines({ to, added }: RotatedMasterKey): string[] {
  return [
    ...(added ? [`Keep a copy of ${to} apart from the database and its backups.`] : []),
    'Keep the old lines as long as there are backups from before: they open with the old key alone.',
  ];
}

function unopenedLines({ unopened }: RotatedMasterKey): string[] {
  const shown = unopened.slice(0, UNOPENED_SHOWN);
  const more = unopened.length - shown.length;
  return [
    'These cannot be opened, and stay as they are:',
    '',
    table(
      ['COLUMN', 'ID', 'OF', 'WHY'],
      shown.map(({ column, id, provider, reason }) => [column, id, provider === '' ? null : provider, reason]),
    ),
    ...(more > 0 ? [`and ${more} more; --json tells them all, a thousand at most`] : []),
    '',
  ];
}

function failureOf({ unopened }: RotatedMasterKey): Pick<Answer, 'failure'> {
  if (unopened.length === 0) return {};
  const message =
    `${counted(unopened.length, 'secret')} cannot be opened, so no old master key was retired. Put a missing key back as a further line ` +
    'of the key source, or remove what is broken (rungate credentials remove <id>); then rotate again: it goes on from here.';
  return { failure: { code: 'vault_unavailable', message } };
}
