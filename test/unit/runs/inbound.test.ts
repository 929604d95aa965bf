import { createHmac } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createIds, type Owner, type RunId } from '../../../src/core/ids.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import { Secret } from '../../../src/core/secret.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { createRegistry } from '../../../src/providers/registry.ts';
import { createInboundWebhooks } from '../../../src/runs/inbound.ts';
import type { Run } from '../../../src/runs/model.ts';
import type { NewRun } from '../../../src/runs/ports.ts';
import { createVault } from '../../../src/vault/credentials.ts';
import { fixedMasterKeys, masterKeyOf } from '../../../src/vault/master-key.ts';
import { createSignatureVerifier } from '../../../src/vault/verify-signature.ts';
import { createTestPlace, silentLog } from '../../contract/store/open-test-store.ts';
import { newRun } from '../../contract/store/sample-run.ts';
import { NO_REFERENCES } from '../../support/no-references.ts';
import { usableStates } from '../../support/usable-states.ts';

const SECRET = 'whsec-of-the-vendor';
const OBJECT_ID = '507f1f77bcf86cd799439011';
const random = createSystemRandom();

async function setUp() {
  const place = createTestPlace();
  const store = await place.open();
  onTestFinished(() => place.remove());
  const masterKeys = fixedMasterKeys([masterKeyOf(random.bytes(32))]);
  const parts = { store: store.credentials, masterKeys, clock: place.clock, random };
  const vaultParts = { ...parts, states: usableStates, ids: createIds(parts) };
  const vault = createVault({ ...vaultParts, references: NO_REFERENCES, mayUse: () => false });
  for (const provider of ['b3os', 'interactly', 'second-b3os']) {
    await vault.add({ provider, label: null, purpose: 'webhook', secret: new Secret(SECRET) });
  }
  const registry = createRegistry({
    kinds: PROVIDER_KINDS,
    providers: { 'second-b3os': { kind: 'b3os' }, 'third-b3os': { kind: 'b3os' } },
    workflows: [],
  });
  const time = { monotonic: 0 };
  const timers: (() => void)[] = [];
  const seen = { hurried: [] as RunId[], soon: 0 };
  const hints: RunId[] = [];
  const told: string[] = [];
  const inbound = createInboundWebhooks({
    registry: () => registry,
    verify: createSignatureVerifier(parts),
    store: {
      findByVendorRun: (...asked) => store.runs.findByVendorRun(...asked),
      peek: (id) => store.runs.peek(id),
      async hurry(id) {
        const hurried = await store.runs.hurry(id);
        if (hurried) seen.hurried.push(id);
        return hurried;
      },
    },
    clock: {
      now: () => place.clock.now(),
      monotonic: () => time.monotonic,
      after(_, fn) {
        timers.push(fn);
        return () => undefined;
      },
    },
    log: { ...silentLog, info: (_, message) => void told.push(message) },
    soon: () => seen.soon++,
    onHint: (id) => void hints.push(id),
  });

  return {
    inbound,
    store,
    clock: place.clock,
    seen,
    hints,
    told,
    /** Lets a second pass. */
    async second() {
      time.monotonic += 1_000;
      for (const fn of timers.splice(0)) fn();
      await new Promise((resolve) => setImmediate(resolve));
    },
    timers,
    /** A run that the vendor works on, polled in ten seconds. */
    async polled(provider: string, vendorId: string | null, changes: Partial<NewRun> = {}): Promise<Run> {
      const run = newRun(place.nextId(), place.clock.now(), {
        provider,
        kind: provider,
        owner: null,
        dueInMs: 10_000,
        care: { step: 'poll', tries: 3, notFound: 0 },
        upstream: { runId: vendorId, status: null, requestId: null, stopped: null, pollError: null, rateLimit: null },
        ...changes,
      });
      const written = await store.runs.create(run, { idempotency: null, quota: null });
      if (written.kind !== 'created') throw new Error('expected a new run');
      return written.run;
    },
    receive(provider: string, body: unknown, { secret = SECRET, ...headers }: Record<string, string> = {}) {
      const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
      const signature = createHmac('sha256', secret).update(bytes).digest('hex');
      const name = provider === 'interactly' ? 'x-interactly-signature' : 'x-b3os-signature';
      return inbound.receive(provider, { headers: { [name]: signature, ...headers }, body: bytes });
    },
    nowS: () => String(Math.floor(place.clock.now() / 1000)),
  };
}

describe('a vendor’s webhook', () => {
  it('makes B3OS be asked about its run, by its id or by ours', async () => {
    const world = await setUp();
    const theirs = await world.polled('b3os', 'run_theirs_1');
    const ours = await world.polled('b3os', null, {
      care: { step: 'lookup', cause: 'outcome_unknown', tries: 1, unknownSince: null },
    });
    expect(await world.receive('b3os', { type: 'run.completed', runId: 'run_theirs_1' })).toBe('taken');
    expect(await world.receive('b3os', { type: 'run.completed', runId: ours.id })).toBe('taken');
    expect(world.seen).toEqual({ hurried: [theirs.id, ours.id], soon: 2 });
    expect(world.hints).toEqual([theirs.id, ours.id]);
    expect((await world.store.runs.claim('own_a' as Owner, 5)).map(({ id }) => id).sort()).toEqual(
      [theirs.id, ours.id].sort(),
    );
  });

  it('makes Interactly be asked about its run, within its window of time', async () => {
    const world = await setUp();
    const run = await world.polled('interactly', OBJECT_ID);
    const body = { action: 'workflow_run_completed', workflow_run_id: OBJECT_ID };
    const late = String(Math.floor(world.clock.now() / 1000) - 301);
    for (const time of [{}, { 'x-interactly-timestamp': late }, { 'x-interactly-timestamp': 'noon' }]) {
      expect(await world.receive('interactly', body, time as Record<string, string>)).toBe('refused');
    }
    expect(world.seen.hurried).toEqual([]);
    for (const time of [world.nowS(), String(world.clock.now()), new Date(world.clock.now()).toISOString()]) {
      expect(await world.receive('interactly', body, { 'x-interactly-timestamp': time })).toBe('taken');
    }
    expect(world.seen.hurried).toEqual([run.id]);
  });

  it('that no credential can check is told of once a minute, whoever sends how many', async () => {
    const world = await setUp();
    const send = async () => expect(await world.receive('third-b3os', { runId: 'r' })).toBe('unknown');
    for (let times = 0; times < 100; times++) await send();
    expect(world.told).toEqual([expect.stringContaining('no credential of purpose webhook')]);
    for (let seconds = 0; seconds < 60; seconds++) await world.second();
    for (let times = 0; times < 2; times++) await send();
    expect(world.told).toHaveLength(2);
  });

  it('is refused without the right signature, and nobody is asked', async () => {
    const world = await setUp();
    await world.polled('b3os', 'run_theirs_1');
    const body = { runId: 'run_theirs_1' };
    expect(await world.receive('b3os', body, { secret: 'guessed' })).toBe('refused');
    expect(await world.receive('b3os', body, { 'x-b3os-signature': '' })).toBe('refused');
    const bytes = Buffer.from(JSON.stringify(body));
    expect(await world.inbound.receive('b3os', { headers: {}, body: bytes })).toBe('refused');
    expect(world.seen).toEqual({ hurried: [], soon: 0 });
  });

  it('goes nowhere where the provider is unknown, takes none, or has no credential for it', async () => {
    const world = await setUp();
    for (const name of ['nobody', 'ai-tutor', 'draft-and-goal', 'third-b3os', '__proto__']) {
      expect(await world.receive(name, { runId: 'run_theirs_1' })).toBe('unknown');
    }
  });

  it('is taken and does nothing for what is no run of that provider, or nothing to ask about', async () => {
    const world = await setUp();
    const others = await world.polled('second-b3os', 'run_theirs_1', { kind: 'b3os' });
    const queued = await world.polled('b3os', null, { status: 'queued', care: { step: 'start' }, attempts: [] });
    const flying = await world.polled('b3os', 'run_theirs_2', { owner: 'own_a' as Owner, dueInMs: null });
    const bodies = ['run_theirs_1', others.id, queued.id, flying.upstream.runId, 'run_nobodys', 7, null];
    for (const runId of bodies) expect(await world.receive('b3os', { runId })).toBe('taken');
    for (const text of ['', 'no json', '[]', 'null', '"run_theirs_2"'])
      expect(await world.receive('b3os', text)).toBe('taken');
    expect(world.seen).toEqual({ hurried: [], soon: 0 });
  });

  it('that comes a thousand times asks the vendor once', async () => {
    const world = await setUp();
    const run = await world.polled('b3os', 'run_theirs_1');
    const copy = { type: 'run.completed', runId: 'run_theirs_1' };
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => world.receive('b3os', copy)));
    expect(new Set(answers)).toEqual(new Set(['taken']));
    // The poll is in flight, then over; more copies come meanwhile.
    await world.store.runs.claim('own_a' as Owner, 5);
    await world.receive('b3os', copy);
    await world.store.runs.release('own_a' as Owner, []);
    await world.receive('b3os', copy);
    expect(world.seen).toEqual({ hurried: [run.id], soon: 1 });
  });

  it('that says something else within a second makes the vendor be asked once more, after it', async () => {
    const world = await setUp();
    const run = await world.polled('b3os', 'run_theirs_1');
    await world.receive('b3os', { type: 'run.started', runId: 'run_theirs_1' });
    const [polled] = await world.store.runs.claim('own_a' as Owner, 5);
    if (!polled) throw new Error('it was due');
    await world.store.runs.move(
      { run: polled },
      { status: 'running', patch: {}, events: [], owner: null, dueInMs: 15_000 },
    );
    for (let i = 0; i < 50; i++) await world.receive('b3os', { type: 'node.done', i, runId: 'run_theirs_1' });
    expect(world.seen.hurried).toHaveLength(1);
    await world.second();
    expect(world.seen).toEqual({ hurried: [run.id, run.id], soon: 2 });
    await world.second();
    await world.second();
    expect(world.seen.hurried).toHaveLength(2);
    expect(world.timers, 'nothing is left to be remembered').toHaveLength(0);
  });
});
