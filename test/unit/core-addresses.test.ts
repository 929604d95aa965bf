import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classifyAddress, SPECIAL_IPV4, SPECIAL_IPV6, type AddressClass } from '../../src/core/addresses.ts';

const TABLE: [string, AddressClass][] = [
  ['0.0.0.0', 'unspecified'],
  ['0.1.2.3', 'unspecified'],
  ['10.0.0.0', 'private'],
  ['10.255.255.255', 'private'],
  ['100.63.255.255', 'public'],
  ['100.64.0.1', 'carrier_grade_nat'],
  ['100.100.100.200', 'carrier_grade_nat'],
  ['100.128.0.0', 'public'],
  ['127.0.0.1', 'loopback'],
  ['127.255.255.254', 'loopback'],
  ['169.254.169.254', 'link_local'],
  ['168.63.129.16', 'platform'],
  ['172.15.255.255', 'public'],
  ['172.16.0.1', 'private'],
  ['172.31.255.255', 'private'],
  ['172.32.0.0', 'public'],
  ['192.0.0.192', 'reserved'],
  ['192.0.2.1', 'documentation'],
  ['192.88.99.1', 'embeds_ipv4'],
  ['192.168.1.1', 'private'],
  ['192.169.0.0', 'public'],
  ['198.17.255.255', 'public'],
  ['198.18.0.1', 'benchmarking'],
  ['198.19.255.255', 'benchmarking'],
  ['198.51.100.7', 'documentation'],
  ['203.0.113.9', 'documentation'],
  ['224.0.0.1', 'multicast'],
  ['239.255.255.255', 'multicast'],
  ['240.0.0.1', 'reserved'],
  ['255.255.255.255', 'broadcast'],
  ['1.1.1.1', 'public'],
  ['8.8.8.8', 'public'],
  ['223.255.255.255', 'public'],
  ['::', 'unspecified'],
  ['::1', 'loopback'],
  ['0:0:0:0:0:0:0:1', 'loopback'],
  ['::ffff:127.0.0.1', 'embeds_ipv4'],
  ['::ffff:7f00:1', 'embeds_ipv4'],
  ['::ffff:8.8.8.8', 'embeds_ipv4'],
  ['::ffff:0:127.0.0.1', 'embeds_ipv4'],
  ['::127.0.0.1', 'embeds_ipv4'],
  ['64:ff9b::127.0.0.1', 'embeds_ipv4'],
  ['64:ff9b::808:808', 'embeds_ipv4'],
  ['64:ff9b:1::a00:1', 'embeds_ipv4'],
  ['64:ff9b:1:ffff::1', 'embeds_ipv4'],
  ['100::1', 'reserved'],
  ['100:0:0:1::1', 'reserved'],
  ['2001::1', 'embeds_ipv4'],
  ['2001:0:7f00:1::', 'embeds_ipv4'],
  ['2001:2::1', 'benchmarking'],
  ['2001:10::1', 'reserved'],
  ['2001:20::1', 'reserved'],
  ['2001:db8::1', 'documentation'],
  ['2002:7f00:1::', 'embeds_ipv4'],
  ['3fff::1', 'documentation'],
  ['5f00::1', 'reserved'],
  ['fc00::1', 'private'],
  ['fd00:ec2::254', 'private'],
  ['fe80::1', 'link_local'],
  ['fe80::1%eth0', 'link_local'],
  ['2606:4700::1111%eth0', 'link_local'],
  ['febf::1', 'link_local'],
  ['fec0::1', 'private'],
  ['ff02::1', 'multicast'],
  ['4000::1', 'not_global'],
  ['200::1', 'not_global'],
  ['2606:4700:4700::1111', 'public'],
  ['2a00:1450:4001:80e::200e', 'public'],
  ['2001:4860:4860::8888', 'public'],
  ['localhost', 'not_an_address'],
  ['0x7f.1', 'not_an_address'],
  ['127.1', 'not_an_address'],
  ['', 'not_an_address'],
];

describe('the class of an address', () => {
  it.each(TABLE)('%s is %s', (address, is) => {
    expect(classifyAddress(address)).toBe(is);
  });

  it('refuses every IPv4 address of a special range, however the URL spells it', () => {
    fc.assert(
      fc.property(specialIPv4(), fc.integer({ min: 0, max: 5 }), (address, spelling) => {
        const hostname = new URL(`http://${spell(address, spelling)}/`).hostname;
        expect(classifyAddress(hostname)).not.toBe('public');
        expect(classifyAddress(hostname)).toBe(classifyAddress(dotted(address)));
      }),
    );
  });

  it('refuses every IPv4 address inside an IPv6 one, in every form', () => {
    fc.assert(
      fc.property(fc.nat({ max: 0xffffffff }), fc.boolean(), (address, asHex) => {
        const tail = asHex ? hexPair(address) : dotted(address);
        for (const head of ['::ffff:', '::ffff:0:', '64:ff9b::', '64:ff9b:1::']) {
          expect(classifyAddress(head + tail)).toBe('embeds_ipv4');
          const normalised = new URL(`http://[${head}${tail}]/`).hostname.slice(1, -1);
          expect(classifyAddress(normalised)).toBe('embeds_ipv4');
        }
        expect(classifyAddress(`2002:${hexPair(address)}::1`)).toBe('embeds_ipv4');
        expect(classifyAddress(`::${tail}`)).not.toBe('public');
      }),
    );
  });

  it('takes for public only what lies in 2000::/3', () => {
    const outside = fc.ipV6().filter((address) => !/^[23][0-9a-f]{3}:/i.test(address));
    fc.assert(fc.property(outside, (address) => classifyAddress(address) !== 'public'));
    expect(classifyAddress('2606:4700::1')).toBe('public');
  });

  it.each([...SPECIAL_IPV4, ...SPECIAL_IPV6])('refuses the range of %s that begins at %s', (_is, network) => {
    expect(classifyAddress(network)).not.toBe('public');
  });
});

function specialIPv4() {
  return fc.tuple(fc.constantFrom(...SPECIAL_IPV4), fc.nat({ max: 0xffffffff })).map(([[, network, bits], chance]) => {
    const base = network.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
    return base + (bits === 32 ? 0 : chance % 2 ** (32 - bits));
  });
}

function spell(address: number, spelling: number): string {
  const [a, b, c, d] = dotted(address).split('.').map(Number) as [number, number, number, number];
  switch (spelling) {
    case 0:
      return String(address);
    case 1:
      return `0x${address.toString(16)}`;
    case 2:
      return `0${a.toString(8)}.0${b.toString(8)}.0${c.toString(8)}.0${d.toString(8)}`;
    case 3:
      return `${a}.${b}.${c * 256 + d}`;
    case 4:
      return `0x${a.toString(16)}.${b * 65536 + c * 256 + d}`;
    default:
      return `${a}.${b}.${c}.${d}.`;
  }
}

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

function hexPair(address: number): string {
  return `${Math.floor(address / 65536).toString(16)}:${(address % 65536).toString(16)}`;
}
