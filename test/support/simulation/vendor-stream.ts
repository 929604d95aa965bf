import type { StreamFrame } from '../../../src/core/outbound.ts';
import { OutboundError, type OutboundFailure, type OutboundStream } from '../../../src/core/outbound.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedClock } from './simulated-clock.ts';

/** A stream that a vendor has opened, and what was read of it. */
export interface VendorStream {
  readonly number: number;
  readonly process: number;
  readonly marker: string;
  readonly what: 'start' | 'follow';
  /** What each frame that was read adds to the run's log. */
  readonly said: string[];
  /** `left`: its reader had heard enough. */
  ended: 'no' | 'in_order' | 'broken' | 'aborted' | 'left';
  /** How many entries the journal had when it began and when it ended. */
  readonly openedAt: number;
  endedAt: number;
}

/** What a vendor does next on a stream. */
export type Step =
  | { is: 'frame'; frame: StreamFrame; said: string }
  | { is: 'idle' }
  | { is: 'close' }
  | { is: 'fail'; failure: OutboundFailure };

export interface Script {
  headers: Readonly<Record<string, string>>;
  next(): Step;
}

export interface StreamLine {
  clock: SimulatedClock;
  random: SeededRandom;
  signal: AbortSignal;
  bodyTimeoutMs: number;
  /** Whether the process that reads it lives. */
  alive: () => boolean;
  /** How many entries the journal has. */
  journalled: () => number;
}

const IDLE_MS = 1_000;

/** Plays the script over the network, into `stream`. */
export function playScript(script: Script, stream: VendorStream, line: StreamLine): OutboundStream {
  const end = (how: VendorStream['ended']) => {
    if (stream.ended !== 'no') return;
    stream.ended = how;
    stream.endedAt = line.journalled();
  };

  async function* frames(): AsyncGenerator<StreamFrame, void> {
    let silentMs = 0;
    try {
      for (;;) {
        const ms = line.random.below(line.random.chance(0.1) ? 3_000 : 300);
        await wait(ms, line, () => end('aborted'));
        const step = script.next();
        if (step.is === 'idle') {
          await wait(IDLE_MS, line, () => end('aborted'));
          silentMs += ms + IDLE_MS;
          if (silentMs < line.bodyTimeoutMs) continue;
        }
        if (step.is === 'close') return end('in_order');
        if (step.is !== 'frame') {
          end('broken');
          throw new OutboundError(step.is === 'idle' ? 'body_timeout' : step.failure, { sent: true });
        }
        silentMs = 0;
        stream.said.push(step.said);
        yield step.frame;
      }
    } finally {
      end('left');
    }
  }

  // Nothing is secret here.
  const scrub = { text: (value: string) => value, push: (piece: string) => piece, end: () => '' };
  return { status: 200, headers: script.headers, frames: frames(), scrub };
}

/** Never resolves for a process that is dead. */
function wait(ms: number, { clock, signal, alive }: StreamLine, onAbort: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      cancel();
      if (!alive()) return;
      onAbort();
      reject(new OutboundError('aborted', { sent: true }));
    };
    const cancel = clock.after(ms, () => {
      signal.removeEventListener('abort', abort);
      if (alive()) resolve();
    });
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}
