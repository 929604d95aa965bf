import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** Why an address is not one of a public server. */
export type AddressClass =
  | 'public'
  | 'not_an_address'
  | 'unspecified'
  | 'loopback'
  | 'private'
  | 'carrier_grade_nat'
  | 'link_local'
  | 'multicast'
  | 'broadcast'
  | 'reserved'
  | 'documentation'
  | 'benchmarking'
  | 'platform'
  | 'embeds_ipv4'
  | 'not_global';

type Range = readonly [AddressClass, string, number];

/** IANA's special-purpose registry for IPv4, and what behaves like it. The first match names the class. */
export const SPECIAL_IPV4: readonly Range[] = [
  ['unspecified', '0.0.0.0', 8],
  ['private', '10.0.0.0', 8],
  ['carrier_grade_nat', '100.64.0.0', 10],
  ['loopback', '127.0.0.0', 8],
  ['link_local', '169.254.0.0', 16],
  ['private', '172.16.0.0', 12],
  ['documentation', '192.0.2.0', 24],
  ['reserved', '192.0.0.0', 24],
  // AS112 and AMT: anybody may announce them on a network of their own, and no vendor is there.
  ['reserved', '192.31.196.0', 24],
  ['reserved', '192.52.193.0', 24],
  ['reserved', '192.175.48.0', 24],
  ['embeds_ipv4', '192.88.99.0', 24],
  ['private', '192.168.0.0', 16],
  ['benchmarking', '198.18.0.0', 15],
  ['documentation', '198.51.100.0', 24],
  ['documentation', '203.0.113.0', 24],
  ['multicast', '224.0.0.0', 4],
  ['broadcast', '255.255.255.255', 32],
  ['reserved', '240.0.0.0', 4],
  // Azure's host agent: a public number that every machine there reaches, and that gives out its configuration.
  ['platform', '168.63.129.16', 32],
];

/** For IPv6 only 2000::/3 is public, so these name what lies outside it, and list the exceptions inside. */
export const SPECIAL_IPV6: readonly Range[] = [
  ['unspecified', '::', 128],
  ['loopback', '::1', 128],
  ['embeds_ipv4', '::ffff:0:0', 96], // mapped
  ['embeds_ipv4', '::ffff:0:0:0', 96], // translated (SIIT)
  ['embeds_ipv4', '::', 96], // compatible
  ['embeds_ipv4', '64:ff9b::', 96], // NAT64
  ['embeds_ipv4', '64:ff9b:1::', 48], // NAT64, local
  ['reserved', '100::', 64], // discard
  ['reserved', '100:0:0:1::', 64], // dummy prefix
  ['embeds_ipv4', '2001::', 32], // Teredo
  ['benchmarking', '2001:2::', 48],
  ['reserved', '2001::', 23], // protocol assignments, ORCHID
  ['documentation', '2001:db8::', 32],
  ['embeds_ipv4', '2002::', 16], // 6to4
  ['reserved', '2620:4f:8000::', 48], // AS112
  ['documentation', '3fff::', 20],
  ['reserved', '5f00::', 16], // segment routing
  ['private', 'fc00::', 7],
  ['link_local', 'fe80::', 10],
  ['private', 'fec0::', 10], // site-local
  ['multicast', 'ff00::', 8],
];

const globalIPv6 = blockList('2000::', 3, 'ipv6');
const ipv4Lists = SPECIAL_IPV4.map(([is, net, bits]) => ({ is, list: blockList(net, bits, 'ipv4') }));
const ipv6Lists = SPECIAL_IPV6.map(([is, net, bits]) => ({ is, list: blockList(net, bits, 'ipv6') }));

/** Tells what kind of address this is; only `public` ones are vendors' by default. Takes what DNS or a socket gives. */
export function classifyAddress(address: string): AddressClass {
  if (isIPv4(address)) return ipv4Lists.find(({ list }) => list.check(address, 'ipv4'))?.is ?? 'public';
  if (!isIPv6(address)) return 'not_an_address';
  // A zone (`fe80::1%eth0`) only makes sense on this link.
  if (address.includes('%')) return 'link_local';
  const special = ipv6Lists.find(({ list }) => list.check(address, 'ipv6'));
  if (special !== undefined) return special.is;
  return globalIPv6.check(address, 'ipv6') ? 'public' : 'not_global';
}

function blockList(network: string, prefixBits: number, family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList();
  list.addSubnet(network, prefixBits, family);
  return list;
}
