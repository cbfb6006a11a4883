/** SHA-256 by the platform's native code: the state machine hashes every transaction and every change. */
import { hash } from 'node:crypto';

export function sha256(data: Uint8Array): Uint8Array {
  return new Uint8Array(hash('sha256', data, 'buffer'));
}
