/** The hash that binds a deployment on the chain to its manifest (design §6 "Manifest"). */
import { utf8 } from './bytes.ts';
import { sha256Concat } from './hashes.ts';

const domain = utf8('mu/manifest/1');

/** A deployment's version: SHA-256(`mu/manifest/1` ‖ head), 32 bytes. The head is RFC 8785 JSON as UTF-8. */
export function manifestVersion(headBytes: Uint8Array): Uint8Array {
  return sha256Concat(domain, headBytes);
}
