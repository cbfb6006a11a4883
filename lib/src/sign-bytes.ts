/** What the Ed25519 keys of nodes and node authorities sign (design §5). */
import { utf8 } from './bytes.ts';
import { sha256Concat } from './hashes.ts';

const usageDomain = utf8('mu/usage/v1');
const nodeDomain = utf8('mu/node/v1');
// Printable ASCII only, see signBytes; 50 characters is CometBFT's limit.
const chainIdPattern = /^[\x21-\x7e]{1,50}$/;

/**
 * SHA-256(domain ‖ chain_id ‖ message), the three put after one another without lengths, as design §5 says.
 *
 * That this is unambiguous rests on two facts. The domains are constants of which none is the beginning of another one.
 * And a chain id is printable ASCII, while the message is canonical protobuf whose field 1 is always set: its first
 * byte is 0x08 or 0x0a, a control character, so the chain id ends where the first control character stands. The first
 * is checked here; a message that leaves its field 1 empty must never be signed, and the modules refuse one.
 */
function signBytes(domain: Uint8Array, chainId: string, message: Uint8Array): Uint8Array {
  if (!chainIdPattern.test(chainId)) throw new RangeError('a chain id is 1 to 50 printable ASCII characters');
  if (message.length === 0 || message[0]! >= 0x20) {
    throw new RangeError('a message to sign is protobuf whose field 1 is set');
  }
  return sha256Concat(domain, utf8(chainId), message);
}

/**
 * What a node signs of a usage report.
 * @param canonicalReportBytes canonical protobuf of the report without its signature
 * @returns 32 bytes, the message for Ed25519
 */
export function usageSignBytes(chainId: string, canonicalReportBytes: Uint8Array): Uint8Array {
  return signBytes(usageDomain, chainId, canonicalReportBytes);
}

/**
 * What a provider's node authority signs to certify a node.
 * @param canonicalNodeBytes canonical protobuf of the node's certificate without its signature; it must name the
 *   provider's address, or one authority's signature would do for another provider
 * @returns 32 bytes, the message for Ed25519
 */
export function nodeSignBytes(chainId: string, canonicalNodeBytes: Uint8Array): Uint8Array {
  return signBytes(nodeDomain, chainId, canonicalNodeBytes);
}
