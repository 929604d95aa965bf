import {
  OutboundError,
  type Outbound,
  type OutboundAnswer,
  type OutboundRequest,
  type StreamAnswer,
  type StreamRequest,
} from '../../../src/core/outbound.ts';
import type { NotedStart } from './journal-starts.ts';
import type { ResumeAnswer } from './journal.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedClock } from './simulated-clock.ts';
import { operationOf } from './vendor-answers.ts';
import { playScript, type Script, type VendorStream } from './vendor-stream.ts';
import type { WebhookTargets } from './webhook-targets.ts';

/** What a request comes to: an answer, or one that is made when it leaves the vendor. */
export type Arrived = OutboundAnswer | (() => OutboundAnswer);

/** A stream that a vendor has agreed to. */
export interface ArrivedStream {
  script: Script;
  stream: VendorStream;
}

/** A resume that has left a process. */
export interface SentResume {
  number: number;
  /** It came back to a process that lives. */
  back(how: ResumeAnswer): void;
}

export interface VendorDoor extends Outbound {
  kill(): void;
  /** Calls that have begun so far. */
  calls(): number;
}

interface DoorParts {
  clock: SimulatedClock;
  random: SeededRandom;
  /** The request is at the vendor; throws what the sender gets instead of an answer. */
  arrive: (request: OutboundRequest, sent: SentResume | null) => Arrived;
  note: (resume: OutboundRequest) => SentResume;
  /** Null: it is no start. */
  noteStart: (request: OutboundRequest) => NotedStart | null;
  open: (request: StreamRequest) => Arrived | ArrivedStream;
  journalled: () => number;
  targets: WebhookTargets;
  process: number;
}

/** What is heard of a call on its way. */
interface Legs<T> {
  /** The request is there. Throws what the sender gets instead. */
  arrive: () => T;
  /** Asked when it arrives: the way may have been long. */
  mayLeave: OutboundRequest['mayLeave'];
  waitMs: number;
  failed?: (error: OutboundError) => void;
}

/** The network between one incarnation and its vendors: slow on both legs, deaf once the process is killed. */
export function vendorDoor(parts: DoorParts): VendorDoor {
  const { clock, random, arrive, note, noteStart, open, journalled, targets, process } = parts;
  let alive = true;
  let calls = 0;

  /** How long the vendor takes to answer. */
  function answerMs(request: OutboundRequest): number {
    const operation = operationOf(request);
    if (operation === 'start' && request.baseUrl.includes('tutor')) return random.below(8_000);
    if (operation === 'resume' && random.chance(0.4)) return random.below(30_000);
    return random.below(random.chance(0.05) ? 12_000 : 1_500);
  }

  /** Two legs: until the request arrives (an abort before that sends nothing), and until its answer does. */
  function travel<T>({ arrive: reach, mayLeave, waitMs, failed }: Legs<T>, signal: AbortSignal): Promise<T> {
    // What is given up at once leaves nothing.
    if (!signal.aborted) calls += 1;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let over = false;
    let sent = false;
    const finish = (result: () => void) => {
      if (over) return;
      over = true;
      signal.removeEventListener('abort', onAbort);
      if (alive) result();
    };
    const fail = (error: OutboundError) =>
      finish(() => {
        failed?.(error);
        reject(error);
      });
    const cancelArrival = clock.after(random.below(50), () => {
      if (over) return;
      if (mayLeave?.() === false) return fail(new OutboundError('held_back', { sent: false }));
      sent = true;
      try {
        const arrived = reach();
        clock.after(waitMs, () => finish(() => resolve(arrived)));
      } catch (error) {
        if (!(error instanceof OutboundError)) throw error;
        clock.after(waitMs, () => fail(error));
      }
    });
    const onAbort = () => {
      if (!sent) cancelArrival();
      fail(new OutboundError('aborted', { sent }));
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    return promise;
  }

  return {
    kill: () => void (alive = false),
    calls: () => calls,
    async send(request, signal) {
      const noted = operationOf(request) === 'resume' ? note(request) : null;
      const start = signal.aborted ? null : noteStart(request);
      const waitMs = Math.min(answerMs(request), request.headersTimeoutMs);
      const failed = (error: OutboundError) => {
        start?.failed(error);
        noted?.back(error.sent ? 'unknown' : error.failure === 'aborted' ? 'aborted_unsent' : 'unsent');
      };
      const arrived = await travel(
        { mayLeave: request.mayLeave, arrive: () => arrive(request, noted), waitMs, failed },
        signal,
      );
      const answered = typeof arrived === 'function' ? arrived() : arrived;
      start?.back(answered.status);
      noted?.back(howOf(answered));
      return answered;
    },
    async openStream(request, signal): Promise<StreamAnswer> {
      const waitMs = random.below(random.chance(0.1) ? 5_000 : 800);
      const start = signal.aborted ? null : noteStart(request);
      const failed = (error: OutboundError) => start?.failed(error);
      const arrived = await travel({ mayLeave: request.mayLeave, arrive: () => open(request), waitMs, failed }, signal);
      if (typeof arrived === 'object' && 'script' in arrived) {
        start?.back(200);
        const line = { clock, random, signal, bodyTimeoutMs: request.bodyTimeoutMs, alive: () => alive, journalled };
        return { is: 'stream', stream: playScript(arrived.script, arrived.stream, line) };
      }
      const answered = typeof arrived === 'function' ? arrived() : arrived;
      start?.back(answered.status);
      return { is: 'answer', answer: answered };
    },
    post(message, signal) {
      if (!signal.aborted) calls += 1;
      return targets.post(process, () => alive, message, signal);
    },
  };
}

/** What an answer to a resume proves. */
function howOf({ status, body }: OutboundAnswer): ResumeAnswer {
  if (status >= 400 && status < 500) return 'refused';
  return status === 200 && body.kind === 'json' && 'workflow_run' in (body.value as object) ? 'taken' : 'unknown';
}
