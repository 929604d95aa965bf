import {
  AUDIT_FIRST_PREVIOUS,
  auditHash,
  UnreadableAuditEntryError,
  type AuditEntry,
  type AuditStore,
} from '../core/audit.ts';

/** Of entries of 65,536 characters at most: what is held in memory at once. */
const PAGE = 200;

export interface ChainEnd {
  seq: number;
  /** Hex. */
  hash: string;
}

/** What came of walking the chain. */
export interface ChainReport {
  /** Entries that fit, from the first one on. */
  entries: number;
  /** The last of them; null: there is none. */
  head: ChainEnd | null;
  /** The first one that does not fit; null: all do. */
  fault: { seq: number; message: string } | null;
}

/** The entries behind `after`, oldest first, a page in memory at a time. Throws where one cannot be read. */
export async function* auditEntries(store: Pick<AuditStore, 'page'>, after: number): AsyncGenerator<AuditEntry> {
  for (let last = after; ;) {
    const page = await store.page({ after: last, limit: PAGE });
    yield* page;
    const end = page.at(-1);
    if (end === undefined || page.length < PAGE) return;
    last = end.seq;
  }
}

/**
 * Computes every hash anew and looks for gaps. With `expected`, an end of the chain that was noted earlier has to be in it
 * still: only so does it show that entries were cut off the end, or that all of it was written anew.
 */
export async function verifyAuditChain(
  store: Pick<AuditStore, 'page'>,
  expected: ChainEnd | null,
): Promise<ChainReport> {
  let head: ChainEnd | null = null;
  const report = (fault: ChainReport['fault']): ChainReport => ({ entries: head?.seq ?? 0, head, fault });
  for (;;) {
    const after: number = head?.seq ?? 0;
    const page = await readPage(store, after);
    if ('unreadable' in page) return report({ seq: page.unreadable, message: 'it cannot be read' });
    for (const entry of page.entries) {
      const message = faultOf(entry, head, expected);
      if (message !== null) return report({ seq: Math.min(entry.seq, (head?.seq ?? 0) + 1), message });
      head = { seq: entry.seq, hash: entry.hash };
    }
    if (page.entries.length === 0) break;
  }
  if (expected !== null && (head?.seq ?? 0) < expected.seq) {
    return report({ seq: (head?.seq ?? 0) + 1, message: `it is gone, and so are all up to ${expected.seq}` });
  }
  return report(null);
}

/** One at a time where a page has an entry that cannot be read: those before it are to be looked at all the same. */
async function readPage(
  store: Pick<AuditStore, 'page'>,
  after: number,
): Promise<{ entries: AuditEntry[] } | { unreadable: number }> {
  for (const limit of [PAGE, 1]) {
    try {
      return { entries: await store.page({ after, limit }) };
    } catch (error) {
      if (!(error instanceof UnreadableAuditEntryError)) throw error;
      if (limit === 1) return { unreadable: error.seq };
    }
  }
  return { entries: [] };
}

/** Why an entry does not come behind `head`; null: it does. */
function faultOf(entry: AuditEntry, head: ChainEnd | null, expected: ChainEnd | null): string | null {
  if (entry.seq !== (head?.seq ?? 0) + 1) return `it is gone: entry ${entry.seq} comes next`;
  const previous = head?.hash ?? AUDIT_FIRST_PREVIOUS;
  if (entry.previous !== previous) return 'it does not name the hash of the entry before it';
  if (entry.hash !== auditHash(previous, entry)) return 'what it says is not what was hashed';
  if (expected?.seq === entry.seq && expected.hash !== entry.hash) return 'it has another hash than the one expected';
  return null;
}
