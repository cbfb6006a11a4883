/**
 * Consensus keys in amino JSON, `{"type":"tendermint/PubKeyEd25519","value":base64}`, as genesis, key files and the RPC
 * carry them; and Ed25519 keys for node:crypto.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { fromBase64, toBase64 } from '@mu/lib/bytes';
import type { PublicKey } from 'cosmjs-types/tendermint/crypto/keys';
import { asObject, asText } from './json-values.ts';

/** A key in amino JSON. */
export interface AminoKey {
  type: string;
  value: string;
}

/** @throws Error for a key without a known type */
export function publicKeyToAmino(key: PublicKey): AminoKey {
  if (key.ed25519 !== undefined) return { type: 'tendermint/PubKeyEd25519', value: toBase64(key.ed25519) };
  if (key.secp256k1 !== undefined) return { type: 'tendermint/PubKeySecp256k1', value: toBase64(key.secp256k1) };
  throw new Error('a consensus key must be Ed25519 or secp256k1');
}

/** @throws Error with the place when it is no key of a known type and length */
export function publicKeyFromAmino(json: unknown, place: string): PublicKey {
  const object = asObject(json, place);
  const bytes = fromBase64(asText(object['value'], `${place}.value`));
  if (object['type'] === 'tendermint/PubKeyEd25519' && bytes.length === 32) return { ed25519: bytes };
  if (object['type'] === 'tendermint/PubKeySecp256k1' && bytes.length === 33) return { secp256k1: bytes };
  throw new Error(
    `${place} must be a tendermint/PubKeyEd25519 of 32 bytes or a tendermint/PubKeySecp256k1 of 33 bytes`,
  );
}

/** An Ed25519 key pair. */
export interface Ed25519Key {
  /** 32 bytes. */
  publicKey: Uint8Array;
  /** The secret 32 bytes from which the key is made. */
  seed: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
}

/** DER of a PKCS #8 Ed25519 key up to its 32 secret bytes (RFC 8410). */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The key pair of a seed of 32 bytes. */
export function ed25519Key(seed: Uint8Array): Ed25519Key {
  const privateKey: KeyObject = createPrivateKey({
    key: Buffer.concat([pkcs8Prefix, seed]),
    format: 'der',
    type: 'pkcs8',
  });
  const publicDer = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return {
    publicKey: new Uint8Array(publicDer.subarray(publicDer.length - 32)),
    seed,
    sign: (message) => new Uint8Array(sign(null, message, privateKey)),
  };
}

/** Go's Ed25519 private key is the seed followed by the public key. */
export function privateKeyToAmino({ seed, publicKey }: Ed25519Key): AminoKey {
  return { type: 'tendermint/PrivKeyEd25519', value: toBase64(Buffer.concat([seed, publicKey])) };
}

/** @throws Error with the place when it is no Ed25519 private key, or its halves do not belong together */
export function privateKeyFromAmino(json: unknown, place: string): Ed25519Key {
  const object = asObject(json, place);
  const bytes = fromBase64(asText(object['value'], `${place}.value`));
  if (object['type'] !== 'tendermint/PrivKeyEd25519' || bytes.length !== 64) {
    throw new Error(`${place} must be a tendermint/PrivKeyEd25519 of 64 bytes`);
  }
  const key = ed25519Key(bytes.subarray(0, 32));
  if (!Buffer.from(key.publicKey).equals(bytes.subarray(32))) {
    throw new Error(`${place}: the public half does not belong to the secret one`);
  }
  return key;
}
