/**
 * Signs and sends transactions of one account. The sender owns the account's sequence: transactions leave one after the
 * other, each without waiting for the block of the one before, and after a refusal the sequence is asked for anew, so
 * that a mismatch never stops a provider.
 */

import { encodeSecp256k1Pubkey } from '@cosmjs/amino';
import { fromBase64, toHex } from '@cosmjs/encoding';
import {
  type EncodeObject,
  encodePubkey,
  makeAuthInfoBytes,
  makeSignDoc,
  type OfflineDirectSigner,
  type Registry,
} from '@cosmjs/proto-signing';
import { TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import type { ChainClient, CommittedTx } from './chain-client.ts';
import { ChainError } from './errors.ts';

/** Code of codespace `sdk` for an account sequence that is not the next one. */
const wrongSequence = 32;
/** Code of the mempool's cache: this very transaction has been seen. */
const alreadySeen = 19;

export interface SenderOptions {
  readonly client: ChainClient;
  readonly signer: OfflineDirectSigner;
  readonly registry: Registry;
  /** the account that signs; the signer's first where absent */
  readonly address?: string;
  /** price of a unit of gas in 10^-6 of the fee denomination's unit */
  readonly gasPriceMicro: bigint;
  readonly feeDenom: string;
  /** gas on top of what a simulation says and its margin, for messages that do more in the next block; 0 where absent */
  readonly extraGas?: bigint;
  /** pauses between two looks for a transaction; the real one where absent */
  readonly pause?: (ms: number) => Promise<void>;
}

/** A transaction that a node has accepted into its mempool. */
export interface SentTx {
  /** upper-case hex */
  readonly hash: string;
  /** Waits until it is in a block. @throws ChainError when it failed there or is not found within the limit */
  committed(limitMs?: number): Promise<CommittedTx>;
}

/** Of what a simulation says, since a block later the same message may cost a little more. In tenths. */
const gasMargin = 14n;
const pollMs = 150;
const defaultLimitMs = 60_000;

export class Sender {
  readonly address: string;
  readonly #options: SenderOptions;
  readonly #pubkey: Uint8Array;
  #next: Promise<unknown> = Promise.resolve();
  #sequence: { accountNumber: bigint; sequence: bigint } | undefined;

  private constructor(options: SenderOptions, address: string, pubkey: Uint8Array) {
    this.#options = options;
    this.address = address;
    this.#pubkey = pubkey;
  }

  static async create(options: SenderOptions): Promise<Sender> {
    const accounts = await options.signer.getAccounts();
    const account =
      options.address === undefined ? accounts[0] : accounts.find(({ address }) => address === options.address);
    if (account === undefined) throw new Error(`the key of ${options.address ?? 'any account'} is not in this wallet`);
    return new Sender(options, account.address, account.pubkey);
  }

  /**
   * Signs these messages as one transaction and hands it to the node.
   * @throws ChainError with the chain's code when the node refuses it
   */
  send(messages: readonly EncodeObject[], memo = ''): Promise<SentTx> {
    const turn = this.#next.then(() => this.#sendInTurn(messages, memo));
    this.#next = turn.catch(() => undefined);
    return turn;
  }

  /** Sends and waits for the block. @throws ChainError */
  async sendAndWait(messages: readonly EncodeObject[], memo = ''): Promise<CommittedTx> {
    const sent = await this.send(messages, memo);
    return sent.committed();
  }

  async #sendInTurn(messages: readonly EncodeObject[], memo: string): Promise<SentTx> {
    try {
      return await this.#sendOnce(messages, memo);
    } catch (error) {
      this.#sequence = undefined;
      if (!(error instanceof ChainError) || error.code !== wrongSequence || error.codespace !== 'sdk') throw error;
      return this.#sendOnce(messages, memo);
    }
  }

  async #sendOnce(messages: readonly EncodeObject[], memo: string): Promise<SentTx> {
    const { client } = this.#options;
    this.#sequence ??= await this.#askSequence();
    const { accountNumber, sequence } = this.#sequence;
    const body = this.#options.registry.encodeTxBody({ messages: [...messages], memo });
    const used = await client.simulate(this.#unsigned(body, sequence));
    const gas = (used * gasMargin) / 10n + (this.#options.extraGas ?? 0n);
    const raw = await this.#sign(body, { accountNumber, sequence, gas });
    const answer = await client.comet.broadcastTxSync({ tx: raw });
    const hash = toHex(answer.hash).toUpperCase();
    if (answer.code !== 0 && answer.code !== alreadySeen) {
      throw new ChainError(`the node refused the transaction: ${answer.log ?? ''}`, {
        codespace: answer.codespace ?? '',
        code: answer.code,
        hash,
      });
    }
    this.#sequence = { accountNumber, sequence: sequence + 1n };
    return { hash, committed: (limitMs = defaultLimitMs) => this.#wait(answer.hash, hash, limitMs) };
  }

  async #askSequence(): Promise<{ accountNumber: bigint; sequence: bigint }> {
    const account = await this.#options.client.account(this.address);
    if (account === undefined) {
      throw new ChainError(`the account ${this.address} does not exist: send it some coins first`, {
        code: 9,
        notFound: true,
      });
    }
    return account;
  }

  /** For a simulation: one empty signature, and a fee where there will be one, since taking it needs gas too. */
  #unsigned(body: Uint8Array, sequence: bigint): Uint8Array {
    const { gasPriceMicro, feeDenom } = this.#options;
    const fee = gasPriceMicro === 0n ? [] : [{ denom: feeDenom, amount: '1' }];
    const authInfoBytes = this.#authInfo(sequence, 0n, fee);
    return TxRaw.encode({ bodyBytes: body, authInfoBytes, signatures: [new Uint8Array()] }).finish();
  }

  #authInfo(sequence: bigint, gas: bigint, fee: readonly { denom: string; amount: string }[]): Uint8Array {
    const pubkey = encodePubkey(encodeSecp256k1Pubkey(this.#pubkey));
    return makeAuthInfoBytes([{ pubkey, sequence: Number(sequence) }], fee, Number(gas), undefined, undefined);
  }

  async #sign(body: Uint8Array, facts: { accountNumber: bigint; sequence: bigint; gas: bigint }): Promise<Uint8Array> {
    const { gasPriceMicro, feeDenom, client, signer } = this.#options;
    const amount = (facts.gas * gasPriceMicro + 999_999n) / 1_000_000n;
    const fee = amount === 0n ? [] : [{ denom: feeDenom, amount: amount.toString() }];
    const authInfo = this.#authInfo(facts.sequence, facts.gas, fee);
    const doc = makeSignDoc(body, authInfo, client.chainId, Number(facts.accountNumber));
    const { signed, signature } = await signer.signDirect(this.address, doc);
    return TxRaw.encode({
      bodyBytes: signed.bodyBytes,
      authInfoBytes: signed.authInfoBytes,
      signatures: [fromBase64(signature.signature)],
    }).finish();
  }

  async #wait(hash: Uint8Array, name: string, limitMs: number): Promise<CommittedTx> {
    const pause = this.#options.pause ?? ((ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)));
    for (let waited = 0; waited <= limitMs; waited += pollMs) {
      const found = await this.#options.client.tx(hash);
      if (found !== undefined) {
        if (found.code === 0) return found;
        throw new ChainError(`the transaction failed: ${found.log}`, {
          codespace: found.codespace,
          code: found.code,
          hash: name,
        });
      }
      await pause(pollMs);
    }
    throw new Error(
      `transaction ${name} is in no block after ${limitMs / 1000} s; it may still come: ask for it by its hash`,
    );
  }
}
