/** Base32 (RFC 4648), and the label under which a gateway answers. */
import { utf8 } from './bytes.ts';
import { sha256 } from './hashes.ts';

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
const labelLength = 16;

/** RFC 4648 base32 in lower case, without padding: fit for a host name. */
export function toBase32(bytes: Uint8Array): string {
  let out = '';
  let bits = 0;
  let held = 0;
  for (let i = 0; i < bytes.length; i++) {
    bits = (bits << 8) | bytes[i]!;
    held += 8;
    while (held >= 5) {
      held -= 5;
      out += alphabet[(bits >> held) & 31]!;
    }
    bits &= (1 << held) - 1;
  }
  if (held > 0) out += alphabet[(bits << (5 - held)) & 31]!;
  return out;
}

/**
 * The label of a deployment's gateway (design §6 "Addresses"): the first 16 lower-case base32 characters of
 * SHA-256(`owner/dseq/gateway`). The same on every provider, so an address is known before the lease.
 * @param owner bech32 address
 */
export function deploymentLabel(owner: string, dseq: bigint, gateway: string): string {
  return toBase32(sha256(utf8(`${owner}/${dseq}/${gateway}`))).slice(0, labelLength);
}
