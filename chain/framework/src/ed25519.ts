/** Ed25519 (RFC 8032) with raw 32-byte public keys. */
import { createPublicKey, verify } from 'node:crypto';
import { concatBytes, fromHex } from '@mu/lib/bytes';

export const publicKeyLength = 32;
export const signatureLength = 64;
/** What the SDK charges for one verification (x/auth's SigVerifyCostED25519). */
export const verifyGas = 590n;

/** SubjectPublicKeyInfo of an Ed25519 key up to the key itself (RFC 8410): node:crypto takes no raw key. */
const spkiPrefix = fromHex('302a300506032b6570032100');

/** True when the signature over the message is the key's; false too for a key or signature of another length. */
export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== publicKeyLength || signature.length !== signatureLength) return false;
  try {
    const der = Buffer.from(concatBytes(spkiPrefix, publicKey));
    return verify(null, message, createPublicKey({ key: der, format: 'der', type: 'spki' }), signature);
  } catch {
    return false;
  }
}
