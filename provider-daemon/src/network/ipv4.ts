/** IPv4 addresses as numbers, subnets, and which addresses are public. */

const bits = 32;

/** A range of addresses: `base` is its first one, as an unsigned 32-bit number. */
export interface Subnet {
  readonly base: number;
  /** Leading bits that are fixed: 0 to 32. */
  readonly prefix: number;
}

/** @returns the address as an unsigned 32-bit number; undefined where the text is not `a.b.c.d` in plain decimals */
export function parseAddress(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let address = 0;
  for (const part of match.slice(1)) {
    // "010" is 8 to some programs and 10 to others.
    if (Number(part) > 255 || (part.length > 1 && part.startsWith('0'))) return undefined;
    address = address * 256 + Number(part);
  }
  return address;
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

/** Number of addresses, the first (network) and the last (broadcast) included. */
export function sizeOf(prefix: number): number {
  return 2 ** (bits - prefix);
}

/** @param text `a.b.c.d/prefix`, or an address alone. @returns undefined where it is neither, or has bits below its prefix */
export function parseSubnet(text: string): Subnet | undefined {
  const [address, prefixText = '32', ...more] = text.split('/');
  const base = parseAddress(address ?? '');
  if (base === undefined || more.length > 0 || !/^\d{1,2}$/.test(prefixText)) return undefined;
  const prefix = Number(prefixText);
  if (prefix > bits || base % sizeOf(prefix) !== 0) return undefined;
  return { base, prefix };
}

export function formatSubnet(subnet: Subnet): string {
  return `${formatAddress(subnet.base)}/${subnet.prefix}`;
}

export function overlaps(a: Subnet, b: Subnet): boolean {
  return a.base < b.base + sizeOf(b.prefix) && b.base < a.base + sizeOf(a.prefix);
}

export function contains(subnet: Subnet, address: number): boolean {
  return address >= subnet.base && address < subnet.base + sizeOf(subnet.prefix);
}

/** Addresses that no workload may reach, whatever its egress: nobody's public service is there (RFC 6890). */
export const reservedSubnets: readonly string[] = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '224.0.0.0/4',
  '240.0.0.0/4',
];
const reserved = reservedSubnets.map((text) => parseSubnet(text)!);

/** Whether an address may be one of the public internet. Anything that is not an IPv4 address is not. */
export function isPublicAddress(text: string): boolean {
  const address = parseAddress(text);
  return address !== undefined && !reserved.some((subnet) => contains(subnet, address));
}
