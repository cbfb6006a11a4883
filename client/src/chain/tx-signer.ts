/** Makes the bytes of one account's transactions. */
import { encodeSecp256k1Pubkey } from '@cosmjs/amino';
import { fromBase64 } from '@cosmjs/encoding';
import {
  type EncodeObject,
  encodePubkey,
  makeAuthInfoBytes,
  makeSignDoc,
  type OfflineDirectSigner,
  type Registry,
} from '@cosmjs/proto-signing';
import { TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';

export interface TxSignerOptions {
  readonly signer: OfflineDirectSigner;
  readonly registry: Registry;
  /** price of a unit of gas in 10^-6 of the fee denomination's unit */
  readonly gasPriceMicro: bigint;
  readonly feeDenom: string;
}

/** What a transaction says. */
export interface TxContent {
  readonly messages: readonly EncodeObject[];
  readonly memo: string;
  /** last block that it may be in */
  readonly timeoutHeight: bigint;
}

export interface TxFacts {
  readonly chainId: string;
  readonly accountNumber: bigint;
  readonly sequence: bigint;
  readonly gas: bigint;
}

export class TxSigner {
  readonly address: string;
  readonly #options: TxSignerOptions;
  readonly #pubkey: Uint8Array;

  constructor(options: TxSignerOptions, account: { readonly address: string; readonly pubkey: Uint8Array }) {
    this.#options = options;
    this.address = account.address;
    this.#pubkey = account.pubkey;
  }

  body({ messages, memo, timeoutHeight }: TxContent): Uint8Array {
    return this.#options.registry.encodeTxBody({ messages: [...messages], memo, timeoutHeight });
  }

  /** For a simulation: one empty signature, and a fee where there will be one, since taking it needs gas too. */
  unsigned(body: Uint8Array, sequence: bigint): Uint8Array {
    const { gasPriceMicro, feeDenom } = this.#options;
    const fee = gasPriceMicro === 0n ? [] : [{ denom: feeDenom, amount: '1' }];
    const authInfoBytes = this.#authInfo(sequence, 0n, fee);
    return TxRaw.encode({ bodyBytes: body, authInfoBytes, signatures: [new Uint8Array()] }).finish();
  }

  async sign(body: Uint8Array, { chainId, accountNumber, sequence, gas }: TxFacts): Promise<Uint8Array> {
    const { gasPriceMicro, feeDenom, signer } = this.#options;
    const amount = (gas * gasPriceMicro + 999_999n) / 1_000_000n;
    const fee = amount === 0n ? [] : [{ denom: feeDenom, amount: amount.toString() }];
    const authInfo = this.#authInfo(sequence, gas, fee);
    const doc = makeSignDoc(body, authInfo, chainId, Number(accountNumber));
    const { signed, signature } = await signer.signDirect(this.address, doc);
    return TxRaw.encode({
      bodyBytes: signed.bodyBytes,
      authInfoBytes: signed.authInfoBytes,
      signatures: [fromBase64(signature.signature)],
    }).finish();
  }

  #authInfo(sequence: bigint, gas: bigint, fee: readonly { denom: string; amount: string }[]): Uint8Array {
    const pubkey = encodePubkey(encodeSecp256k1Pubkey(this.#pubkey));
    return makeAuthInfoBytes([{ pubkey, sequence: Number(sequence) }], fee, Number(gas), undefined, undefined);
  }
}
