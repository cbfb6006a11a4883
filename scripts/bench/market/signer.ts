/** Signs for the accounts of the bench, each with its next sequence. */
import { createHash } from 'node:crypto';
import { encodeSecp256k1Pubkey } from '@cosmjs/amino';
import { encodePubkey, makeAuthInfoBytes } from '@cosmjs/proto-signing';
import { SignDoc, TxBody, TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import type { Any } from 'cosmjs-types/google/protobuf/any';
import secp256k1 from 'secp256k1';
import { chainId } from '../in-process.ts';
import type { Wallet } from '../sends.ts';
import { firstAccount } from './genesis.ts';
import { firstSequence } from './terms.ts';

export class Signer {
  readonly #accounts: Map<Wallet, { readonly number: bigint; sequence: bigint }>;

  /** @param wallets in the order of their account numbers */
  constructor(wallets: readonly Wallet[]) {
    this.#accounts = new Map(
      wallets.map((one, at) => [one, { number: firstAccount + BigInt(at), sequence: firstSequence }]),
    );
  }

  sign(from: Wallet, message: Any, gas: number): Uint8Array {
    const account = this.#accounts.get(from);
    if (account === undefined) throw new Error(`${from.address} has no account`);
    const pubkey = encodePubkey(encodeSecp256k1Pubkey(from.publicKey));
    const bodyBytes = TxBody.encode(TxBody.fromPartial({ messages: [message] })).finish();
    const sequence = Number(account.sequence);
    const authInfoBytes = makeAuthInfoBytes([{ pubkey, sequence }], [], gas, undefined, undefined);
    const doc = SignDoc.encode({ bodyBytes, authInfoBytes, chainId, accountNumber: account.number }).finish();
    const { signature } = secp256k1.ecdsaSign(new Uint8Array(createHash('sha256').update(doc).digest()), from.key);
    account.sequence += 1n;
    return TxRaw.encode({ bodyBytes, authInfoBytes, signatures: [signature] }).finish();
  }
}
