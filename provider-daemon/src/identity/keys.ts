/** Keys of a provider as PEM files, and the raw form that the chain knows them by. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, type webcrypto } from 'node:crypto';

/** The kinds of keys of a provider (design §6). */
export type KeyKind = 'ed25519' | 'p256' | 'x25519';

/** A fresh private key. */
export function generateKey(kind: KeyKind): KeyObject {
  switch (kind) {
    case 'ed25519':
      return generateKeyPairSync('ed25519').privateKey;
    case 'x25519':
      return generateKeyPairSync('x25519').privateKey;
    case 'p256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  }
}

/** PKCS #8 in PEM. */
export function toPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** @throws Error when it is no private key of the kind */
export function fromPem(pem: string, kind: KeyKind): KeyObject {
  const key = createPrivateKey(pem);
  const is =
    key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1'
      ? 'p256'
      : key.asymmetricKeyType;
  if (is !== kind) throw new Error(`a key of kind ${is} where ${kind} is needed`);
  return key;
}

/** The 32 bytes of the public key of an Ed25519 or X25519 key. */
export function rawPublicKey(key: KeyObject): Uint8Array {
  const { x } = createPublicKey(key).export({ format: 'jwk' });
  if (x === undefined) throw new TypeError('the key has no raw form of 32 bytes');
  return new Uint8Array(Buffer.from(x, 'base64url'));
}

/** The key for WebCrypto, which the certificate library works with. */
export async function toCryptoKeys(key: KeyObject): Promise<webcrypto.CryptoKeyPair> {
  const algorithm = key.asymmetricKeyType === 'ec' ? { name: 'ECDSA', namedCurve: 'P-256' } : { name: 'Ed25519' };
  const { subtle } = globalThis.crypto;
  const [privateKey, publicKey] = await Promise.all([
    subtle.importKey('pkcs8', key.export({ type: 'pkcs8', format: 'der' }), algorithm, false, ['sign']),
    subtle.importKey('spki', createPublicKey(key).export({ type: 'spki', format: 'der' }), algorithm, true, ['verify']),
  ]);
  return { privateKey, publicKey };
}
