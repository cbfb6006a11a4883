/** Accounts of tests and load programs: keys from a text, bank sends signed by hand, as fast as the native library. */
import { createHash } from 'node:crypto';
import { encodeSecp256k1Pubkey } from '@cosmjs/amino';
import { encodePubkey, makeAuthInfoBytes } from '@cosmjs/proto-signing';
import { secp256k1Address } from '@mu/lib/address';
import { toBech32 } from '@mu/lib/bech32';
import { MsgSend } from 'cosmjs-types/cosmos/bank/v1beta1/tx';
import { SignDoc, TxBody, TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import secp256k1 from 'secp256k1';

const sha256 = (data: string | Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(data).digest());

export interface TestWallet {
  readonly key: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly address: string;
}

/** So many accounts, the same for the same text. */
export function testWallets(text: string, count: number): TestWallet[] {
  return Array.from({ length: count }, (_, index) => {
    const key = sha256(`${text} ${index}`);
    const publicKey = secp256k1.publicKeyCreate(key);
    return { key, publicKey, address: toBech32('mu', secp256k1Address(publicKey)) };
  });
}

export interface SendFacts {
  readonly chainId: string;
  readonly accountNumber: bigint;
  readonly sequence: bigint;
  readonly to: string;
}

/** One umu to somebody. The same facts give the same bytes: a send that is sent again is the same transaction. */
export function signSend(wallet: TestWallet, { chainId, accountNumber, sequence, to }: SendFacts): Uint8Array {
  const amount = [{ denom: 'umu', amount: '1' }];
  const value = MsgSend.encode({ fromAddress: wallet.address, toAddress: to, amount }).finish();
  const messages = [{ typeUrl: '/cosmos.bank.v1beta1.MsgSend', value }];
  const bodyBytes = TxBody.encode(TxBody.fromPartial({ messages })).finish();
  const pubkey = encodePubkey(encodeSecp256k1Pubkey(wallet.publicKey));
  const authInfoBytes = makeAuthInfoBytes([{ pubkey, sequence: Number(sequence) }], [], 150_000, undefined, undefined);
  const doc = SignDoc.encode({ bodyBytes, authInfoBytes, chainId, accountNumber }).finish();
  const { signature } = secp256k1.ecdsaSign(sha256(doc), wallet.key);
  return TxRaw.encode({ bodyBytes, authInfoBytes, signatures: [signature] }).finish();
}

/** CometBFT's name of a transaction: upper-case hex. */
export const txHash = (tx: Uint8Array): string => Buffer.from(sha256(tx)).toString('hex').toUpperCase();
