import type { Command } from 'commander';
import { auditEntries } from '../app/audit-chain.ts';
import { renderAuditEntry } from '../core/render-audit-entry.ts';
import { dataCommand, UsageError, type CommonOptions } from './answer.ts';
import { withWorkspace, type CommandContext } from './command-context.ts';
import { withExamples } from './examples.ts';
import { printableJson } from './printable.ts';

interface Options extends CommonOptions {
  after: string;
}

/** `rungate audit export`: the audit log, oldest first, a JSON document a line; with `--json` all of it as one document. */
export function auditExportCommand(context: CommandContext): Command {
  const command = dataCommand('export', 'print the audit log, oldest first, a JSON document a line').option(
    '--after <seq>',
    'only entries behind this number',
    '0',
  );
  withExamples(command, 'audit export > audit.ndjson', "audit export --after 4711 | jq -r '.action'");
  return command.action(async () => {
    const options = command.opts<Options>();
    const after = readSeq(options.after);
    await withWorkspace(context, options, ({ store, actor, audited }) => {
      const target = { type: 'store', id: 'audit' } as const;
      return audited({ actor, action: 'audit.export', target, details: { after } }, () =>
        print(auditEntries(store.audit, after), options, context),
      );
    });
  });
}

/** As the entries are read: the log may be larger than memory. */
async function print(
  entries: ReturnType<typeof auditEntries>,
  { json = false }: Options,
  { stdout }: Pick<CommandContext, 'stdout'>,
): Promise<void> {
  if (json) stdout.write('{"data":[');
  let separator = '';
  for await (const entry of entries) {
    const text = printableJson(renderAuditEntry(entry));
    stdout.write(json ? `${separator}${text}` : `${text}\n`);
    separator = ',';
  }
  if (json) stdout.write(']}\n');
}

function readSeq(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new UsageError('--after takes the number of an entry');
  return Number(text);
}
