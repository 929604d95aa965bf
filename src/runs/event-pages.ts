import type { RunId } from '../core/ids.ts';
import type { RunEvent } from './model.ts';
import type { RunStore } from './ports.ts';
import { frameOf, isEnd, renderEnd, renderEvent } from './render-event.ts';

/** Frames of several events in a row, ready to be written. */
export interface Chunk {
  /** The event before its first one. */
  readonly after: number;
  readonly last: number;
  readonly text: string;
}

/** Events that are read at once; and no more of them than one reader's buffer holds. */
const EVENT_PAGE = 100;

/** A run's log as frames, page by page. */
export interface EventPages {
  /**
   * What lies behind `seq`, of one page: in chunks of a bounded size, except where one event alone is larger. Empty: there is
   * nothing (yet). Null: the run was deleted.
   */
  after(seq: number): Promise<Chunk[] | null>;
  /** Whether a page that ends here may have been cut short, so that more is there already. */
  isFull(chunks: readonly Chunk[]): boolean;
  /** The number of the run's last event, once it is known to have ended. */
  endSeq: number | null;
}

/** The run's row is read for its end only, and once, whoever asks for it. */
export function createEventPages(
  store: Pick<RunStore, 'get' | 'eventsAfter'>,
  id: RunId,
  chunkCharactersMax: number,
): EventPages {
  let endFrame: Promise<string | null> | null = null;
  const reads = new Map<number, Promise<Chunk[] | null>>();

  async function readEnd(event: RunEvent): Promise<string | null> {
    const run = await store.get(id);
    return run && frameOf(renderEnd(run, event));
  }

  async function frameOfEnd(event: RunEvent): Promise<string | null> {
    endFrame ??= readEnd(event);
    try {
      return await endFrame;
    } catch (cause) {
      endFrame = null;
      throw cause;
    }
  }

  const pages: EventPages = {
    endSeq: null,
    after(seq) {
      // Many readers come to the same place at once, and what they are told is the same.
      const underWay = reads.get(seq);
      if (underWay) return underWay;
      const read = readPage(seq).finally(() => reads.delete(seq));
      reads.set(seq, read);
      return read;
    },
    isFull(chunks) {
      const characters = chunks.reduce((sum, { text }) => sum + text.length, 0);
      const [first] = chunks;
      return characters >= chunkCharactersMax || (chunks.at(-1)?.last ?? 0) - (first?.after ?? 0) >= EVENT_PAGE;
    },
  };

  async function readPage(seq: number): Promise<Chunk[] | null> {
    const events = await store.eventsAfter(id, seq, EVENT_PAGE, chunkCharactersMax);
    const chunks: Chunk[] = [];
    let open = { after: seq, last: seq, text: '' };
    for (const event of events) {
      const text = isEnd(event) ? await frameOfEnd(event) : frameOf(renderEvent(id, event));
      if (text === null) return null;
      if (open.text !== '' && open.text.length + text.length > chunkCharactersMax) {
        chunks.push(open);
        open = { after: open.last, last: open.last, text: '' };
      }
      open.text += text;
      open.last = event.seq;
      if (isEnd(event)) pages.endSeq = event.seq;
    }
    if (open.text !== '') chunks.push(open);
    return chunks;
  }
  return pages;
}
