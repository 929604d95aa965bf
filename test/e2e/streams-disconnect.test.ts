import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pause, systemClock } from '../../src/core/clock.ts';
import { PROVIDER_KINDS } from '../../src/providers/catalog.generated.ts';
import type { AnyProviderKind } from '../../src/providers/define-provider.ts';
import { allAtOnce } from '../support/all-at-once.ts';
import { startCountingProxy, type CountingProxy } from '../support/counting-proxy.ts';
import type { EventClient } from '../support/event-client.ts';
import { startTestGateway, vendorOf, type Answered, type TestGateway } from '../support/gateway.ts';
import { followRun, openAt, untilType } from '../support/streams.ts';

/** One caller's behaviour, towards a run that would go on for long. */
interface Behaviour {
  name: string;
  /** Resolves when nobody is left who could stop it, or be seen to stop it. */
  play(world: World): Promise<void>;
  /** What is to be seen of the run after the grace. */
  becomes: 'cancelled' | 'still running';
}

interface World {
  /** A `POST /runs` with `on_disconnect`; later ones are copies with the same key. */
  post(accept: 'held' | 'stream' | 'async' | 'wait=1', onDisconnect?: string): EventClient;
  /** Of the run, once the vendor has it. */
  id(): Promise<string>;
  follow(id: string): EventClient;
}

interface Played {
  run: Answered['body'];
  /** From when nobody was there to its end; null: it has none. */
  afterMs: number | null;
}

const GRACE_MS = 5_000;
/** By then a cancel would have come, on a busy machine too. */
const CANCELLED_BY_MS = GRACE_MS + 3_000;
const WITHIN_GRACE_MS = 2_500;
const WORKFLOW = 'runs-60000';
const SLOW_MS = 40_000;

const wait = (ms: number) => pause(systemClock, ms);

const BEHAVIOURS: readonly Behaviour[] = [
  { name: 'drops a held POST', becomes: 'cancelled', play: async (world) => dropOf(world, 'held') },
  { name: 'drops a streamed POST', becomes: 'cancelled', play: async (world) => dropOf(world, 'stream') },
  {
    name: 'drops a held POST, and later the copy that had joined it',
    becomes: 'cancelled',
    async play(world) {
      const first = world.post('held');
      await world.id();
      const joined = world.post('stream');
      await untilType(joined, 'run.started');
      first.leave();
      await wait(WITHIN_GRACE_MS);
      joined.leave();
    },
  },
  {
    name: 'drops a held POST while a copy of it waits',
    becomes: 'still running',
    async play(world) {
      const first = world.post('held');
      await world.id();
      world.post('held');
      await untilType(world.post('stream'), 'run.started');
      first.leave();
    },
  },
  {
    name: 'drops a held POST and sends it again within the grace',
    becomes: 'still running',
    async play(world) {
      await dropOf(world, 'held');
      await wait(WITHIN_GRACE_MS);
      world.post('held');
    },
  },
  {
    name: 'drops a streamed POST and comes back to its events',
    becomes: 'still running',
    async play(world) {
      await dropOf(world, 'stream');
      const id = await world.id();
      await wait(WITHIN_GRACE_MS);
      await untilType(world.follow(id), 'run.started');
    },
  },
  {
    name: 'is answered with 202 and leaves',
    becomes: 'still running',
    async play(world) {
      const client = world.post('wait=1');
      await client.whole();
      expect(client.status()).toBe(202);
      client.leave();
    },
  },
  {
    name: 'is answered with 202, reads the events for a while and leaves',
    becomes: 'still running',
    async play(world) {
      await world.post('async').whole();
      const reader = world.follow(await world.id());
      await untilType(reader, 'run.started');
      reader.leave();
    },
  },
  {
    name: 'was answered with 202 once, and drops a copy that waits',
    becomes: 'still running',
    async play(world) {
      await world.post('async').whole();
      await world.id();
      const copy = world.post('stream');
      await untilType(copy, 'run.started');
      copy.leave();
    },
  },
  {
    name: 'did not ask for it',
    becomes: 'still running',
    async play(world) {
      const client = world.post('held', 'continue');
      await world.id();
      client.leave();
    },
  },
];

const cases = PROVIDER_KINDS.flatMap((kind) =>
  BEHAVIOURS.map((behaviour) => ({ kind, behaviour, name: behaviour.name })),
);
type Case = (typeof cases)[number];
const nameOf = ({ kind: { kind }, name }: Case) => `${kind}: ${name}`;
const results = allAtOnce(cases, nameOf, play);
const clients: EventClient[] = [];
let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startTestGateway();
  results.begin();
});
afterAll(async () => {
  for (const client of clients) client.leave();
  await gateway.stop();
  if (gateway.complaints.length > 0) throw new Error(`the log complains: ${gateway.complaints.join('; ')}`);
});

/** Waits until the run is at the vendor, then drops its one caller. */
async function dropOf(world: World, accept: 'held' | 'stream'): Promise<void> {
  const client = world.post(accept);
  await world.id();
  client.leave();
}

function createWorld(at: TestGateway, kind: AnyProviderKind, name: string): World {
  const tag = `${kind.kind} ${name}`;
  const workflow = at.workflowId(kind.kind, WORKFLOW);
  const keep = (client: EventClient) => {
    clients.push(client);
    return client;
  };
  return {
    post(accept, onDisconnect = 'cancel') {
      const body = {
        provider: kind.kind,
        workflow,
        metadata: { case: tag },
        ...(onDisconnect === 'continue' ? {} : { on_disconnect: onDisconnect }),
      };
      const prefer = { held: 'wait=60', stream: '', async: 'respond-async', 'wait=1': 'wait=1' }[accept];
      const headers = {
        'idempotency-key': tag,
        ...(accept === 'stream' ? {} : { accept: 'application/json', prefer }),
      };
      return keep(openAt(at, { method: 'POST', path: '/runs', body, headers }));
    },
    async id() {
      const query = new URLSearchParams({ 'metadata[case]': tag });
      for (;;) {
        const { body } = await at.get(`/runs?${query.toString()}`);
        const run = body.data[0];
        // A kind that names its runs has named it: then the vendor can be asked to stop it.
        if (run?.status === 'running' && (kind.poll === undefined || run.upstream.run_id !== null)) return run.id;
        await wait(20);
      }
    },
    follow: (id) => keep(followRun(at, id)),
  };
}

async function play({ kind, behaviour }: Case): Promise<Played> {
  const world = createWorld(gateway, kind, behaviour.name);
  await behaviour.play(world);
  const leftAt = Date.now();
  const id = await idOf(kind, behaviour.name);
  if (behaviour.becomes === 'cancelled') {
    const run = await gateway.end(id);
    return { run, afterMs: Date.parse(run.finished_at) - leftAt };
  }
  // Nothing may happen, so there is nothing to wait for but time.
  await wait(CANCELLED_BY_MS);
  return { run: (await gateway.get(`/runs/${id}`)).body, afterMs: null };
}

async function idOf({ kind }: AnyProviderKind, name: string): Promise<string> {
  const query = new URLSearchParams({ 'metadata[case]': `${kind} ${name}` });
  return (await gateway.get(`/runs?${query.toString()}`)).body.data[0].id;
}

describe.each(cases)('a run of $kind.kind whose caller $name', (one) => {
  it(
    `is ${one.behaviour.becomes}`,
    async () => {
      const { run, afterMs } = await results.resultOf(nameOf(one));
      if (one.behaviour.becomes === 'still running')
        return expect(run).toMatchObject({ status: 'running', error: null });
      // The vendor that can be asked was asked, and has said so.
      const stopped = one.kind.cancel !== undefined;
      expect(run).toMatchObject({ status: 'cancelled', error: null, output: null, upstream: { stopped } });
      expect(afterMs).toBeGreaterThanOrEqual(GRACE_MS - 100);
      expect(afterMs).toBeLessThan(CANCELLED_BY_MS);
    },
    SLOW_MS,
  );
});

describe.each(PROVIDER_KINDS.filter(({ cancel }) => cancel === undefined))(
  'at $kind, which cannot be asked',
  (kind) => {
    it(
      'the connection of a start under way is closed',
      async () => {
        const { origin, baseUrl } = vendorOf(gateway.sandbox, kind.kind);
        const proxy: CountingProxy = await startCountingProxy(origin);
        const own = await startTestGateway({
          providers: () => ({ [kind.kind]: { kind: kind.kind, baseUrl: baseUrl.replace(origin, proxy.origin) } }),
        });
        const body = { provider: kind.kind, workflow: 'slow-60000.runs-60000', on_disconnect: 'cancel' };
        const client = openAt(own, { method: 'POST', path: '/runs', body, headers: { accept: 'application/json' } });
        await expect.poll(() => proxy.open(), { timeout: 5_000 }).toBe(1);
        client.leave();
        await expect.poll(() => proxy.open(), { timeout: CANCELLED_BY_MS + 5_000 }).toBe(0);
        const run = (await own.get('/runs')).body.data[0];
        expect(await own.end(run.id)).toMatchObject({ status: 'cancelled', upstream: { stopped: false } });
        await own.stop();
        await proxy.close();
      },
      SLOW_MS,
    );
  },
);

describe('a gateway that is stopped', () => {
  it(
    'has not dropped anybody: the runs of those whom it lets go are not cancelled',
    async () => {
      const own = await startTestGateway();
      const polled = PROVIDER_KINDS.filter(({ poll }) => poll !== undefined);
      const worlds = polled.map((kind) => createWorld(own, kind, 'is let go'));
      for (const world of worlds) world.post('held');
      const ids = await Promise.all(worlds.map((world) => world.id()));
      await own.shutDown();
      await own.startUp();
      await wait(CANCELLED_BY_MS);
      for (const id of ids) expect((await own.get(`/runs/${id}`)).body).toMatchObject({ status: 'running' });
      await own.stop();
    },
    SLOW_MS,
  );
});
