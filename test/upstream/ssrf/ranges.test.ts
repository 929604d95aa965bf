import { describe, expect, it } from 'vitest';
import { classifyAddress } from '../../../src/core/addresses.ts';
import { createAddressGuard } from '../../../src/upstream/guard.ts';

/**
 * Every block of IANA's registries: https://www.iana.org/assignments/iana-ipv4-special-registry,
 * https://www.iana.org/assignments/iana-ipv6-special-registry, and the multicast ranges. Written down here from there,
 * and not taken from the source, so that one that is forgotten in the source is missed.
 */
const IPV4_BLOCKS = [
  '0.0.0.0/8',
  '0.0.0.0/32',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.0.0/29',
  '192.0.0.8/32',
  '192.0.0.9/32',
  '192.0.0.10/32',
  '192.0.0.170/32',
  '192.0.0.171/32',
  '192.0.2.0/24',
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24',
  '192.88.99.2/32',
  '192.168.0.0/16',
  '192.175.48.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '255.255.255.255/32',
];

const IPV6_BLOCKS = [
  '::/128',
  '::1/128',
  '::ffff:0:0/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '100:0:0:1::/64',
  '2001::/23',
  '2001::/32',
  '2001:1::1/128',
  '2001:1::2/128',
  '2001:1::3/128',
  '2001:2::/48',
  '2001:3::/32',
  '2001:4:112::/48',
  '2001:10::/28',
  '2001:20::/28',
  '2001:30::/28',
  '2001:db8::/32',
  '2002::/16',
  '2620:4f:8000::/48',
  '3fff::/20',
  '5f00::/16',
  'fc00::/7',
  'fe80::/10',
  // Given up or of other registries: compatible, translated, site-local, multicast.
  '::/96',
  '::ffff:0:0:0/96',
  'fec0::/10',
  'ff00::/8',
];

/** Neighbours of special blocks that are ordinary addresses: a table that refuses too much is as wrong. */
const PUBLIC = [
  '1.0.0.0',
  '9.255.255.255',
  '11.0.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.0',
  '168.63.129.15',
  '168.63.129.17',
  '169.253.255.255',
  '169.255.0.0',
  '172.15.255.255',
  '172.32.0.0',
  '191.255.255.255',
  '192.0.1.0',
  '192.0.1.255',
  '192.0.3.0',
  '192.31.195.255',
  '192.31.197.0',
  '192.52.192.255',
  '192.52.194.0',
  '192.88.98.255',
  '192.88.100.0',
  '192.167.255.255',
  '192.169.0.0',
  '192.175.47.255',
  '192.175.49.0',
  '198.17.255.255',
  '198.20.0.0',
  '198.51.99.255',
  '198.51.101.0',
  '203.0.112.255',
  '203.0.114.0',
  '223.255.255.255',
  '2000::',
  '2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
  '2001:200::',
  '2001:db7:ffff:ffff:ffff:ffff:ffff:ffff',
  '2001:db9::',
  '2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
  '2003::',
  '2620:4f:7fff:ffff:ffff:ffff:ffff:ffff',
  '2620:4f:8001::',
  '3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
  '3fff:1000::',
  '3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
];

/** Where clouds give out credentials and configuration to whoever runs on their machines. */
const METADATA = [
  ['AWS, Azure, Google, DigitalOcean and others', '169.254.169.254'],
  ['AWS containers', '169.254.170.2'],
  ['AWS pods', '169.254.170.23'],
  ['AWS over IPv6', 'fd00:ec2::254'],
  ['AWS pods over IPv6', 'fd00:ec2::23'],
  ['AWS name servers', '169.254.169.253'],
  ['Google over IPv6', 'fd20:ce::254'],
  ['Azure host agent', '168.63.129.16'],
  ['Alibaba', '100.100.100.200'],
  ['Oracle', '192.0.0.192'],
  ['Oracle over IPv6', 'fd00:c1::a9fe:a9fe'],
  ['Tencent', '169.254.0.23'],
  ['Scaleway', '169.254.42.42'],
  ['Scaleway over IPv6', 'fd00:42::42'],
] as const;

const guard = createAddressGuard({ allowPrivateNetwork: false, allowedLoopback: new Set() });

describe.each([
  ['IPv4', IPV4_BLOCKS, 32, readIPv4, writeIPv4],
  ['IPv6', IPV6_BLOCKS, 128, readIPv6, writeIPv6],
] as const)("IANA's special blocks of %s", (_family, blocks, bits, read, write) => {
  it.each(blocks)('%s: its first, middle and last address are refused', (block) => {
    const [network = '', prefix] = block.split('/');
    const first = read(network);
    const size = 1n << BigInt(bits - Number(prefix));
    expect(first % size, 'the block is written by its first address').toBe(0n);
    for (const address of new Set([first, first + size / 2n, first + size - 1n])) {
      expect([write(address), guard.refusal(write(address), 443, true)]).not.toContain(null);
      expect(classifyAddress(write(address))).not.toBe('not_an_address');
    }
  });
});

describe('ordinary addresses beside special ones', () => {
  it.each(PUBLIC)('%s passes', (address) => {
    expect(guard.refusal(address, 443, true)).toBeNull();
  });
});

describe('services of platforms for their own machines', () => {
  it.each(METADATA)('%s, %s', (_name, address) => {
    expect(guard.refusal(address, 80, false)).not.toBeNull();
    if (!address.includes(':')) {
      const number = readIPv4(address);
      const pair = `${(number >> 16n).toString(16)}:${(number & 0xffffn).toString(16)}`;
      for (const head of ['::ffff:', '::', '64:ff9b::', '64:ff9b:1::', '::ffff:0:']) {
        expect(guard.refusal(head + pair, 80, true)).not.toBeNull();
      }
      expect(guard.refusal(`2002:${pair}::1`, 80, true)).not.toBeNull();
    }
  });
});

function readIPv4(text: string): bigint {
  return text.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
}

function writeIPv4(address: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (address >> shift) & 255n).join('.');
}

function readIPv6(text: string): bigint {
  const [head = '', tail] = text.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: tail === undefined ? 0 : 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].reduce((sum, group) => (sum << 16n) + BigInt(`0x${group}`), 0n);
}

function writeIPv6(address: bigint): string {
  return Array.from({ length: 8 }, (_, i) => ((address >> BigInt(16 * (7 - i))) & 0xffffn).toString(16)).join(':');
}
