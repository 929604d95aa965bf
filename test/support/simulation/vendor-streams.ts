import { OutboundError, type OutboundRequest, type StreamRequest } from '../../../src/core/outbound.ts';
import type { Journal } from './journal.ts';
import type { SeededRandom } from './seeded-random.ts';
import { socketScript, stepScript, textScript } from './stream-scripts.ts';
import { answer, idIn, isResumable, startAnswer } from './vendor-answers.ts';
import type { Arrived, ArrivedStream } from './vendor-door.ts';
import type { VendorRun } from './vendor-run.ts';
import type { Script, VendorStream } from './vendor-stream.ts';
import type { Weather } from './vendor-weather.ts';

const TOKEN_FATES = { answer: 80, refuse: 5, fail: 4, unsent: 3, cut: 3, silent: 2, rubbish: 3 } as const;
const STREAM_FATES = {
  stream: 70,
  plain: 5,
  refuse: 6,
  failUnbegun: 2,
  failBegun: 3,
  unsent: 4,
  cutUnbegun: 3,
  cutBegun: 3,
  silentBegun: 2,
  rubbishBegun: 2,
} as const;
const FOLLOW_FATES = { stream: 80, refuse: 8, unsent: 4, cut: 4, plain: 4 } as const;

interface VendorStreamsParts {
  random: SeededRandom;
  journal: Journal;
  now: () => number;
  isCalm: () => boolean;
  weather: Weather;
  begin: (request: OutboundRequest) => VendorRun;
  find: (id: string) => VendorRun | undefined;
  /** A request to start has left a process. */
  countStart: (request: OutboundRequest) => void;
}

/** The vendors' side of streams: tokens are single-use, and a stream is of one run. */
export interface VendorStreams {
  token(request: OutboundRequest): Arrived;
  open(request: StreamRequest, process: number): Arrived | ArrivedStream;
}

export function createVendorStreams(parts: VendorStreamsParts): VendorStreams {
  const { random, journal, now } = parts;
  const tokens = new Set<string>();
  let made = 0;

  function opened(script: (about: { number: number; random: SeededRandom; calm: boolean }) => Script): Script & {
    number: number;
  } {
    const number = journal.streams.length + 1;
    return { ...script({ number, random, calm: parts.isCalm() }), number };
  }

  function note(what: VendorStream['what'], marker: string, process: number): VendorStream {
    const at = journal.entries.length;
    const number = journal.streams.length + 1;
    const stream: VendorStream = { number, process, marker, what, said: [], ended: 'no', openedAt: at, endedAt: at };
    journal.streams.push(stream);
    return stream;
  }

  /** As vendors have it that want one: good for one stream. */
  function checkToken({ secretQuery, auth, baseUrl }: StreamRequest): void {
    if (!baseUrl.includes('tutor')) return;
    const token = secretQuery?.value.open() ?? '';
    if (auth.type !== 'none') journal.complaints.push('a stream with a token shows the credential, too');
    if (!tokens.delete(token)) journal.complaints.push('a stream came without a token, or with one that was used');
  }

  function start(request: StreamRequest, process: number): Arrived | ArrivedStream {
    const fate = parts.isCalm() ? 'stream' : random.weigh(STREAM_FATES);
    if (fate === 'unsent') throw new OutboundError('connect', { sent: false });
    const refused = parts.isCalm() ? null : parts.weather(request);
    checkToken(request);
    if (refused) {
      if (request.via === 'http') parts.countStart(request);
      return refused;
    }
    // The message that begins a run over a WebSocket leaves when the connection is open.
    const isSocket = request.via === 'websocket';
    if (isSocket && (fate === 'refuse' || fate === 'failUnbegun')) return answer(random.pick([401, 403, 429, 503]), {});
    parts.countStart(request);
    switch (fate) {
      case 'refuse':
        return answer(random.pick([401, 402, 403, 404, 429]), { error: { message: 'no' } }, { 'retry-after': '3' });
      case 'failUnbegun':
        return answer(random.pick([500, 503, 400]), {});
      case 'failBegun':
        if (isSocket) break;
        parts.begin(request);
        return answer(random.pick([500, 502, 503]), {});
      case 'cutUnbegun':
        throw new OutboundError('reset', { sent: true });
      case 'cutBegun':
        parts.begin(request);
        throw new OutboundError('reset', { sent: true });
      case 'silentBegun':
        parts.begin(request);
        throw new OutboundError('headers_timeout', { sent: true });
      case 'rubbishBegun':
        if (isSocket) break;
        parts.begin(request);
        return answer(200, { odd: true });
      case 'plain':
        if (isSocket) break;
        return startAnswer(request, parts.begin(request));
      case 'stream':
        break;
    }
    const run = parts.begin(request);
    const script = opened((about) => (isResumable(request) ? socketScript(run, about, now) : textScript(about)));
    return { script, stream: note('start', run.marker, process) };
  }

  function follow(request: StreamRequest, process: number): Arrived | ArrivedStream {
    const fate = parts.isCalm() ? 'stream' : random.weigh(FOLLOW_FATES);
    if (fate === 'unsent') throw new OutboundError('connect', { sent: false });
    if (fate === 'cut') throw new OutboundError('reset', { sent: true });
    if (fate === 'refuse') return answer(random.pick([401, 403, 404, 429, 500]), {});
    const run = parts.find(idIn(request));
    if (!run || fate === 'plain') return answer(run ? 200 : 404, {});
    const script = opened((about) => stepScript(run, about, now));
    return { script, stream: note('follow', run.marker, process) };
  }

  return {
    token(request) {
      const refused = parts.isCalm() ? null : parts.weather(request);
      if (refused) return refused;
      const fate = parts.isCalm() ? 'answer' : random.weigh(TOKEN_FATES);
      switch (fate) {
        case 'unsent':
          throw new OutboundError('dns', { sent: false });
        case 'cut':
          throw new OutboundError('reset', { sent: true });
        case 'silent':
          throw new OutboundError('headers_timeout', { sent: true });
        case 'refuse':
          return answer(random.pick([401, 402, 403, 404, 429]), {}, { 'retry-after': '3' });
        case 'fail':
          return answer(random.pick([500, 503]), {});
        case 'rubbish':
          return random.pick([answer(200, { success: false }), answer(200, { token: '' }), answer(204, null)]);
        case 'answer': {
          const token = `token-${++made}`;
          tokens.add(token);
          return answer(200, { success: true, token });
        }
      }
    },
    open: (request, process) => (request.connection === 'start' ? start(request, process) : follow(request, process)),
  };
}
