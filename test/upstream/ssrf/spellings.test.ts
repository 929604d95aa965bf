import { describe, expect, it } from 'vitest';
import { DOOR_NAMES, openDoor } from './doors.ts';
import { echo, httpServer } from '../support.ts';

/** Ways to write 127.0.0.1 into a URL. */
const LOOPBACK = [
  '127.0.0.1',
  '127.0.0.1.',
  '127.1',
  '127.0.1',
  '0177.1',
  '0177.0.0.1',
  '00000177.000.00.01',
  '0x7f.0x0.0x0.0x1',
  '0x7f.1',
  '0X7F.0.0.1',
  '0x7f.0.1',
  '0x7f000001',
  '0x00000000007f000001',
  '2130706433',
  '017700000001',
  '127.0x1',
  '0177.0x0.1',
  '%31%32%37.0.0.1',
  '127%2E0%2e0%2E1',
  '%30%78%37%66%2e%31',
  '１２７.０.０.１',
  '127。0。0。1',
  '127．0｡0.1',
  '①②⑦.⓪.⓪.①',
  '１２７．１',
  '127.0.0.1%2e',
  '[::1]',
  '[0:0:0:0:0:0:0:1]',
  '[0000:0000:0000:0000:0000:0000:0000:0001]',
  '[::0.0.0.1]',
  '[::ffff:127.0.0.1]',
  '[::FFFF:7F00:1]',
  '[0:0:0:0:0:ffff:127.0.0.1]',
  '[::127.0.0.1]',
  '[::ffff:0:127.0.0.1]',
  '[64:ff9b::127.0.0.1]',
  '[64:FF9B:0:0:0:0:7F00:1]',
  '[64:ff9b:1::7f00:1]',
  '[64:ff9b:1:ffff:ffff:ffff:7f00:1]',
  '[2002:7f00:1::]',
  '[2001:0:4136:e378:8000:63bf:80ff:fffe]',
];

/** Other machines that are not the vendor's. */
const ELSEWHERE = [
  '0.0.0.0',
  '0',
  '0x0',
  '[::]',
  '10.0.0.1',
  '012.0.0.1',
  '0xa000001',
  '172.16.0.1',
  '192.168.1.1',
  '192.168.257',
  '3232235777',
  '169.254.169.254',
  '2852039166',
  '0xa9fea9fe',
  '0251.0376.0251.0376',
  '169.254.43518',
  '[::ffff:169.254.169.254]',
  '[::ffff:a9fe:a9fe]',
  '[64:ff9b::a9fe:a9fe]',
  '[2002:a9fe:a9fe::]',
  '[fd00:ec2::254]',
  '[FD00:0EC2:0:0:0:0:0:0254]',
  '168.63.129.16',
  '2822734096',
  '100.100.100.200',
  '0x64.0x64.0x64.0xc8',
  '[fe80::1]',
  '[fec0::1]',
  '[ff02::1]',
  '[100::1]',
  '[4000::1]',
  '224.0.0.1',
  '255.255.255.255',
];

/** No URL at all; an address with a zone is one of these. */
const NO_URL = [
  '127.0.0.1.1',
  '127.0.0.256',
  '0x7f.0.0.0.1',
  '4294967296',
  '[::1',
  '::1',
  '[::1%25lo]',
  '[fe80::1%25eth0]',
  '[fe80::1%eth0]',
  '[::ffff:127.1]',
  '127.0.0.1%00.example.com',
  '09.0.0.1',
];

describe.each(DOOR_NAMES)('%s', (name) => {
  it.each(LOOPBACK)('never reaches this machine, spelt %s', async (host) => {
    const server = await httpServer(echo(() => ({})));
    const outcome = await openDoor(name).go({ origin: `${schemeOf(name)}://${host}:${server.port}` });
    expect(outcome).toMatchObject({ failure: 'forbidden_address', sent: false });
    expect(server.connections()).toBe(0);
  });

  it.each(ELSEWHERE)('never reaches what is not public, spelt %s', async (host) => {
    const outcome = await openDoor(name).go({ origin: `${schemeOf(name)}://${host}` });
    expect(outcome).toMatchObject({ failure: 'forbidden_address', sent: false });
  });

  it.each(NO_URL)('does not guess what %s may be', async (host) => {
    // Vault's address is judged where settings are read; nothing of it comes this far.
    const door = openDoor(name === 'Vault' ? 'a call' : name);
    const outcome = await door.go({ origin: `${schemeOf(name)}://${host}` });
    expect(outcome).toMatchObject({ failure: 'invalid_request', sent: false });
  });
});

describe('a spelling that is refused', () => {
  it('is refused for where it leads, not for how it looks: the same server answers where private networks are let in', async () => {
    const server = await httpServer(echo(() => ({ hello: true })));
    const reached = LOOPBACK.filter((host) => !host.startsWith('['));
    for (const host of reached) {
      const origin = `http://${host}:${server.port}`;
      const answer = await openDoor('a call').go({ origin, allowPrivateNetwork: true });
      expect([host, answer]).toMatchObject([host, { status: 200 }]);
    }
    expect(server.connections()).toBe(reached.length);
  });
});

/** Documents are fetched over TLS alone, unless private networks are let in. */
function schemeOf(name: (typeof DOOR_NAMES)[number]): string {
  return name === "an issuer's keys" ? 'https' : 'http';
}
