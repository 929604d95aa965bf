import { isJsonObject, type Json, type JsonObject } from '../../../src/core/json.ts';
import {
  OutboundError,
  type AnswerBody,
  type Outbound,
  type OutboundAnswer,
  type OutboundRequest,
} from '../../../src/core/outbound.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedClock } from './simulated-clock.ts';

/** What a vendor knows of a run, found by the marker that the caller put into its inputs. */
export interface VendorRun {
  id: string;
  marker: string;
  begunAt: number;
  /** When it reaches `final`. */
  endsAt: number;
  final: 'succeeded' | 'failed' | 'cancelled' | 'partial';
  waitsUntil: number;
  cancelledAt: number | null;
  /** How often it was asked to stop. */
  cancelsAsked: number;
}

export interface SimulatedVendors {
  /** The door of one incarnation; after `kill` nothing comes back through it, though requests may still arrive. */
  outbound(): Outbound & { kill(): void };
  /** Starts that began a run, by marker. */
  begun(marker: string): VendorRun[];
  /** Requests to start that left a process, by marker. */
  sent(marker: string): number;
  /** From now on vendors are honest and the network holds. */
  calm(): void;
}

const START_FATES = {
  answer: 60,
  refuse: 8,
  failUnbegun: 3,
  failBegun: 4,
  unsent: 5,
  cutUnbegun: 4,
  cutBegun: 4,
  cutLate: 3,
  silentBegun: 2,
  rubbishBegun: 3,
  brokenBegun: 4,
} as const;
const READ_FATES = {
  answer: 70,
  unsent: 4,
  cut: 4,
  fail: 5,
  limited: 3,
  unauthorized: 3,
  notFound: 4,
  rubbish: 4,
  broken: 3,
} as const;

/** Every vendor behind one port: they begin runs, refuse, lie, answer late or never, and keep count. */
export function simulatedVendors({ clock, random }: { clock: SimulatedClock; random: SeededRandom }): SimulatedVendors {
  const byId = new Map<string, VendorRun>();
  const sentByMarker = new Map<string, number>();
  let calmed = false;
  let made = 0;

  function begin(request: OutboundRequest): VendorRun {
    const id = clientRunId(request) ?? (++made).toString(16).padStart(24, 'a');
    const begunAt = clock.now();
    const endsAt = begunAt + random.below(random.chance(0.2) ? 120_000 : 20_000);
    const final = random.weigh({ succeeded: 6, failed: 2, cancelled: 1, partial: 1 });
    const waitsUntil = random.chance(0.3) ? begunAt + random.below(20_000) : 0;
    const run: VendorRun = {
      id,
      marker: markerOf(request),
      begunAt,
      endsAt,
      final,
      waitsUntil,
      cancelledAt: null,
      cancelsAsked: 0,
    };
    // The same id twice would hide a second start: keep both.
    byId.set(byId.has(id) ? `${id}#${++made}` : id, run);
    return run;
  }

  function start(request: OutboundRequest): OutboundAnswer {
    const fate = calmed ? 'answer' : random.weigh(START_FATES);
    if (fate === 'unsent') throw new OutboundError('connect', { sent: false });
    sentByMarker.set(markerOf(request), (sentByMarker.get(markerOf(request)) ?? 0) + 1);
    switch (fate) {
      case 'refuse':
        return answer(random.pick([401, 402, 403, 404, 429]), { error: { message: 'no' } }, { 'retry-after': '3' });
      case 'failUnbegun':
        return answer(random.pick([500, 503, 400]), {});
      case 'failBegun':
        begin(request);
        return answer(random.pick([500, 502, 503]), {});
      case 'cutUnbegun':
        throw new OutboundError('reset', { sent: true });
      case 'cutBegun':
        begin(request);
        throw new OutboundError('reset', { sent: true });
      case 'cutLate':
        clock.after(random.below(20_000), () => begin(request));
        throw new OutboundError('reset', { sent: true });
      case 'silentBegun':
        begin(request);
        throw new OutboundError('headers_timeout', { sent: true });
      case 'rubbishBegun':
        begin(request);
        return random.pick([
          answer(200, { odd: true }),
          answer(204, null),
          answer(302, {}),
          { ...answer(200, null), body: { kind: 'too_large' } },
        ]);
      case 'brokenBegun':
        begin(request);
        return { ...answer(200, null), body: { kind: 'broken', cause: null } };
      case 'answer':
        return startAnswer(request, begin(request));
    }
  }

  function read(request: OutboundRequest): OutboundAnswer {
    const fate = calmed ? 'answer' : random.weigh(READ_FATES);
    // A 2xx says that the cancel was taken, whatever the vendor then does about it.
    const taken = isCancel(request) && (fate === 'rubbish' || fate === 'broken');
    const asked = taken ? byId.get(idIn(request)) : undefined;
    if (asked) asked.cancelsAsked += 1;
    switch (fate) {
      case 'unsent':
        throw new OutboundError('dns', { sent: false });
      case 'cut':
        throw new OutboundError('reset', { sent: true });
      case 'fail':
        return answer(random.pick([500, 502, 503, 408]), {});
      case 'limited':
        return answer(429, {}, { 'retry-after': String(random.below(5)) });
      case 'unauthorized':
        return answer(random.pick([401, 402, 403]), {});
      case 'notFound':
        return answer(404, {});
      case 'rubbish':
        return random.pick([answer(200, { data: 'what' }), answer(204, null), answer(200, [])]);
      case 'broken':
        return { ...answer(200, null), body: { kind: 'broken', cause: null } };
      case 'answer':
        break;
    }
    const run = byId.get(idIn(request));
    if (!run) return answer(404, {});
    return isCancel(request) ? cancel(request, run) : stateAnswer(request, run, clock.now());
  }

  function cancel(request: OutboundRequest, run: VendorRun): OutboundAnswer {
    run.cancelsAsked += 1;
    if (stateOf(run, clock.now()) !== 'running' && stateOf(run, clock.now()) !== 'waiting') return answer(409, {});
    if (random.chance(0.2)) return answer(409, {});
    run.cancelledAt = clock.now();
    return stateAnswer(request, run, clock.now());
  }

  function outbound(): Outbound & { kill(): void } {
    let alive = true;
    return {
      kill: () => void (alive = false),
      send(request, signal) {
        const { promise, resolve, reject } = Promise.withResolvers<OutboundAnswer>();
        const isStart = request.connection === 'start';
        const limitMs = request.headersTimeoutMs;
        const blockMs = isStart && request.baseUrl.includes('tutor') ? random.below(8_000) : random.below(1_500);
        let over = false;
        // Two legs: until the request arrives (an abort before that sends nothing), and until its answer does.
        const arrive = clock.after(random.below(50), () => {
          if (over) return;
          let result: () => void;
          try {
            const answered = isStart ? start(request) : read(request);
            result = () => resolve(answered);
          } catch (error) {
            result = () => reject(error);
          }
          sent = true;
          clock.after(Math.min(blockMs, limitMs), () => finish(result));
        });
        let sent = false;
        const finish = (result: () => void) => {
          if (over) return;
          over = true;
          signal.removeEventListener('abort', onAbort);
          if (alive) result();
        };
        const onAbort = () => {
          if (!sent) arrive();
          finish(() => reject(new OutboundError('aborted', { sent })));
        };
        if (signal.aborted) onAbort();
        else signal.addEventListener('abort', onAbort, { once: true });
        return promise;
      },
    };
  }

  return {
    outbound,
    begun: (marker) => [...byId.values()].filter((run) => run.marker === marker),
    sent: (marker) => sentByMarker.get(marker) ?? 0,
    calm: () => void (calmed = true),
  };
}

function idIn({ path, body }: OutboundRequest): string {
  const named = isJsonObject(body) ? body.workflow_run_id : undefined;
  return typeof named === 'string' ? named : decodeURIComponent(/runs\/([^/]+)/.exec(path)?.[1] ?? '');
}

function isCancel({ path, body }: OutboundRequest): boolean {
  return path.endsWith('/cancel') || (isJsonObject(body) && body.command === 'stop');
}

export function stateOf(run: VendorRun, now: number): 'running' | 'waiting' | VendorRun['final'] {
  if (run.cancelledAt !== null) return 'cancelled';
  if (now < run.waitsUntil) return 'waiting';
  return now < Math.max(run.endsAt, run.waitsUntil) ? 'running' : run.final;
}

function startAnswer(request: OutboundRequest, run: VendorRun): OutboundAnswer {
  if (request.baseUrl.includes('tutor'))
    return answer(200, { success: true, result: run.marker }, { 'x-ratelimit-remaining': '7' });
  if (request.baseUrl.includes('dng'))
    return answer(200, { success: true, data: { id: run.id, message: 'on its way' } });
  if (request.baseUrl.includes('interactly')) return answer(200, interactlyRun(run, stateOf(run, run.begunAt)));
  return answer(200, { code: 200, data: { runId: run.id }, message: 'success', requestId: 'r' });
}

function interactlyRun(run: VendorRun, state: ReturnType<typeof stateOf>): JsonObject {
  const status = {
    running: 'running',
    waiting: 'paused',
    succeeded: 'completed',
    partial: 'completed',
    failed: 'failed',
    cancelled: 'cancelled',
  }[state];
  return { workflow_run: { _id: run.id, workflow_run: { status, input_output_pairs: [] } } };
}

function stateAnswer(request: OutboundRequest, run: VendorRun, now: number): OutboundAnswer {
  const state = stateOf(run, now);
  if (request.baseUrl.includes('interactly')) return answer(200, interactlyRun(run, state));
  if (request.baseUrl.includes('dng')) {
    if (state === 'running' || state === 'waiting') return answer(250, { message: 'on the way' });
    const word = { succeeded: 'DONE', partial: 'DONE', failed: 'FAILED', cancelled: 'USER_ABORTED' }[state];
    return answer(200, {
      success: true,
      data: { run_id: run.id, state: word, error: null, completed_steps: [], failed_steps: [] },
    });
  }
  const word = {
    running: 'running',
    waiting: 'waiting',
    succeeded: 'success',
    failed: 'failure',
    cancelled: 'cancelled',
    partial: 'partial',
  }[state];
  return answer(200, {
    code: 200,
    message: 'success',
    requestId: 'r',
    data: { id: run.id, status: word, executionState: {} },
  });
}

function answer(status: number, value: Json, headers: Record<string, string> = {}): OutboundAnswer {
  const body: AnswerBody = value === null ? { kind: 'empty' } : { kind: 'json', value };
  return { status, headers, body, durationMs: 0 };
}

function markerOf(request: OutboundRequest): string {
  const text = JSON.stringify(request.body ?? {});
  return /marker-\d+/.exec(text)?.[0] ?? 'no-marker';
}

function clientRunId(request: OutboundRequest): string | null {
  const body = request.body as JsonObject | undefined;
  return typeof body?.['runId'] === 'string' ? body['runId'] : null;
}
