import type { Clock } from '../core/clock.ts';
import { OutboundError } from '../core/outbound.ts';
import type { Run } from './model.ts';
import type { CallSample, RunObserver } from './observer.ts';
import type { VendorCalls } from './vendor-calls.ts';

/** The same calls, each told to the observer when its answer, or a stream's head, is there or will not come. */
export function meterCalls(
  calls: VendorCalls,
  { observer, clock }: { observer: Pick<RunObserver, 'called'>; clock: Pick<Clock, 'monotonic'> },
): VendorCalls {
  /** Without `async` and `finally`: this is on the way of every start. */
  function metered<T>(
    { provider }: Run,
    operation: CallSample['operation'],
    called: Promise<T>,
    statusOf: (answer: T) => number,
  ): Promise<T> {
    const begunAt = clock.monotonic();
    const tell = (status: number | null) =>
      observer.called({ provider, operation, status, durationMs: clock.monotonic() - begunAt });
    return called.then(
      (answer) => {
        tell(statusOf(answer));
        return answer;
      },
      (error: unknown) => {
        if (!isHeldBack(error)) tell(null);
        throw error;
      },
    );
  }

  return {
    credentialOf: (run) => calls.credentialOf(run),
    start: (run, ...rest) => metered(run, 'start', calls.start(run, ...rest), statusOfAnswer),
    token: (run, ...rest) => metered(run, 'token', calls.token(run, ...rest), statusOfAnswer),
    startStream: (run, ...rest) => metered(run, 'start', calls.startStream(run, ...rest), statusOfStream),
    follow: (run, ...rest) => metered(run, 'follow', calls.follow(run, ...rest), statusOfStream),
    resume: (run, ...rest) => metered(run, 'resume', calls.resume(run, ...rest), statusOfAnswer),
    read: (run, operation, ...rest) => metered(run, operation, calls.read(run, operation, ...rest), statusOfAnswer),
  };
}

/** Then nobody was called. */
function isHeldBack(error: unknown): boolean {
  return error instanceof OutboundError && error.failure === 'held_back';
}

function statusOfAnswer({ status }: { status: number }): number {
  return status;
}

function statusOfStream(opened: Awaited<ReturnType<VendorCalls['follow']>>): number {
  return opened.is === 'stream' ? opened.stream.status : opened.answer.status;
}
