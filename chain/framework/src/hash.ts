/**
 * SHA-256 of the state machine, which hashes every transaction and every node of the state: WebAssembly, faster than the
 * platform's own for what is small, and the platform's for the rest.
 */
import { hash } from 'node:crypto';
import { createSHA256 } from 'hash-wasm';

// Compiled once, when the program starts.
const hasher = await createSHA256();

/** From this many bytes on native code is worth its call. */
const nativeFrom = 512;

/** SHA-256: 32 bytes. */
export function sha256(data: Uint8Array): Uint8Array {
  if (data.length >= nativeFrom) return new Uint8Array(hash('sha256', data, 'buffer'));
  hasher.init();
  hasher.update(data);
  return hasher.digest('binary');
}

/** SHA-256 of the first bytes of a buffer that is used again. */
export function sha256Prefix(data: Uint8Array, length: number): Uint8Array {
  return sha256(data.subarray(0, length));
}
