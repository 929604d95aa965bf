import type { Command } from 'commander';
import { verifyAuditChain, type ChainEnd, type ChainReport } from '../app/audit-chain.ts';
import type { Workspace } from '../app/workspace.ts';
import { answering, dataCommand, UsageError, type Answer, type CommonOptions } from './answer.ts';
import { withWorkspace, type CommandContext } from './command-context.ts';
import { withExamples } from './examples.ts';

const END = /^([1-9]\d{0,14}):([0-9a-f]{64})$/;

interface Options extends CommonOptions {
  expect?: string;
}

/** `rungate audit verify`: walks the audit log's chain of hashes. */
export function auditVerifyCommand(context: CommandContext): Command {
  const command = dataCommand('verify', 'compute every hash of the audit log anew, and tell its end').option(
    '--expect <seq:hash>',
    'an end that was noted earlier, and that has to be in the log still: shows entries that were cut off',
  );
  withExamples(command, 'audit verify', 'audit verify --expect 4711:9f86d081884c7d65…');
  return answering<Options>(command, context, (options) => {
    const expected = readEnd(options.expect);
    return withWorkspace(context, options, async ({ store }) => {
      const report = await verifyAuditChain(store.audit, expected);
      const missingGuards = await store.audit.missingGuards();
      const isEmptied = report.entries === 0 && report.fault === null && (await holdsMade(store));
      return answerOf(isEmptied ? { ...report, fault: EMPTIED } : report, missingGuards);
    });
  });
}

function readEnd(text: string | undefined): ChainEnd | null {
  if (text === undefined) return null;
  const [, seq, hash] = END.exec(text) ?? [];
  if (seq !== undefined && hash !== undefined) return { seq: Number(seq), hash };
  throw new UsageError('--expect takes what `audit verify` printed: a number, a colon and 64 hexadecimal digits');
}

const EMPTIED = {
  seq: 1,
  message:
    'there is none, though there are keys or credentials, which are never made without an entry: somebody has emptied the ' +
    'log, or they were made by a version that had none',
};

/** Whether there is anything that came with an entry. */
async function holdsMade({ keys, credentials }: Pick<Workspace['store'], 'keys' | 'credentials'>): Promise<boolean> {
  return (await keys.list()).length > 0 || (await credentials.list()).length > 0;
}

function answerOf({ entries, head, fault }: ChainReport, missingGuards: readonly string[]): Answer {
  const ok = fault === null && missingGuards.length === 0;
  const document = { object: 'audit_verification', ok, entries, head, fault, missing_guards: missingGuards };
  const end = head === null ? 'There are no entries.' : `The end, to be noted elsewhere: ${head.seq}:${head.hash}`;
  if (fault === null) {
    const text =
      head === null ? end : entries === 1 ? `The only entry fits.\n${end}` : `All ${entries} entries fit.\n${end}`;
    return ok ? { document, text } : { document, text, failure: unguarded(missingGuards) };
  }
  const message = `Entry ${fault.seq} of the audit log does not fit: ${fault.message}.`;
  const text =
    entries === 1 ? '1 entry fits, and the next does not.' : `${entries} entries fit, and the next does not.`;
  return { document, text, failure: { code: 'audit_log_changed', message } };
}

function unguarded(missing: readonly string[]): NonNullable<Answer['failure']> {
  const message =
    `The database does not keep the audit log from being changed: ${missing.join(', ')} is gone, or is another trigger. ` +
    'Entries fit all the same; find out who changed the database, and restore a backup from before.';
  return { code: 'audit_log_changed', message };
}
