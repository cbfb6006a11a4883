/** Keys of the well-known mnemonic and transactions signed by them; the same bytes in every run. */
import { Bip39, EnglishMnemonic, Secp256k1, Slip10, Slip10Curve, sha256, stringToPath } from '@cosmjs/crypto';
import { secp256k1Address } from '@mu/lib/address';
import { toBech32 } from '@mu/lib/bech32';
import { toBase64 } from '@mu/lib/bytes';
import { PubKey } from 'cosmjs-types/cosmos/crypto/secp256k1/keys';
import { SignMode } from 'cosmjs-types/cosmos/tx/signing/v1beta1/signing';
import { AuthInfo, SignDoc, TxBody, TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import type { Any } from 'cosmjs-types/google/protobuf/any';

const mnemonic = `${'abandon '.repeat(11)}about`;

export interface Wallet {
  readonly address: string;
  readonly publicKey: Uint8Array;
  readonly privateKey: Uint8Array;
  /** as the chain gave it */
  accountNumber: bigint;
  /** of the next transaction */
  sequence: bigint;
}

/** The wallet at m/44'/118'/0'/0/<index>. */
export async function walletAt(index: number, prefix: string): Promise<Wallet> {
  const seed = await Bip39.mnemonicToSeed(new EnglishMnemonic(mnemonic));
  const { privkey } = Slip10.derivePath(Slip10Curve.Secp256k1, seed, stringToPath(`m/44'/118'/0'/0/${index}`));
  const { pubkey } = await Secp256k1.makeKeypair(privkey);
  const publicKey = Secp256k1.compressPubkey(pubkey);
  const address = toBech32(prefix, secp256k1Address(publicKey));
  return { address, publicKey, privateKey: privkey, accountNumber: 0n, sequence: 0n };
}

/** What a transaction is made of; everything beside the messages has a default that is right. */
export interface TxParts {
  readonly messages: readonly Any[];
  readonly signers: readonly Wallet[];
  readonly chainId: string;
  readonly gas?: bigint;
  readonly fee?: readonly { denom: string; amount: string }[];
  readonly payer?: string;
  readonly granter?: string;
  readonly memo?: string;
  readonly timeoutHeight?: bigint;
  readonly timeoutSeconds?: bigint;
  /** added to each signer's sequence */
  readonly sequenceOffset?: bigint;
  readonly mode?: SignMode;
  /** the chain id that is signed, where it is not the chain's */
  readonly signedChainId?: string;
  /** signer infos without their keys */
  readonly withoutKeys?: boolean;
  /** keys that are named instead of the signers' own */
  readonly keys?: readonly Uint8Array[];
  /** what becomes of the signatures before they are put in */
  readonly mangle?: (signatures: Uint8Array[]) => Uint8Array[];
}

function signerInfo(parts: TxParts, wallet: Wallet, at: number): object {
  const key = parts.keys?.[at] ?? wallet.publicKey;
  const publicKey = {
    typeUrl: '/cosmos.crypto.secp256k1.PubKey',
    value: PubKey.encode(PubKey.fromPartial({ key })).finish(),
  };
  return {
    ...(parts.withoutKeys === true ? {} : { publicKey }),
    modeInfo: { single: { mode: parts.mode ?? SignMode.SIGN_MODE_DIRECT } },
    sequence: BigInt.asUintN(64, wallet.sequence + (parts.sequenceOffset ?? 0n)),
  };
}

/** The transaction's bytes. The wallets' sequences stay as they are. */
export async function signTx(parts: TxParts): Promise<Uint8Array> {
  const bodyBytes = TxBody.encode(
    TxBody.fromPartial({
      messages: [...parts.messages],
      memo: parts.memo ?? '',
      timeoutHeight: parts.timeoutHeight ?? 0n,
      ...(parts.timeoutSeconds === undefined ? {} : { timeoutTimestamp: { seconds: parts.timeoutSeconds, nanos: 0 } }),
    }),
  ).finish();
  const fee = {
    amount: [...(parts.fee ?? [{ denom: 'stake', amount: '200' }])],
    gasLimit: parts.gas ?? 200_000n,
    payer: parts.payer ?? '',
    granter: parts.granter ?? '',
  };
  const signerInfos = parts.signers.map((wallet, at) => signerInfo(parts, wallet, at));
  const authInfoBytes = AuthInfo.encode(AuthInfo.fromPartial({ signerInfos, fee })).finish();
  const signatures: Uint8Array[] = [];
  for (const { accountNumber, privateKey } of parts.signers) {
    const chainId = parts.signedChainId ?? parts.chainId;
    const doc = SignDoc.encode({ bodyBytes, authInfoBytes, chainId, accountNumber }).finish();
    const signature = await Secp256k1.createSignature(sha256(doc), privateKey);
    signatures.push(Uint8Array.from([...signature.r(32), ...signature.s(32)]));
  }
  return TxRaw.encode({ bodyBytes, authInfoBytes, signatures: parts.mangle?.(signatures) ?? signatures }).finish();
}

/** The same signature with n − s: another encoding of the same proof, which is refused. */
export function highS(signature: Uint8Array): Uint8Array {
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
  const s = BigInt(`0x${Buffer.from(signature.slice(32)).toString('hex')}`);
  const other = Buffer.from((order - s).toString(16).padStart(64, '0'), 'hex');
  return Uint8Array.from([...signature.slice(0, 32), ...other]);
}

/** The parts of a signed transaction as genesis JSON carries one. */
export async function genesisTx(wallet: Wallet, chainId: string, message: { any: Any; json: object }): Promise<object> {
  const raw = TxRaw.decode(
    await signTx({ messages: [message.any], signers: [{ ...wallet, accountNumber: 0n }], chainId, fee: [] }),
  );
  return {
    body: {
      messages: [message.json],
      memo: '',
      timeout_height: '0',
      extension_options: [],
      non_critical_extension_options: [],
    },
    auth_info: {
      signer_infos: [
        {
          public_key: { '@type': '/cosmos.crypto.secp256k1.PubKey', key: toBase64(wallet.publicKey) },
          mode_info: { single: { mode: 'SIGN_MODE_DIRECT' } },
          sequence: '0',
        },
      ],
      fee: { amount: [], gas_limit: '200000', payer: '', granter: '' },
    },
    signatures: raw.signatures.map(toBase64),
  };
}
