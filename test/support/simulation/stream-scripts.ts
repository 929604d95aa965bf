import type { Json } from '../../../src/core/json.ts';
import type { StreamFrame } from '../../../src/core/outbound.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { Script, Step } from './vendor-stream.ts';
import { turnOf, type VendorRun } from './vendor-run.ts';

/** How a stream goes wrong, if it does: after so many frames. */
interface Fault {
  after: number;
  how: 'cut' | 'stall' | 'silent' | 'rubbish' | 'too_large' | 'error';
}

interface ScriptParts {
  /** The stream's own number: every piece carries it, and its own. */
  number: number;
  random: SeededRandom;
  calm: boolean;
}

function planFault(random: SeededRandom, calm: boolean): Fault | null {
  if (calm || random.chance(0.5)) return null;
  const how = random.weigh({ cut: 6, stall: 2, silent: 2, rubbish: 2, too_large: 1, error: 2 });
  return { after: random.below(8), how };
}

/** `null`: not wrong yet. `error` is for the script itself to say. */
function goWrong(fault: Fault | null, frames: number, rubbish: StreamFrame): Step | null {
  if (fault === null || frames < fault.after) return null;
  switch (fault.how) {
    case 'cut':
      return { is: 'fail', failure: 'reset' };
    case 'too_large':
      return { is: 'fail', failure: 'too_large' };
    case 'stall':
      return { is: 'idle' };
    case 'silent':
      return { is: 'close' };
    case 'rubbish':
      return { is: 'frame', frame: rubbish, said: '' };
    case 'error':
      return null;
  }
}

const EVENTS = 'text/event-stream';
const UNREADABLE: StreamFrame = { kind: 'unreadable' };
const text = (of: string): StreamFrame => ({ kind: 'text', text: of });
const event = (data: Json): StreamFrame => ({ kind: 'event', event: 'message', data: JSON.stringify(data) });
const line = (value: Json): StreamFrame => ({ kind: 'line', value });

interface Form {
  headers: Readonly<Record<string, string>>;
  piece(tag: string): StreamFrame;
  error: StreamFrame | null;
  /** Null: it simply ends. */
  end: StreamFrame | null;
  rubbish: StreamFrame;
}

const FORMS: Readonly<Record<'text' | 'data' | 'ui' | 'sse' | 'ndjson', Form>> = {
  text: { headers: { 'content-type': 'text/plain' }, piece: text, error: null, end: null, rubbish: UNREADABLE },
  data: {
    headers: { 'content-type': 'text/plain', 'x-vercel-ai-data-stream': 'v1' },
    piece: (tag) => text(`0:${JSON.stringify(tag)}\n`),
    error: text('3:"it broke"\n'),
    end: text('d:{"finishReason":"stop"}\n'),
    rubbish: text('0:7\n'),
  },
  ui: {
    headers: { 'content-type': EVENTS, 'x-vercel-ai-ui-message-stream': 'v1' },
    piece: (delta) => event({ type: 'text-delta', id: 'a', delta }),
    error: event({ type: 'error', errorText: 'it broke' }),
    end: event({ type: 'finish' }),
    rubbish: UNREADABLE,
  },
  sse: {
    headers: { 'content-type': EVENTS },
    piece: (tag) => event({ text: tag }),
    error: { kind: 'event', event: 'error', data: '{"error":"it broke"}' },
    end: { kind: 'event', event: 'message', data: '[DONE]' },
    rubbish: UNREADABLE,
  },
  ndjson: {
    headers: { 'content-type': 'application/x-ndjson' },
    piece: (tag) => line({ text: tag }),
    error: line({ error: 'it broke' }),
    end: null,
    rubbish: UNREADABLE,
  },
};

/** An answer that is written while it is thought of, in one of the forms that the documents leave open. */
export function textScript({ number, random, calm }: ScriptParts): Script {
  const form = FORMS[random.pick(['text', 'data', 'ui', 'sse', 'ndjson'] as const)];
  const fault = planFault(random, calm);
  const pieces = 1 + random.below(12);
  const waiting: Step[] = [];
  let frames = 0;
  return {
    headers: { ...form.headers, 'x-ratelimit-remaining': '7' },
    next() {
      const held = waiting.shift();
      if (held) return held;
      const wrong = goWrong(fault, frames, form.rubbish);
      if (wrong) return wrong;
      frames += 1;
      if (fault?.how === 'error' && frames > fault.after && form.error)
        return { is: 'frame', frame: form.error, said: '' };
      if (frames > pieces) return form.end ? { is: 'frame', frame: form.end, said: '' } : { is: 'close' };
      const [first, ...rest] = split(form.piece(`<${number}.${frames}>`), `<${number}.${frames}>`, random);
      waiting.push(...rest);
      return first!;
    },
  };
}

/** A frame of text may end anywhere. */
function split(frame: StreamFrame, tag: string, random: SeededRandom): Step[] {
  if (frame.kind !== 'text' || random.chance(0.6)) return [{ is: 'frame', frame, said: tag }];
  const at = 1 + random.below(frame.text.length - 1);
  const [first, second] = [frame.text.slice(0, at), frame.text.slice(at)];
  // A line says something when it is whole; plain text at once.
  const isPlain = frame.text === tag;
  return [
    { is: 'frame', frame: text(first), said: isPlain ? first : '' },
    { is: 'frame', frame: text(second), said: isPlain ? second : tag },
  ];
}

/** What a run says over its WebSocket, which ends with it, or where it waits for its caller. */
export function socketScript(run: VendorRun, { number, random, calm }: ScriptParts, now: () => number): Script {
  const fault = planFault(random, calm);
  const namedAfter = random.weigh({ early: 6, late: 3, never: 1 });
  const nameAt = namedAfter === 'early' ? 0 : namedAfter === 'late' ? 1 + random.below(5) : Infinity;
  let frames = 0;
  let over = false;
  let paused = false;

  function say(value: Record<string, Json>, said: string): Step {
    const name = frames === nameAt ? { workflow_run_id: run.id } : {};
    frames += 1;
    return { is: 'frame', frame: { kind: 'message', value: { ...value, ...name } }, said };
  }

  return {
    headers: {},
    next() {
      if (over) return { is: 'close' };
      const wrong = goWrong(fault, frames, UNREADABLE);
      if (wrong) return wrong;
      if (frames === 0) return say({ ok: true }, '');
      const tag = `<${number}.${frames}>`;
      const turn = turnOf(run, now());
      switch (turn.is) {
        case 'running':
          paused = false;
          return random.chance(0.6)
            ? say({ type: 'say_text', content: tag }, tag)
            : say({ type: 'node_entered', logical_id: tag }, `{${tag}}`);
        case 'waiting':
          if (turn.for === 'input') {
            over = true;
            return say({ type: 'workflow_ready_for_input' }, '');
          }
          if (paused) return { is: 'idle' };
          paused = true;
          return say({ type: 'pause_event', logical_id: tag }, `{${tag}}`);
        case 'succeeded':
        case 'partial':
        case 'failed':
        case 'cancelled':
          over = true;
          if (turn.is === 'failed' && random.chance(0.5))
            return say({ type: 'workflow_error', error_message: 'no' }, '');
          return say({ type: 'end_workflow', ...endOf(turn.is, frames > nameAt, random) }, '');
      }
    },
  };
}

/** That a run has ended may be all that is told, where its record can be asked. */
function endOf(is: 'succeeded' | 'partial' | 'failed' | 'cancelled', isNamed: boolean, random: SeededRandom) {
  if (isNamed && random.chance(0.3)) return {};
  return { status: { succeeded: 'completed', partial: 'completed', failed: 'failed', cancelled: 'cancelled' }[is] };
}

/** The steps of a run that goes on, for whoever attaches to it. */
export function stepScript(run: VendorRun, { number, random, calm }: ScriptParts, now: () => number): Script {
  const fault = planFault(random, calm);
  let frames = 0;
  let told = 'running';
  return {
    headers: { 'content-type': EVENTS },
    next() {
      const wrong = goWrong(fault, frames, UNREADABLE);
      frames += 1;
      if (wrong) return wrong;
      const { is } = turnOf(run, now());
      const tag = `<${number}.${frames}>`;
      if (is !== told) {
        told = is;
        return { is: 'frame', frame: event({ type: 'run.status', status: is, tag }), said: `{${tag}}` };
      }
      if (is === 'waiting') return { is: 'idle' };
      if (is !== 'running') return { is: 'close' };
      if (random.chance(0.1)) return { is: 'frame', frame: event({ type: 'ping' }), said: '' };
      return { is: 'frame', frame: event({ type: 'step', tag }), said: `{${tag}}` };
    },
  };
}
