/**
 * Verification of secp256k1 signatures by libsecp256k1. What a node has verified it does not verify again on the way
 * CheckTx → proposal → FinalizeBlock: successes are remembered, up to a bound. An answer never depends on what is
 * remembered, and gas is charged all the same.
 */
import { createRequire } from 'node:module';
import { BoundedCache } from '@mu/framework/bounded-cache';
import { sha256 } from '@mu/framework/hash';
import { toMapKey } from '@mu/framework/store/sorted-map';
import { concatBytes } from '@mu/lib/bytes';
import secp256k1 from 'secp256k1';

/** Half of the curve's order: s of a signature is not above it, or a stranger could make another one of it. */
const halfOrder = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n;
const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

/** Whether the native library does the work; the package falls back to slow JavaScript in silence. */
export function usesNativeSecp256k1(): boolean {
  const require = createRequire(import.meta.url);
  try {
    const native: unknown = require('secp256k1/bindings.js');
    return require('secp256k1') === native;
  } catch {
    return false;
  }
}

function scalar(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`);
}

/** Whether it is 64 bytes r ‖ s with 0 < r < n and 0 < s ≤ n/2: the one encoding that the SDK accepts. */
export function isCanonicalSignature(signature: Uint8Array): boolean {
  if (signature.length !== 64) return false;
  const r = scalar(signature.subarray(0, 32));
  const s = scalar(signature.subarray(32));
  return r > 0n && r < order && s > 0n && s <= halfOrder;
}

/** Whether it is 33 bytes that begin with 2 or 3: a compressed point, or at least the form of one. */
export function isCompressedKey(key: Uint8Array): boolean {
  return key.length === 33 && (key[0] === 2 || key[0] === 3);
}

export class SignatureVerifier {
  readonly #verified: BoundedCache<true> | undefined;
  #computed = 0;

  /** @param capacity successes that are remembered; 0 for none */
  constructor(capacity = 50_000) {
    this.#verified = capacity > 0 ? new BoundedCache(capacity) : undefined;
  }

  /** How many signatures were verified by computing, for metrics and tests. */
  get computed(): number {
    return this.#computed;
  }

  /**
   * Whether the key signed SHA-256(signBytes).
   * @param key 33 bytes
   * @param signature 64 bytes r ‖ s
   */
  verify(key: Uint8Array, signBytes: Uint8Array, signature: Uint8Array): boolean {
    if (!isCompressedKey(key) || !isCanonicalSignature(signature)) return false;
    if (this.#verified === undefined) return this.#compute(key, signBytes, signature);
    // Key and signature have fixed lengths, so the three cannot be cut in another way.
    const id = toMapKey(sha256(concatBytes(key, signBytes, signature)));
    if (this.#verified.get(id) === true) return true;
    const valid = this.#compute(key, signBytes, signature);
    if (valid) this.#verified.set(id, true);
    return valid;
  }

  #compute(key: Uint8Array, signBytes: Uint8Array, signature: Uint8Array): boolean {
    this.#computed += 1;
    try {
      return secp256k1.ecdsaVerify(signature, sha256(signBytes), key);
    } catch {
      // The library throws on 33 bytes that are no point of the curve.
      return false;
    }
  }
}
