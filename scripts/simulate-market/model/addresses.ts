/** Addresses as texts and bytes. */
import { fromBech32 } from '@mu/lib/bech32';

const known = new Map<string, Uint8Array>();

/** The bytes of an address. @throws Error for another text */
export function bytesOf(address: string): Uint8Array {
  const bytes = known.get(address) ?? fromBech32(address, 'mu');
  known.set(address, bytes);
  return bytes;
}

export function isAddress(text: string): boolean {
  try {
    bytesOf(text);
    return true;
  } catch {
    return false;
  }
}

/** Keys of the state begin with an address behind its length: shorter ones first, then byte by byte. */
export function orderOfAddresses(a: string, b: string): number {
  return bytesOf(a).length - bytesOf(b).length || Buffer.compare(bytesOf(a), bytesOf(b));
}
