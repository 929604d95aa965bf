import type { Clock } from '../core/clock.ts';

/** One start (or resume) that reached a vendor with a good credential and a good request. */
export interface RecordedStart {
  /** Counts up from 1 over all vendors. */
  seq: number;
  kind: string;
  /** `start`; of a resume the vendor's own word. */
  command: string;
  /** By its name, where the vendor's ids are no names. */
  workflow: string;
  /** The vendor's id of the run; null where it has none, or none began. */
  runId: string | null;
  /** The id that the client chose, at vendors that take one. */
  clientRunId: string | null;
  /** Text of the request's body, cut at 4 KB; null where it was not read. */
  body: string | null;
  bodyTruncated: boolean;
  at: string;
  /** Whether a run began (or went on), whatever was answered. */
  began: boolean;
}

export interface StartFilter {
  kind?: string | undefined;
  workflow?: string | undefined;
  began?: boolean | undefined;
}

export type StartToRecord = Pick<RecordedStart, 'kind' | 'command' | 'workflow' | 'runId' | 'clientRunId' | 'began'> & {
  body: Buffer | null;
};

export interface StartRecorder {
  record(start: StartToRecord): void;
  /** Oldest first, those after `seq`. */
  list(filter?: StartFilter, page?: { after: number; limit: number }): RecordedStart[];
  /** How many were recorded, and how many of them are forgotten because there were too many. */
  totals(): { recorded: number; forgotten: number };
  reset(): void;
}

const BODY_BYTES_MAX = 4096;

/** Remembers the last `recordsMax` starts, so that a long bench does not fill the memory. */
export function createStartRecorder({ clock, recordsMax }: { clock: Clock; recordsMax: number }): StartRecorder {
  let records = new Map<number, RecordedStart>();
  let seq = 0;
  return {
    record({ body, ...start }) {
      seq += 1;
      records.set(seq, {
        seq,
        ...start,
        body: body === null ? null : body.toString('utf8', 0, Math.min(body.length, BODY_BYTES_MAX)),
        bodyTruncated: body !== null && body.length > BODY_BYTES_MAX,
        at: new Date(clock.now()).toISOString(),
      });
      if (records.size > recordsMax) records.delete(seq - recordsMax);
    },
    list(filter = {}, { after, limit } = { after: 0, limit: Number.POSITIVE_INFINITY }) {
      const found: RecordedStart[] = [];
      for (const record of records.values()) {
        if (found.length >= limit) break;
        if (record.seq > after && matches(record, filter)) found.push(record);
      }
      return found;
    },
    totals: () => ({ recorded: seq, forgotten: seq - records.size }),
    reset() {
      records = new Map();
      seq = 0;
    },
  };
}

function matches(record: RecordedStart, { kind, workflow, began }: StartFilter): boolean {
  return (
    (kind === undefined || record.kind === kind) &&
    (workflow === undefined || record.workflow === workflow) &&
    (began === undefined || record.began === began)
  );
}
