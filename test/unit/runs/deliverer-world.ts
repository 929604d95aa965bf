import { createHmac } from 'node:crypto';
import { onTestFinished } from 'vitest';
import type { Owner } from '../../../src/core/ids.ts';
import { reviveJson } from '../../../src/core/json.ts';
import type { Log, LogFields } from '../../../src/core/log.ts';
import type { Outbound, PlainAnswer, PlainPost } from '../../../src/core/outbound.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import { createDeliverer, type Deliverer, type DelivererParts, type SignMessage } from '../../../src/runs/deliverer.ts';
import type { Delivery, Run } from '../../../src/runs/model.ts';
import { createMover } from '../../../src/runs/mover.ts';
import type { NewRun } from '../../../src/runs/ports.ts';
import type { Store } from '../../../src/store/open-store.ts';
import { createTestPlace, silentLog, type TestClock } from '../../contract/store/open-test-store.ts';
import { newRun, success } from '../../contract/store/sample-run.ts';

export const URL_OF_CALLER = 'https://app.example/hook?token=a-callers-secret';
const WEBHOOK = { url: URL_OF_CALLER, events: ['run.waiting', 'run.succeeded', 'run.failed'] } as const;

type Answer = Partial<PlainAnswer> | Error | Promise<PlainAnswer>;

/** A target without a network: what it was sent, and what it answers. */
export interface ScriptedTarget extends Pick<Outbound, 'post'> {
  readonly posts: PlainPost[];
  /** The texts of `posts`, read. */
  bodies(): Message[];
  /** Answers from now on; one for each post, the last for all that follow. */
  answer(...answers: Answer[]): void;
}

export interface Message {
  type: string;
  timestamp: string;
  data: Record<string, unknown>;
}

export function scriptedTarget(): ScriptedTarget {
  const posts: PlainPost[] = [];
  let script: Answer[] = [{ status: 204 }];
  return {
    posts,
    bodies: () => posts.map(({ body }) => reviveJson<Message>(body)),
    answer: (...answers) => void (script = answers),
    async post(request) {
      posts.push(request);
      const next = (script.length > 1 ? script.shift() : script[0]) ?? {};
      if (next instanceof Error) throw next;
      return { status: 200, headers: {}, ...(await next) };
    },
  };
}

export interface DelivererWorld {
  store: Store;
  clock: TestClock;
  log: { level: keyof Log; fields: LogFields; message: string }[];
  target: ScriptedTarget;
  /** Of the process that is called so. */
  deliverer(owner?: string, changes?: Partial<DelivererParts>): Deliverer;
  /** A turn, and everything that it began. */
  turn(deliverer: Deliverer): Promise<void>;
  /** Has the target answer this deliverer once, and forgets that. */
  prove(deliverer: Deliverer): Promise<void>;
  run(overrides?: Partial<NewRun>): Promise<Run>;
  /** A run that has ended well, with the message about it. */
  ended(overrides?: Partial<NewRun>): Promise<Run>;
  end(run: Run): Promise<Run>;
  wait(run: Run): Promise<Run>;
  messages(run: Run): Promise<Delivery[]>;
  /** The only message of a run. */
  message(run: Run): Promise<Delivery>;
}

/** A signature like any other. */
const sign: SignMessage = async (lineage, { id, timestampS, body }) => [
  `v1,${createHmac('sha256', lineage).update(`${id}.${timestampS}.${body}`).digest('base64')}`,
];

/** Runs in a real store, and deliverers over it. */
export async function createDelivererWorld(): Promise<DelivererWorld> {
  const place = createTestPlace();
  const store = await place.open();
  onTestFinished(() => place.remove());
  const { clock } = place;
  const target = scriptedTarget();
  const log: DelivererWorld['log'] = [];
  const write = (level: keyof Log) => (fields: LogFields, message: string) => void log.push({ level, fields, message });
  const mover = createMover({ store: store.runs, clock, log: silentLog, onMoved: () => undefined });

  async function moved(run: Run, change: Parameters<typeof mover.move>[1]): Promise<Run> {
    const result = await mover.move(run, change);
    if (result === 'stale') throw new Error('nobody else moves this run');
    return result;
  }
  const world: DelivererWorld = {
    store,
    clock,
    log,
    target,
    deliverer: (owner = 'own_first', changes = {}) =>
      createDeliverer({
        store: store.runs,
        outbound: target,
        sign,
        clock,
        random: createSystemRandom(),
        log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') },
        owner: owner as Owner,
        limits: { deliveriesMax: 16 },
        allowPrivateNetwork: false,
        stopped: new AbortController().signal,
        ...changes,
      }),
    async turn(deliverer) {
      await deliverer.turn();
      await deliverer.idle();
    },
    async prove(deliverer) {
      await world.ended();
      await world.turn(deliverer);
      target.posts.length = 0;
    },
    async run(overrides = {}) {
      const written = await store.runs.create(newRun(place.nextId(), clock.now(), { webhook: WEBHOOK, ...overrides }), {
        idempotency: null,
        quota: null,
      });
      if (written.kind !== 'created') throw new Error(`expected a new run, got ${written.kind}`);
      return written.run;
    },
    ended: async (overrides) => world.end(await world.run(overrides)),
    end: (run) => moved(run, success(run, clock.now())),
    wait: (run) =>
      moved(run, {
        status: 'waiting',
        patch: { waiting: { for: 'input', hint: { question: 'which?' } }, deadlineAt: clock.now() + 1_000 },
        events: [{ type: 'run.waiting', at: clock.now(), data: {} }],
        owner: null,
        dueInMs: 60_000,
      }),
    messages: ({ id }) => store.runs.deliveries(id),
    async message(run) {
      const [first, ...more] = await store.runs.deliveries(run.id);
      if (first === undefined || more.length > 0) throw new Error(`expected one message, got ${more.length + 1}`);
      return first;
    },
  };
  return world;
}
