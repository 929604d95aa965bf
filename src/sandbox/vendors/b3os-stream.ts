import { once } from 'node:events';
import type { Json, JsonObject } from '../../core/json.ts';
import { beatsOf } from '../beats.ts';
import type { Call, Reply } from '../http-kit.ts';
import type { BookedRun, Phase, RunBook } from '../run-book.ts';

const STEPS = 3;
const NODES = ['describe', 'check', 'send'];
const FLUSH_MS = 5;

/**
 * A run's stream of server-sent events. The documents give its path only: the names are those of the vendor's
 * execution hooks as far as these are documented (`run.completed`, `run.failed`, `node.failed`), the others follow them.
 */
export function runStream<Facts>(book: RunBook<Facts>, run: BookedRun<Facts>, call: Call): Reply {
  const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' };
  return { status: 200, headers, body: event('run.started', { runId: run.id }), pieces: write(book, run, call) };
}

async function* write<Facts>(book: RunBook<Facts>, run: BookedRun<Facts>, call: Call) {
  const { trouble, rubbish, unknown, pieces } = run.plan.stream;
  const gone = () => call.response.destroyed;
  yield ': connected\n\n';
  yield event('run.started', { runId: run.id, status: 'running' });
  for await (const beat of beatsOf(book, run, { pieces: pieces ?? STEPS, delay: (ms) => call.delay(ms), gone })) {
    if (trouble !== null && (beat.is === 'phase' || beat.index >= trouble.after)) {
      return yield* end(trouble.is, run, call);
    }
    if (beat.is === 'phase') {
      yield event(eventOf(beat.phase), { runId: run.id, status: statusOf(beat.phase) });
      continue;
    }
    const nodeId = NODES[beat.index % NODES.length] ?? 'send';
    yield event('node.completed', { runId: run.id, nodeId, status: 'success', index: beat.index });
    if (rubbish) yield `event: node.completed\ndata: {"runId":\n\nthis is no field\n\n`;
    if (unknown) yield event('weather.changed', { type: 'weather', sunny: true });
  }
}

async function* end<Facts>(is: 'break' | 'stall' | 'error' | 'end', run: BookedRun<Facts>, call: Call) {
  switch (is) {
    case 'end':
      return;
    case 'error':
      yield event('error', { runId: run.id, message: 'Insufficient balance' });
      return;
    case 'stall':
      if (!call.response.destroyed) await once(call.response, 'close');
      return;
    case 'break':
      await call.delay(FLUSH_MS);
      call.response.socket?.destroy();
  }
}

/** The state of a run as its stream and its hooks call it. */
export function eventOf(phase: Phase): string {
  switch (phase) {
    case 'running':
      return 'run.started';
    case 'waiting':
    case 'asking':
      return 'run.waiting';
    case 'success':
    case 'partial':
      return 'run.completed';
    case 'failure':
    case 'looping':
      return 'run.failed';
    case 'cancelled':
    case 'user-aborted':
      return 'run.cancelled';
  }
}

/** The state of a run as the reference calls it. */
export function statusOf(phase: Phase): string {
  switch (phase) {
    case 'asking':
      return 'waiting';
    case 'looping':
      return 'failure';
    case 'user-aborted':
      return 'cancelled';
    case 'running':
    case 'waiting':
    case 'success':
    case 'failure':
    case 'cancelled':
    case 'partial':
      return phase;
  }
}

function event(name: string, data: JsonObject): string {
  const all: Json = { type: name, ...data };
  return `event: ${name}\ndata: ${JSON.stringify(all)}\n\n`;
}
