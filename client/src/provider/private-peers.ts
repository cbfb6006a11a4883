/** Addresses that are not public: peers there are refused unless the user allows it (design §6, Trust). */
import { lookup as dnsLookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { ProviderConnectionError } from './errors.ts';

const notPublic = new BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const) {
  notPublic.addSubnet(network, bits, 'ipv4');
}
for (const [network, bits] of [
  ['::', 127],
  ['64:ff9b:1::', 48],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
] as const) {
  notPublic.addSubnet(network, bits, 'ipv6');
}

/** True for private, loopback, link-local, shared, multicast and reserved addresses, IPv4 within IPv6 included. */
export function isPrivateAddress(address: string): boolean {
  const family = isIP(address);
  // BlockList compares IPv4 within IPv6 (::ffff:a.b.c.d) with its IPv4 networks by itself.
  return family === 0 || notPublic.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

/** A look-up that gives public addresses only: what is checked is what is connected to. */
export const publicLookup: LookupFunction = (host, options, callback) => {
  dnsLookup(host, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, []);
    const open = addresses.filter(({ address }) => !isPrivateAddress(address));
    const first = open[0];
    if (first === undefined) return callback(refusal(host), []);
    if (options.all === true) return callback(null, open);
    return callback(null, first.address, first.family);
  });
};

/** @throws ProviderConnectionError for an address that is not public; names are checked when they are looked up */
export function refusePrivate(host: string): void {
  if (isIP(host) !== 0 && isPrivateAddress(host)) throw refusal(host);
}

function refusal(host: string): ProviderConnectionError {
  return new ProviderConnectionError(
    `${host} is a private address: allow private peers (local networks only) to use it`,
  );
}
