/** The chain of hashes over a lease's paid lines: one proof of its head makes a bill complete (design §5 billing). */
import { sha256Concat } from './hashes.ts';

/** Length in bytes of a bill hash. */
export const billHashLength = 32;

/** The hash of a bill without lines: 32 zero bytes, fresh each time. */
export function emptyBillHash(): Uint8Array {
  return new Uint8Array(billHashLength);
}

/**
 * The bill's hash after one more line: SHA-256(previous ‖ line).
 * @param previous 32 bytes; the fixed width is what keeps the two apart
 * @throws RangeError when previous has another length
 */
export function extendBillHash(previous: Uint8Array, canonicalLineBytes: Uint8Array): Uint8Array {
  if (previous.length !== billHashLength) throw new RangeError(`a bill hash has 32 bytes, got ${previous.length}`);
  return sha256Concat(previous, canonicalLineBytes);
}
