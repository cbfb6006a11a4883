/** Signatures of validators, accepted and refused exactly as CometBFT 0.38 does. */
import { createPublicKey, verify } from 'node:crypto';
import { createRequire } from 'node:module';
import { sha256 } from '@mu/lib/hashes';
import type { PublicKey } from 'cosmjs-types/tendermint/crypto/keys';

// CosmJS requires the same files: an import of them, still under way while another import reaches CosmJS, would fail it.
const require = createRequire(import.meta.url);
const curves = {
  ed25519: () => (require('@noble/curves/ed25519.js') as typeof import('@noble/curves/ed25519.js')).ed25519,
  secp256k1: () => (require('@noble/curves/secp256k1.js') as typeof import('@noble/curves/secp256k1.js')).secp256k1,
};

/** DER of an Ed25519 public key up to its 32 bytes (RFC 8410). */
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');
const signatureBytes = 64;

/** Never throws: keys and signatures come from strangers. */
export function verifySignature(key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== signatureBytes) return false;
  if (key.ed25519 !== undefined) return verifyEd25519(key.ed25519, message, signature);
  if (key.secp256k1 !== undefined) return verifySecp256k1(key.secp256k1, message, signature);
  return false;
}

/**
 * CometBFT follows ZIP 215: cofactored, and points need not be canonical. What OpenSSL accepts satisfies the stricter
 * equation without the cofactor, so it is valid under ZIP 215 too; only what OpenSSL refuses is worth the slow look.
 */
function verifyEd25519(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (key.length !== 32) return false;
  return verifyFast(key, message, signature) || verifyZip215(key, message, signature);
}

function verifyFast(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    const der = Buffer.concat([spkiPrefix, key]);
    return verify(null, message, createPublicKey({ key: der, format: 'der', type: 'spki' }), signature);
  } catch {
    return false;
  }
}

function verifyZip215(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    return curves.ed25519().verify(signature, message, key, { zip215: true });
  } catch {
    return false;
  }
}

/** Over the message's SHA-256, r ‖ s, s in the lower half. */
function verifySecp256k1(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (key.length !== 33) return false;
  try {
    return curves.secp256k1().verify(signature, sha256(message), key, { prehash: false, lowS: true });
  } catch {
    return false;
  }
}
