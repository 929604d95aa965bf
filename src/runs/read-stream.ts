import { OutboundError, type OutboundStream } from '../core/outbound.ts';
import type { StreamReader } from '../providers/define-provider.ts';
import type { Outcome } from '../providers/outcome.ts';
import type { OutputLog } from './output-logs.ts';

/** How a stream ended. Whatever it said before is on disk by then. */
export type StreamEnd =
  | { is: 'outcome'; outcome: Outcome }
  /** In order, but without a word on the run's end. */
  | { is: 'silent' }
  /** Broken off, fallen silent, or too large. */
  | { is: 'broken' }
  /** Not what the vendor documents. */
  | { is: 'unreadable' }
  /** The run takes no more output: it has ended, or is another's. */
  | { is: 'stale' };

export interface StreamListener {
  /** The vendor has named its run. */
  named(runId: string): Promise<void>;
  /** A poll would learn something. Resolves to whether the stream is worth reading on. */
  ask(): Promise<boolean>;
}

/**
 * Reads a vendor's stream to its end, and stores what it says on the way. Throws only what an abort has thrown;
 * leaving the loop closes the connection.
 */
export async function readStream(
  { frames }: OutboundStream,
  reader: StreamReader,
  { log, listener, signal }: { log: OutputLog; listener: StreamListener; signal: AbortSignal },
): Promise<StreamEnd> {
  try {
    return await readFrames(frames, reader, { log, listener });
  } catch (cause) {
    if (signal.aborted || !(cause instanceof OutboundError)) throw cause;
    return { is: cause.failure === 'too_large' ? 'unreadable' : 'broken' };
  } finally {
    // Before anything that comes next, and before another stream of the run is read.
    await log.flush();
  }
}

async function readFrames(
  frames: OutboundStream['frames'],
  reader: StreamReader,
  { log, listener }: { log: OutputLog; listener: StreamListener },
): Promise<StreamEnd> {
  for await (const frame of frames) {
    const signals = readFrame(reader, frame);
    if (signals === null) return { is: 'unreadable' };
    for (const signal of signals) {
      switch (signal.is) {
        case 'delta':
          if (signal.text !== '') log.delta(signal.text);
          break;
        case 'progress':
          log.progress(signal.name, signal.data);
          break;
        case 'named':
          await listener.named(signal.runId);
          break;
        case 'outcome':
          return { is: 'outcome', outcome: signal.outcome };
        case 'ask':
          await log.flush();
          if (!(await listener.ask())) return { is: 'stale' };
      }
    }
    await log.ready();
    if (log.stale) return { is: 'stale' };
  }
  const outcome = reader.end();
  return outcome === null ? { is: 'silent' } : { is: 'outcome', outcome };
}

/** A reader's complaint may quote the vendor; that it complained is all that counts. */
function readFrame(reader: StreamReader, frame: Parameters<StreamReader['read']>[0]) {
  try {
    return reader.read(frame);
  } catch {
    return null;
  }
}
