/** Texts signed by accounts as ADR-036 has it: an amino sign document that can never be a transaction. */
import { type StdSignDoc, serializeSignDoc } from '@cosmjs/amino';
import { Secp256k1, Secp256k1Signature } from '@cosmjs/crypto';
import { secp256k1Address } from '@mu/lib/address';
import { fromBech32 } from '@mu/lib/bech32';
import { equalBytes, toBase64, utf8 } from '@mu/lib/bytes';
import { sha256 } from '@mu/lib/hashes';

/** The sign document of a text: no chain, no fee, no sequence, one sign/MsgSignData. */
export function adr036SignDoc(signer: string, text: string): StdSignDoc {
  return {
    chain_id: '',
    account_number: '0',
    sequence: '0',
    fee: { gas: '0', amount: [] },
    msgs: [{ type: 'sign/MsgSignData', value: { signer, data: toBase64(utf8(text)) } }],
    memo: '',
  };
}

/**
 * True when the account signed the text: the key is the address's, and the signature the key's.
 * @param publicKey compressed secp256k1 point, 33 bytes
 * @param signature r ‖ s, 64 bytes
 */
export function verifyAdr036(signer: string, text: string, publicKey: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64) return false;
  try {
    if (!equalBytes(secp256k1Address(publicKey), fromBech32(signer))) return false;
    const digest = sha256(serializeSignDoc(adr036SignDoc(signer, text)));
    return Secp256k1.verifySignature(Secp256k1Signature.fromFixedLength(signature), digest, publicKey);
  } catch {
    // Not a point, not an address, or r and s out of range.
    return false;
  }
}
