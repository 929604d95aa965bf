import type * as Dns from 'node:dns';
import type { LookupAddress } from 'node:dns';
import type { IncomingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import { createUpstream } from '../../../src/upstream/create-upstream.ts';
import { fixedMasterKeys, masterKeyOf } from '../../../src/vault/master-key.ts';
import { createWebhookSecrets } from '../../../src/vault/webhook-secrets.ts';
import { httpServer, UPSTREAM_LIMITS } from '../../upstream/support.ts';
import { silentLog } from '../../contract/store/open-test-store.ts';
import { createDelivererWorld, type DelivererWorld } from './deliverer-world.ts';

type Answer = { error: NodeJS.ErrnoException } | { addresses: LookupAddress[] };

/** What names resolve to from now on; null: what they really do. */
const dns = vi.hoisted(() => ({ answer: null as Answer | null }));
vi.mock('node:dns', async (importOriginal) => {
  const real = await importOriginal<typeof Dns>();
  type Done = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;
  const lookup = (name: string, options: { all: true }, done: Done) => {
    const { answer } = dns;
    if (answer === null) return real.lookup(name, options, done);
    return 'error' in answer ? done(answer.error, []) : done(null, answer.addresses);
  };
  return { ...real, lookup };
});

interface Received {
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
}

interface Receiver {
  origin: string;
  received: Received[];
}

/** A receiver that answers as it is told, or never. */
async function receiver(status: number | 'never', headers: Record<string, string> = {}): Promise<Receiver> {
  const received: Received[] = [];
  const { origin } = await httpServer(async (request, response) => {
    received.push({ url: request.url ?? '', headers: request.headers, body: await text(request) });
    if (status !== 'never') response.writeHead(status, headers).end('taken');
  });
  return { origin, received };
}

/** The real way out, on which a second takes ten milliseconds. */
function outbound(...known: string[]) {
  const upstream = createUpstream({
    clock: { ...systemClock, after: (ms, fn) => systemClock.after(ms / 100, fn) },
    random: createSystemRandom(),
    log: silentLog,
    limits: UPSTREAM_LIMITS,
    // The sandbox's privilege, which is none of a caller's.
    guard: { allowedLoopback: new Set(known.map((origin) => new URL(origin).host)) },
    version: '9.9.9',
  });
  onTestFinished(() => upstream.close());
  return upstream;
}

const webhook = (url: string) => ({ webhook: { url, events: ['run.succeeded'] as const } });

/** The vault's own signatures. */
function signer(world: DelivererWorld) {
  const random = createSystemRandom();
  const masterKeys = fixedMasterKeys([masterKeyOf(random.bytes(32))]);
  return createWebhookSecrets({ store: world.store.webhookSecrets, masterKeys, clock: world.clock, random });
}

describe('a target', () => {
  it('gets what standardwebhooks verifies, byte for byte, and nothing of the vendor’s or of the key', async () => {
    const world = await createDelivererWorld();
    const target = await receiver(204);
    const secrets = signer(world);
    const { secret } = await secrets.rotate('key_7d2f8a');
    vi.useFakeTimers({ now: world.clock.now(), toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    await world.ended({ ...webhook(`${target.origin}/hook?token=t`), inputs: { word: 'żółć 😀' } });
    await world.turn(
      world.deliverer('own_first', { outbound: outbound(), sign: secrets.sign, allowPrivateNetwork: true }),
    );
    const [message] = target.received;
    if (!message) throw new Error('nothing was sent');
    expect(message.url).toBe('/hook?token=t');
    expect(message.headers).toMatchObject({ 'content-type': 'application/json', 'user-agent': 'rungate/9.9.9' });
    expect(message.headers).not.toHaveProperty('authorization');
    const headers = message.headers as Record<string, string>;
    const verifier = new Webhook(secret.open());
    expect(verifier.verify(message.body, headers)).toMatchObject({
      type: 'run.succeeded',
      data: { status: 'succeeded', inputs: { word: 'żółć 😀' } },
    });
    expect(() => verifier.verify(message.body.replace('calm', 'warm'), headers)).toThrow('No matching signature');
    expect(() => verifier.verify(message.body, { ...headers, 'webhook-id': 'dlv_other' })).toThrow(
      'No matching signature',
    );
    const later = String(Number(headers['webhook-timestamp']) + 1);
    expect(() => verifier.verify(message.body, { ...headers, 'webhook-timestamp': later })).toThrow(
      'No matching signature',
    );
  });

  it('that is slow is given up after its time', async () => {
    const world = await createDelivererWorld();
    const target = await receiver('never');
    const run = await world.ended(webhook(target.origin));
    await world.turn(world.deliverer('own_first', { outbound: outbound(), allowPrivateNetwork: true }));
    expect(await world.message(run)).toMatchObject({ status: 'pending', tries: 1, lastError: 'timeout' });
    expect(target.received).toHaveLength(1);
  });

  it('cannot lead elsewhere by a redirect', async () => {
    const world = await createDelivererWorld();
    const other = await receiver(200);
    const target = await receiver(308, { location: `${other.origin}/stolen` });
    const run = await world.ended(webhook(target.origin));
    await world.turn(world.deliverer('own_first', { outbound: outbound(), allowPrivateNetwork: true }));
    expect(await world.message(run)).toMatchObject({ status: 'pending', lastStatus: 308, lastError: 'redirect' });
    expect(other.received).toHaveLength(0);
  });

  it('that is not public is refused at the try, whatever was allowed when the run began', async () => {
    const world = await createDelivererWorld();
    const target = await receiver(200);
    const run = await world.ended(webhook(target.origin));
    await world.turn(world.deliverer('own_first', { outbound: outbound(target.origin) }));
    expect(await world.message(run)).toMatchObject({ status: 'pending', lastError: 'forbidden_address' });
    expect(target.received).toHaveLength(0);
  });

  it('whose name comes to mean this machine is refused at that try', async () => {
    const world = await createDelivererWorld();
    const target = await receiver(200);
    const run = await world.ended(webhook(target.origin.replace('127.0.0.1', 'app.example')));
    const deliverer = world.deliverer('own_first', { outbound: outbound() });
    onTestFinished(() => void (dns.answer = null));
    dns.answer = { error: Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }) };
    await world.turn(deliverer);
    expect(await world.message(run)).toMatchObject({ tries: 1, lastError: 'dns' });
    dns.answer = { addresses: [{ address: '127.0.0.1', family: 4 }] };
    world.clock.advance(6_000);
    await world.turn(deliverer);
    expect(await world.message(run)).toMatchObject({ tries: 2, lastError: 'forbidden_address' });
    expect(target.received).toHaveLength(0);
    world.clock.advance(600_000);
    await world.turn(world.deliverer('own_first', { outbound: outbound(), allowPrivateNetwork: true }));
    expect(await world.message(run)).toMatchObject({ tries: 3, status: 'delivered' });
  });
});
