/**
 * A batch of signatures to verify, as one buffer that moves between threads: no object is copied and nothing is encoded.
 * Each takes a slot of 129 bytes: digest 32 ‖ key 33 ‖ signature 64. The answer comes back in the same buffer: byte i is
 * 1 where signature i is right.
 */

import { verifyDigest } from '@mu/x-auth/signatures';

const digestAt = 0;
const keyAt = 32;
const signatureAt = 65;
const slotBytes = 129;

/** One signature to verify; key and signature have passed the checks of their form. */
export interface DigestClaim {
  /** 32 bytes */
  readonly digest: Uint8Array;
  /** 33 bytes */
  readonly key: Uint8Array;
  /** 64 bytes */
  readonly signature: Uint8Array;
}

/** Claims in one buffer. */
export function packBatch(claims: readonly DigestClaim[]): ArrayBuffer {
  const bytes = new Uint8Array(claims.length * slotBytes);
  claims.forEach(({ digest, key, signature }, index) => {
    const slot = index * slotBytes;
    bytes.set(digest, slot + digestAt);
    bytes.set(key, slot + keyAt);
    bytes.set(signature, slot + signatureAt);
  });
  return bytes.buffer;
}

/** Verifies all of a batch and writes the answers over its beginning: a slot is read before its answer can reach it. */
export function verifyBatch(batch: ArrayBuffer): void {
  const bytes = new Uint8Array(batch);
  const count = Math.floor(bytes.length / slotBytes);
  for (let index = 0; index < count; index += 1) {
    const slot = index * slotBytes;
    const digest = bytes.subarray(slot + digestAt, slot + keyAt);
    const key = bytes.subarray(slot + keyAt, slot + signatureAt);
    const signature = bytes.subarray(slot + signatureAt, slot + slotBytes);
    bytes[index] = verifyDigest(key, digest, signature) ? 1 : 0;
  }
}

/** The answers in a batch that was verified. @param count of claims that went in */
export function batchAnswers(batch: ArrayBuffer, count: number): boolean[] {
  const bytes = new Uint8Array(batch, 0, count);
  return Array.from(bytes, (byte) => byte === 1);
}
