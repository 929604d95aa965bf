import { OutboundError, type OutboundAnswer, type OutboundRequest } from '../../../src/core/outbound.ts';
import { noteStart } from './journal-starts.ts';
import type { Journal } from './journal.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedClock } from './simulated-clock.ts';
import {
  answer,
  brokenAnswer,
  clientRunId,
  commandAnswer,
  idIn,
  isResumable,
  markerOf,
  operationOf,
  startAnswer,
  stateAnswer,
} from './vendor-answers.ts';
import { vendorDoor, type Arrived, type SentResume, type VendorDoor } from './vendor-door.ts';
import { createVendorStreams } from './vendor-streams.ts';
import type { Weather } from './vendor-weather.ts';
import { newVendorRun, takeCancel, takePause, takeResume, waitingsOf, type VendorRun } from './vendor-run.ts';
import { webhookTargets } from './webhook-targets.ts';

export interface SimulatedVendors {
  /** The door of one incarnation; after `kill` nothing comes back through it, though requests may still arrive. */
  outbound(process: number): VendorDoor;
  /** Starts that began a run, by marker. */
  begun(marker: string): VendorRun[];
  /** By the vendor's id. */
  run(id: string | null): VendorRun | undefined;
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
const RESUME_FATES = {
  answer: 45,
  refuse: 10,
  failUntaken: 4,
  failTaken: 4,
  unsent: 6,
  cutUntaken: 5,
  cutTaken: 5,
  cutLate: 6,
  silentTaken: 3,
  rubbishTaken: 3,
  brokenTaken: 4,
  ignored: 3,
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
export function simulatedVendors({
  clock,
  random,
  journal,
  weather,
}: {
  clock: SimulatedClock;
  random: SeededRandom;
  journal: Journal;
  weather: Weather;
}): SimulatedVendors {
  const byId = new Map<string, VendorRun>();
  const sentByMarker = new Map<string, number>();
  const targets = webhookTargets({ clock, random, journal });
  let calmed = false;
  let made = 0;
  let resumes = 0;

  function begin(request: OutboundRequest): VendorRun {
    const id = clientRunId(request) ?? (++made).toString(16).padStart(24, 'a');
    const marker = markerOf(request);
    const run = newVendorRun({ id, marker, at: clock.now(), resumable: isResumable(request) }, random);
    // The same id twice would hide a second start: keep both.
    byId.set(byId.has(id) ? `${id}#${++made}` : id, run);
    return run;
  }

  function countStart(request: OutboundRequest): void {
    sentByMarker.set(markerOf(request), (sentByMarker.get(markerOf(request)) ?? 0) + 1);
  }

  const streams = createVendorStreams({
    random,
    journal,
    begin,
    countStart,
    now: () => clock.now(),
    isCalm: () => calmed,
    weather,
    find: (id) => byId.get(id),
  });

  function start(request: OutboundRequest): Arrived {
    const refused = calmed ? null : weather(request);
    if (refused) {
      countStart(request);
      return refused;
    }
    const fate = calmed ? 'answer' : random.weigh(START_FATES);
    if (fate === 'unsent') throw new OutboundError('connect', { sent: false });
    countStart(request);
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
        return rubbish(random);
      case 'brokenBegun':
        begin(request);
        return brokenAnswer();
      case 'answer':
        return startAnswer(request, begin(request));
    }
  }

  function resume(request: OutboundRequest, number: number): Arrived {
    const fate = calmed ? 'answer' : random.weigh(RESUME_FATES);
    if (fate === 'unsent') throw new OutboundError('connect', { sent: false });
    const run = byId.get(idIn(request));
    if (!run) return answer(404, {});
    const token = markerOf(request);
    const take = () => {
      const waiting = waitingsOf(run, clock.now());
      const taken = takeResume(run, clock.now());
      if (taken) journal.entries.push({ is: 'resume_taken', number, vendorRun: run.id, token, waiting });
      return taken;
    };
    switch (fate) {
      case 'refuse':
        return answer(random.pick([400, 401, 402, 403, 404, 409, 422, 429]), { message: 'no' }, { 'retry-after': '3' });
      case 'failUntaken':
        return answer(random.pick([500, 503]), {});
      case 'failTaken':
        take();
        return answer(random.pick([500, 502, 503]), {});
      case 'cutUntaken':
        throw new OutboundError('reset', { sent: true });
      case 'cutTaken':
        take();
        throw new OutboundError('reset', { sent: true });
      case 'cutLate':
        clock.after(random.below(15_000), take);
        throw new OutboundError('reset', { sent: true });
      case 'silentTaken':
        take();
        throw new OutboundError('headers_timeout', { sent: true });
      case 'rubbishTaken':
        take();
        return rubbish(random);
      case 'brokenTaken':
        take();
        return brokenAnswer();
      case 'ignored':
        return stateAnswer(request, run, clock.now());
      case 'answer': {
        if (!take()) return answer(409, {});
        const took = commandAnswer(request, run, clock.now());
        // Whether a command is answered at once, or when the run's turn is over, is the vendor's choice.
        return random.chance(0.5) ? took : () => commandAnswer(request, run, clock.now());
      }
    }
  }

  function read(request: OutboundRequest): Arrived {
    const fate = calmed ? 'answer' : random.weigh(READ_FATES);
    const operation = operationOf(request);
    // A 2xx says that the cancel was taken, whatever the vendor then does about it.
    const taken = operation === 'cancel' && (fate === 'rubbish' || fate === 'broken');
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
        return brokenAnswer();
      case 'answer':
        break;
    }
    const run = byId.get(idIn(request));
    if (!run) return answer(404, {});
    if (operation === 'cancel') run.cancelsAsked += 1;
    if (operation === 'read') return stateAnswer(request, run, clock.now());
    const refused = random.chance(0.3) || !(operation === 'cancel' ? takeCancel : takePause)(run, clock.now());
    return refused ? answer(409, {}) : commandAnswer(request, run, clock.now());
  }

  /** Notes a resume that leaves; how it came back is added when it does. */
  function noteResume(request: OutboundRequest, process: number): SentResume {
    const number = ++resumes;
    const vendorRun = idIn(request);
    const run = byId.get(vendorRun);
    const waitings = run ? waitingsOf(run, clock.now()) : 0;
    const lags = run !== undefined && run.lagMs > 0;
    const token = markerOf(request);
    journal.entries.push({ is: 'resume_sent', process, number, vendorRun, token, waitings, lags });
    return {
      number,
      back: (how) => void journal.entries.push({ is: 'resume_answered', process, number, vendorRun, how }),
    };
  }

  function arrive(request: OutboundRequest, sent: SentResume | null): Arrived {
    if (sent) return resume(request, sent.number);
    const operation = operationOf(request);
    if (operation === 'token') return streams.token(request);
    return operation === 'start' ? start(request) : read(request);
  }

  return {
    outbound: (process) =>
      vendorDoor({
        clock,
        random,
        arrive,
        note: (request) => noteResume(request, process),
        noteStart: (request) => noteStart(journal.starts, request, { clock, process }),
        open: (request) => streams.open(request, process),
        journalled: () => journal.entries.length,
        targets,
        process,
      }),
    begun: (marker) => [...byId.values()].filter((run) => run.marker === marker),
    run: (id) => (id === null ? undefined : byId.get(id)),
    sent: (marker) => sentByMarker.get(marker) ?? 0,
    calm() {
      calmed = true;
      targets.calm();
    },
  };
}

function rubbish(random: SeededRandom): OutboundAnswer {
  return random.pick([
    answer(200, { odd: true }),
    answer(204, null),
    answer(302, {}),
    { ...answer(200, null), body: { kind: 'too_large' } },
  ]);
}
