import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isIPv6 } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ResolveAll } from '../../../src/upstream/connector.ts';
import { DOOR_NAMES, openDoor } from './doors.ts';
import { echo, httpServer } from '../support.ts';

const PUBLIC = '93.184.216.34';
const PUBLIC_IPV6 = '2606:2800:220:1:248:1893:25c8:1946';

/** What a hostile name server may say of a vendor's name. */
const ANSWERS: Record<string, readonly string[]> = {
  'this machine': ['127.0.0.1'],
  'this machine over IPv6': ['::1'],
  'a private network': ['10.1.2.3'],
  'a private network over IPv6': ['fd12:3456::1'],
  'the metadata service': ['169.254.169.254'],
  'the metadata service over IPv6': ['fd00:ec2::254'],
  'the host agent': ['168.63.129.16'],
  'a mapped address': ['::ffff:10.0.0.1'],
  'a translated address': ['64:ff9b::a9fe:a9fe'],
  '6to4': ['2002:7f00:1::1'],
  Teredo: ['2001:0:4136:e378:8000:63bf:80ff:fffe'],
  'a zone': ['fe80::1%eth0'],
  'a public address first, then a private one': [PUBLIC, '10.0.0.1'],
  'a private address first, then a public one': ['192.168.0.1', PUBLIC],
  'a public IPv6 address, then a private IPv4 one': [PUBLIC_IPV6, '127.0.0.1'],
  'a public IPv4 address, then a private IPv6 one': [PUBLIC, '::1'],
  'a hundred public addresses and one private one': [...Array.from({ length: 100 }, () => PUBLIC), '127.0.0.1'],
  'no address at all, but a word': ['localhost'],
};

describe.each(DOOR_NAMES)('%s to a name', (name) => {
  const scheme = name === "an issuer's keys" ? 'https' : 'http';

  it.each(Object.keys(ANSWERS))('that resolves to %s goes nowhere', async (answer) => {
    const server = await httpServer(echo(() => ({})));
    const { resolve, asked } = answering([ANSWERS[answer] ?? []]);
    const outcome = await openDoor(name, { resolve }).go({ origin: `${scheme}://vendor.test:${server.port}` });
    expect(outcome).toMatchObject({ failure: 'forbidden_address', sent: false });
    expect([asked(), server.connections()]).toEqual([['vendor.test'], 0]);
  });

  it('that the system resolves to this machine goes nowhere', async () => {
    const server = await httpServer(echo(() => ({})));
    const outcome = await openDoor(name).go({ origin: `${scheme}://localhost:${server.port}` });
    expect(outcome).toMatchObject({ failure: 'forbidden_address', sent: false });
    expect(server.connections()).toBe(0);
  });

  it('asks once, and connects to the answer that was judged, whatever the name resolves to a moment later', async () => {
    const judged = await httpServer(echo(() => ({})));
    const later = await listenOn('127.0.0.2', judged.port);
    const { resolve, asked } = answering([['127.0.0.1'], ['127.0.0.2']]);
    const door = openDoor(name, { resolve, limits: { connectTimeoutMs: 1_000 } });

    await door.go({ origin: `http://vendor.test:${judged.port}`, allowPrivateNetwork: true });

    expect([asked(), judged.connections(), later()]).toEqual([['vendor.test'], 1, 0]);
  });

  it('judges every new connection by what the name is then', async () => {
    const server = await httpServer(echo(() => ({})));
    const { resolve, asked } = answering([[], ['127.0.0.1']]);
    const door = openDoor(name, { resolve });
    const origin = `${scheme}://vendor.test:${server.port}`;

    expect(await door.go({ origin })).toMatchObject({ failure: 'dns', sent: false });
    expect(await door.go({ origin })).toMatchObject({ failure: 'forbidden_address', sent: false });
    expect([asked().length, server.connections()]).toEqual([2, 0]);
  });
});

/** A resolver that gives these answers, one after the other. */
function answering(answers: readonly (readonly string[])[]): { resolve: ResolveAll; asked: () => string[] } {
  const asked: string[] = [];
  return {
    asked: () => asked,
    resolve: (hostname, _options, done) => {
      const addresses = (answers[asked.length] ?? []).map((address) => ({
        address,
        family: isIPv6(address) ? 6 : 4,
      }));
      asked.push(hostname);
      process.nextTick(done, null, addresses);
    },
  };
}

/** Another server of this machine, on the same port; how many connections it saw. */
async function listenOn(host: string, port: number): Promise<() => number> {
  let connections = 0;
  const server = createServer((_request, reply) => void reply.end('{}'));
  server.on('connection', () => connections++);
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  // The proof needs a server that would have answered.
  const probe = await fetch(`http://${host}:${(server.address() as AddressInfo).port}/`);
  await probe.text();
  connections = 0;
  return () => connections;
}
