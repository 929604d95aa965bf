import { createHash } from 'node:crypto';
import { canonicalJson, isJsonObject, parseJson, type Json, type JsonObject } from './json.ts';

/*
 * The audit log is a chain. The hash of an entry is
 *
 *   SHA-256( hash of the entry before it, in hex | LF | canonical JSON of the entry )
 *
 * in hex; before the first one come 64 zeros. Whoever changes, takes out or moves an entry has to write every hash behind
 * it anew, which shows wherever a later hash was kept.
 */

/** Who did it. */
export interface Actor {
  type: 'key' | 'token' | 'command' | 'server';
  /** A key's id, or the user name that the operating system gives; null: nobody in particular. */
  id: string | null;
  /** IP address; null: this machine. */
  from: string | null;
  requestId: string | null;
}

export type AuditAction =
  | 'key.create'
  | 'key.rotate'
  | 'key.revoke'
  | 'credential.add'
  | 'credential.remove'
  | 'credential.verify'
  | 'webhook_secret.rotate'
  | 'master_key.rotate'
  | 'run.cancel'
  | 'run.resolve'
  | 'run.delete'
  | 'run.pause'
  | 'run.redeliver'
  | 'config.load'
  | 'config.reload'
  | 'backup.create'
  | 'backup.restore'
  | 'audit.export';

export interface AuditTarget {
  type: 'key' | 'credential' | 'provider' | 'run' | 'setting' | 'master_key' | 'store';
  id: string;
}

/** What is about to be done, or what of it failed. Times are milliseconds since 1970. */
export interface NewAuditEntry {
  at: number;
  actor: Actor;
  action: AuditAction;
  target: AuditTarget;
  outcome: 'begun' | 'failed';
  details: JsonObject;
}

export interface AuditEntry extends NewAuditEntry {
  /** Starts at 1, without gaps. */
  seq: number;
  /** Hash of the entry before it; hex. */
  previous: string;
  /** Hex. */
  hash: string;
}

/** Somebody has changed an entry so that it is none any more. `audit verify` takes it for what it is: a broken chain. */
export class UnreadableAuditEntryError extends Error {
  override readonly name = 'UnreadableAuditEntryError';
  readonly seq: number;

  constructor(seq: number) {
    super(`entry ${seq} of the audit log is not as it was written`);
    this.seq = seq;
  }
}

/** Where the audit log lives. It only ever grows. */
export interface AuditStore {
  /** On disk when it resolves. Throws `store_unavailable`; `internal` where the entry is beyond `AUDIT_ENTRY_CHARACTERS_MAX`. */
  append(entry: NewAuditEntry): Promise<AuditEntry>;
  /**
   * Behind `after`, oldest first, at most `AUDIT_PAGE_MAX`. Entries come as they lie there: whoever doubts them computes
   * their hashes. Throws `UnreadableAuditEntryError`.
   */
  page(options: { after: number; limit: number }): Promise<AuditEntry[]>;
  /** Before `before` (null: from the last one), newest first; otherwise like `page`. */
  pageBefore(options: { before: number | null; limit: number }): Promise<AuditEntry[]>;
  /** By their names, what should keep the log one that only grows and is not there, or is another. Empty: all of it is there. */
  missingGuards(): Promise<string[]>;
  /** The last entry's; null: there is none yet. */
  head(): Promise<{ seq: number; hash: string } | null>;
}

/** Entries of one page at most. */
export const AUDIT_PAGE_MAX = 1_000;
/** Characters of one entry's JSON at most. */
export const AUDIT_ENTRY_CHARACTERS_MAX = 65_536;
/** What the first entry has for `previous`. */
export const AUDIT_FIRST_PREVIOUS = '0'.repeat(64);

/** The hash (hex) of an entry that comes behind the one with the hash `previous`. Nothing but the entry's own fields counts. */
export function auditHash(previous: string, entry: NewAuditEntry & { seq: number }): string {
  const json = canonicalJson({ seq: entry.seq, ...fieldsOf(entry) });
  return createHash('sha256').update(`${previous}\n${json}`).digest('hex');
}

/** An entry as it is kept: canonical JSON. */
export function writeAuditEntry(entry: NewAuditEntry): string {
  // Once through JSON: fields that are undefined, and numbers that are none, would otherwise have a hash of their own.
  return canonicalJson(JSON.parse(JSON.stringify(fieldsOf(entry))) as Json);
}

/** Reads what `writeAuditEntry` wrote, and nothing else: a space more is a change. Throws `UnreadableAuditEntryError`. */
export function readAuditEntry(text: string, seq: number): NewAuditEntry {
  const parsed = parseJson(text);
  if (!parsed.ok || !looksLikeEntry(parsed.value)) throw new UnreadableAuditEntryError(seq);
  const entry = fieldsOf(parsed.value);
  if (canonicalJson(entry) !== text) throw new UnreadableAuditEntryError(seq);
  return entry as JsonObject & NewAuditEntry;
}

/** What hangs on the objects is all that is looked at: a change of the rest shows in the hash. */
function looksLikeEntry(value: Json): value is JsonObject & NewAuditEntry {
  return isJsonObject(value) && [value['actor'], value['target'], value['details']].every(isJsonObject);
}

function fieldsOf({ at, actor, action, target, outcome, details }: NewAuditEntry): JsonObject {
  const { type, id, from, requestId } = actor;
  return {
    at,
    actor: { type, id, from, requestId },
    action,
    target: { type: target.type, id: target.id },
    outcome,
    details,
  };
}
