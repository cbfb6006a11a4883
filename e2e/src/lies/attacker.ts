/** The key of somebody who is no validator. */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { toHex } from '@mu/lib/bytes';
import { addressOfKey } from '@mu/lib/comet-validators';

export function keyPair(seed: Uint8Array): { secret: KeyObject; publicKey: Uint8Array; address: string } {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const secret = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const publicKey = new Uint8Array(createPublicKey(secret).export({ format: 'der', type: 'spki' }).subarray(-32));
  return { secret, publicKey, address: toHex(addressOfKey({ ed25519: publicKey })).toUpperCase() };
}

export const attacker = keyPair(new Uint8Array(32).fill(9));
