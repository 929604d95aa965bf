import { isJsonObject, type Json } from '../core/json.ts';
import { OutboundError, type OutboundStream, type OutputScrub } from '../core/outbound.ts';
import type { StreamReader } from '../providers/define-provider.ts';
import type { Outcome, RunOutput } from '../providers/outcome.ts';
import { HINT_CHARACTERS_MAX, shortText } from '../providers/reading.ts';
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
  /** We left it: a poll learns more. */
  | { is: 'asked' }
  /** We left it: the run takes no more output, because it has ended, or is another's. */
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
  stream: OutboundStream,
  reader: StreamReader,
  { log, listener, signal }: { log: OutputLog; listener: StreamListener; signal: AbortSignal },
): Promise<StreamEnd> {
  try {
    const end = await readFrames(stream, reader, { log, listener });
    return end.is === 'outcome' ? { is: 'outcome', outcome: scrubOutcome(end.outcome, stream.scrub) } : end;
  } catch (cause) {
    if (signal.aborted || !(cause instanceof OutboundError)) throw cause;
    return { is: cause.failure === 'too_large' ? 'unreadable' : 'broken' };
  } finally {
    sayRest(stream.scrub, log);
    // Before anything that comes next, and before another stream of the run is read.
    await log.flush();
  }
}

async function readFrames(
  { frames, scrub }: OutboundStream,
  reader: StreamReader,
  { log, listener }: { log: OutputLog; listener: StreamListener },
): Promise<StreamEnd> {
  for await (const frame of frames) {
    const signals = readFrame(reader, frame);
    if (signals === null) return { is: 'unreadable' };
    for (const signal of signals) {
      switch (signal.is) {
        case 'delta':
          say(scrub.push(signal.text), log);
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
          sayRest(scrub, log);
          await log.flush();
          if (!(await listener.ask())) return { is: 'asked' };
      }
    }
    await log.ready();
    if (log.stale) return { is: 'stale' };
  }
  const outcome = readEnd(reader);
  if (outcome === 'unreadable') return { is: 'unreadable' };
  return outcome === null ? { is: 'silent' } : { is: 'outcome', outcome };
}

function say(text: string, log: OutputLog): void {
  if (text !== '') log.delta(text);
}

/** What looked like the beginning of a secret, and is none. */
function sayRest(scrub: OutputScrub, log: OutputLog): void {
  say(scrub.end(), log);
}

/** Output and hints are put together from the deltas, so they may hold what none of the frames held. */
function scrubOutcome(outcome: Outcome, scrub: OutputScrub): Outcome {
  const text = (value: string): string => scrub.text(value);
  switch (outcome.is) {
    case 'succeeded':
      return { ...outcome, output: scrubOutput(outcome.output, text) };
    case 'failed':
      return {
        ...outcome,
        message: outcome.message && text(outcome.message),
        output: outcome.output && scrubOutput(outcome.output, text),
      };
    case 'timed_out':
      return { ...outcome, message: outcome.message && text(outcome.message) };
    case 'waiting':
      return { ...outcome, waiting: { ...outcome.waiting, hint: scrubHint(outcome.waiting.hint, text) } };
    case 'running':
    case 'cancelled':
      return outcome;
  }
}

function scrubOutput(output: RunOutput, text: (value: string) => string): RunOutput {
  return {
    text: output.text && text(output.text),
    data: scrubJson(output.data, text),
    citations: output.citations.map(text),
  };
}

/** A text is cut only now: of a secret that was cut nothing is found. */
function scrubHint(hint: Json, text: (value: string) => string): Json {
  const clean = scrubJson(hint, text);
  return typeof clean === 'string' ? shortText(clean, HINT_CHARACTERS_MAX) : clean;
}

function scrubJson(value: Json, text: (value: string) => string): Json {
  if (typeof value === 'string') return text(value);
  if (Array.isArray(value)) return value.map((item) => scrubJson(item, text));
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, held]) => [name, scrubJson(held, text)]));
}

/** A reader's complaint may quote the vendor; that it complained is all that counts. */
function readFrame(reader: StreamReader, frame: Parameters<StreamReader['read']>[0]) {
  try {
    return reader.read(frame);
  } catch {
    return null;
  }
}

function readEnd(reader: StreamReader): Outcome | null | 'unreadable' {
  try {
    return reader.end();
  } catch {
    return 'unreadable';
  }
}
