import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { OutboundError } from '../../src/core/outbound.ts';
import { createConnector, type ResolveAll } from '../../src/upstream/connector.ts';
import { createAddressGuard } from '../../src/upstream/guard.ts';
import { echo, failureOf, httpServer, requestTo, testUpstream } from './support.ts';

describe('the connect-time guard', () => {
  it('refuses loopback by default, and the server sees no connection', async () => {
    const server = await httpServer(echo(() => ({})));
    const upstream = testUpstream({ loopback: false });

    const error = await failureOf(upstream.call(server.origin));

    expect(error).toMatchObject({ failure: 'forbidden_address', sent: false });
    expect(server.connections()).toBe(0);
  });

  it.each(['0x7f000001', '0177.0.0.1', '2130706433', '127.1', '127.0.0.1.', '[::1]', '[::ffff:127.0.0.1]', '0.0.0.0'])(
    'refuses loopback spelt %s',
    async (host) => {
      const server = await httpServer(echo(() => ({})));
      const upstream = testUpstream({ loopback: false });

      const error = await failureOf(upstream.call(`http://${host}:${server.port}`));

      expect(error).toMatchObject({ failure: 'forbidden_address', sent: false });
      expect(server.connections()).toBe(0);
    },
  );

  it('refuses a name that resolves to loopback, even to a pair that is allowed as a literal', async () => {
    const server = await httpServer(echo(() => ({})));
    const upstream = testUpstream();
    expect((await upstream.call(server.origin)).status).toBe(200);

    const error = await failureOf(upstream.call(`http://localhost:${server.port}`));

    expect(error).toMatchObject({ failure: 'forbidden_address', sent: false });
  });

  it('lets only the exact pair pass', async () => {
    const [allowed, other] = [await httpServer(echo(() => ({}))), await httpServer(echo(() => ({})))];
    const upstream = testUpstream();

    expect((await upstream.call(allowed.origin)).status).toBe(200);
    const signal = new AbortController().signal;
    expect(await failureOf(upstream.send(requestTo(other.origin), signal))).toMatchObject({
      failure: 'forbidden_address',
    });
    expect(other.connections()).toBe(0);
  });

  it('never shares a connection between providers that may reach private networks and others', async () => {
    const server = await httpServer(echo(() => ({})));
    const upstream = testUpstream({ loopback: false });

    expect((await upstream.call(server.origin, { allowPrivateNetwork: true })).status).toBe(200);
    const error = await failureOf(upstream.call(server.origin));

    expect(error).toMatchObject({ failure: 'forbidden_address', sent: false });
  });

  it('refuses a name if one of its addresses is refused', async () => {
    const error = await connectTo('vendor.test', 443, [['93.184.216.34', '10.0.0.1']]);

    expect(error).toMatchObject({ failure: 'forbidden_address', sent: false });
  });

  it('connects to what it checked: the name is resolved once, and a later answer changes nothing', async () => {
    const server = await httpServer(echo(() => ({})));
    const outcome = await connectTo('rebinding.test', server.port, [['127.0.0.1'], ['10.0.0.1']], true);

    expect(outcome).toBe('127.0.0.1');
  });

  it('reports a name without addresses, or that does not exist, as dns', async () => {
    expect(await connectTo('empty.test', 80, [[]])).toMatchObject({ failure: 'dns', sent: false });
    const upstream = testUpstream();
    const error = await failureOf(upstream.call('http://nowhere.invalid'));
    expect(error).toMatchObject({ failure: 'dns', sent: false });
  });
});

/** Connects with DNS answers of our own: the remote address, or the error. */
function connectTo(hostname: string, port: number, answers: string[][], allowPrivateNetwork = false): Promise<unknown> {
  const resolve: ResolveAll = (_name, _options, done) => {
    const addresses = (answers.shift() ?? []).map((address) => ({ address, family: 4 }));
    process.nextTick(done, null, addresses);
  };
  const connect = createConnector({
    clock: systemClock,
    guard: createAddressGuard({ allowPrivateNetwork, allowedLoopback: new Set() }),
    connectTimeoutMs: 1_000,
    closing: new AbortController().signal,
    resolve,
  });
  return new Promise((settle) => {
    connect({ hostname, protocol: 'http:', port: String(port) }, (error, socket) => {
      if (error !== null) return settle(error instanceof OutboundError ? error : `not ours: ${error.message}`);
      settle(socket.remoteAddress);
      socket.destroy();
    });
  });
}
