/** P-256 keys of tenants: made, written and used with node:crypto. */
import { createPublicKey, ECDH, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';

/** A fresh P-256 key. */
export function generateTenantKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

/** The compressed point, 33 bytes, of a private or public key. @throws TypeError when it is no P-256 key */
export function compressedPoint(key: KeyObject): Uint8Array {
  const { crv, x, y } = (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'jwk' });
  if (crv !== 'P-256' || x === undefined || y === undefined) throw new TypeError('not a P-256 key');
  const odd = Buffer.from(y, 'base64url').at(-1)! & 1;
  return Uint8Array.from([2 + odd, ...Buffer.from(x, 'base64url')]);
}

/** r ‖ s, 64 bytes, over the SHA-256 of the message. */
export function signP256(key: KeyObject, message: Uint8Array): Uint8Array {
  return new Uint8Array(sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' }));
}

/** False for a wrong signature and for a point that is not on the curve. */
export function verifyP256(point: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64 || point.length !== 33) return false;
  try {
    const flat = ECDH.convertKey(point, 'prime256v1', undefined, undefined, 'uncompressed') as Buffer;
    const x = flat.subarray(1, 33).toString('base64url');
    const y = flat.subarray(33).toString('base64url');
    const key = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' });
    return verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
  } catch {
    return false;
  }
}
