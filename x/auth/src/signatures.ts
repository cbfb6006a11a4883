/**
 * Verification of secp256k1 signatures by libsecp256k1. What a node has verified it does not verify again on the way
 * CheckTx → proposal → FinalizeBlock: successes are remembered, up to a bound. An answer never depends on what is
 * remembered, and gas is charged all the same.
 */
import { createRequire } from 'node:module';
import { BoundedCache } from '@mu/framework/bounded-cache';
import { sha256 } from '@mu/framework/hash';
import { toMapKey } from '@mu/framework/store/sorted-map';
import { compareBytes, concatBytes, fromHex } from '@mu/lib/bytes';
import secp256k1 from 'secp256k1';

const order = fromHex('fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141');
/** Half of the curve's order: s of a signature is not above it, or a stranger could make another one of it. */
const halfOrder = fromHex('7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0');
const zero = new Uint8Array(32);

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

/** Whether it is 64 bytes r ‖ s with 0 < r < n and 0 < s ≤ n/2: the one encoding that the SDK accepts. */
export function isCanonicalSignature(signature: Uint8Array): boolean {
  if (signature.length !== 64) return false;
  const r = signature.subarray(0, 32);
  const s = signature.subarray(32);
  if (compareBytes(r, order) >= 0 || compareBytes(s, halfOrder) > 0) return false;
  return compareBytes(r, zero) > 0 && compareBytes(s, zero) > 0;
}

/** Whether it is 33 bytes that begin with 2 or 3: a compressed point, or at least the form of one. */
export function isCompressedKey(key: Uint8Array): boolean {
  return key.length === 33 && (key[0] === 2 || key[0] === 3);
}

/** What a signature is said to be: of this key, over these bytes. */
export interface SignatureClaim {
  /** 33 bytes */
  readonly key: Uint8Array;
  readonly signBytes: Uint8Array;
  /** 64 bytes r ‖ s */
  readonly signature: Uint8Array;
}

/** A claim that was not computed yet; whoever computes it elsewhere does so by `verifyDigest`. */
export interface UnverifiedClaim {
  /** the same for the same claim */
  readonly id: string;
  readonly key: Uint8Array;
  /** SHA-256 of the sign bytes */
  readonly digest: Uint8Array;
  readonly signature: Uint8Array;
  /** Takes note that it is right. */
  readonly accept: () => void;
}

export class SignatureVerifier {
  readonly #verified: BoundedCache<true> | undefined;
  #computed = 0;
  #remembered = 0;

  /** @param capacity successes that are remembered; 0 for none */
  constructor(capacity = 50_000) {
    this.#verified = capacity > 0 ? new BoundedCache(capacity) : undefined;
  }

  /** How many signatures were verified by computing in place, for metrics and tests. */
  get computed(): number {
    return this.#computed;
  }

  /** How many were found among those verified before, for metrics. */
  get remembered(): number {
    return this.#remembered;
  }

  /** A success was found where it stands on its transaction. */
  recall(): void {
    this.#remembered += 1;
  }

  /** Whether successes are remembered at all. */
  get remembers(): boolean {
    return this.#verified !== undefined;
  }

  /**
   * Whether the key signed SHA-256(signBytes).
   * @param key 33 bytes
   * @param signature 64 bytes r ‖ s
   */
  verify(key: Uint8Array, signBytes: Uint8Array, signature: Uint8Array): boolean {
    if (!isCompressedKey(key) || !isCanonicalSignature(signature)) return false;
    if (this.#verified === undefined) return this.#compute(key, signBytes, signature);
    const id = idOf(key, signBytes, signature);
    if (this.#verified.get(id) === true) {
      this.#remembered += 1;
      return true;
    }
    const valid = this.#compute(key, signBytes, signature);
    if (valid) this.#verified.set(id, true);
    return valid;
  }

  /** What is to be computed for a claim; undefined when it is known to be right, or refused without computing. */
  unverified({ key, signBytes, signature }: SignatureClaim): UnverifiedClaim | undefined {
    if (this.#verified === undefined || !isCompressedKey(key) || !isCanonicalSignature(signature)) return undefined;
    const id = idOf(key, signBytes, signature);
    if (this.#verified.get(id) === true) return undefined;
    return { id, key, digest: sha256(signBytes), signature, accept: () => this.#verified?.set(id, true) };
  }

  #compute(key: Uint8Array, signBytes: Uint8Array, signature: Uint8Array): boolean {
    this.#computed += 1;
    return verifyDigest(key, sha256(signBytes), signature);
  }
}

/** SHA-256(public key ‖ sign bytes ‖ signature). Key and signature have fixed lengths: it cannot be cut in another way. */
function idOf(key: Uint8Array, signBytes: Uint8Array, signature: Uint8Array): string {
  return toMapKey(sha256(concatBytes(key, signBytes, signature)));
}

/** Whether the key signed the digest; both key and signature have passed the checks of their form. */
export function verifyDigest(key: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean {
  try {
    return secp256k1.ecdsaVerify(signature, digest, key);
  } catch {
    // The library throws on 33 bytes that are no point of the curve.
    return false;
  }
}
