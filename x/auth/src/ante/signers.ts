/** Who must sign, who pays, and what each signed: shared by the checks of signatures. */
import type { Context } from '@mu/framework/context';
import { errInvalidAddress, errTooManySignatures, errTxDecode, errUnknownAddress } from '@mu/framework/errors';
import { perTx, type Tx } from '@mu/framework/tx';
import { fromBech32, toBech32 } from '@mu/lib/bech32';
import { equalBytes } from '@mu/lib/bytes';
import type { SignMode } from 'cosmjs-types/cosmos/tx/signing/v1beta1/signing';
import type { Any } from 'cosmjs-types/google/protobuf/any';
import type { Account } from '../account.ts';
import type { AccountKeeper } from '../keeper.ts';

/** The signers of the messages, each once, and behind them a fee payer that is none of them. */
export function requiredSigners(ctx: Context, tx: Tx): readonly Uint8Array[] {
  const { payer } = tx.authInfo.fee;
  if (payer === '') return tx.signers;
  const bytes = payerBytes(ctx, payer);
  return tx.signers.some((signer) => equalBytes(signer, bytes)) ? tx.signers : [...tx.signers, bytes];
}

/** Who pays the fee: the payer that the fee names, else the first signer. */
export function feePayer(ctx: Context, tx: Tx): Uint8Array {
  const { payer } = tx.authInfo.fee;
  // Every message type names a signer field, so there is a first one.
  return payer === '' ? (tx.signers[0] as Uint8Array) : payerBytes(ctx, payer);
}

function payerBytes(ctx: Context, payer: string): Uint8Array {
  try {
    return fromBech32(payer, ctx.chain.bech32Prefix);
  } catch (error) {
    const why = error instanceof Error ? error.message : 'not an address';
    throw errInvalidAddress.wrap(`Invalid fee payer address (${why})`);
  }
}

/** One signature of a transaction with what its signer info says. */
export interface SignatureData {
  readonly publicKey: Any | undefined;
  readonly sequence: bigint;
  /** undefined for a multi-signature */
  readonly mode: SignMode | undefined;
  readonly signature: Uint8Array;
}

/** @throws AbciError when a signer info comes without a signature, or without saying how it signed */
export function signatureData(tx: Tx): readonly SignatureData[] {
  return signaturesOf(tx);
}

const signaturesOf = perTx((tx): readonly SignatureData[] => {
  const { signerInfos } = tx.authInfo;
  if (signerInfos.length !== tx.signatures.length) {
    throw errTxDecode.wrap(`expected ${signerInfos.length} signatures, got ${tx.signatures.length}`);
  }
  return signerInfos.map(({ publicKey, modeInfo, sequence }, at) => {
    if (modeInfo === undefined) throw errTooManySignatures.wrap('SignatureData is required');
    const signature = tx.signatures[at] as Uint8Array;
    return { publicKey, sequence, mode: modeInfo.single?.mode, signature };
  });
});

/** @throws AbciError unknown address (9) */
export function signerAccount(ctx: Context, auth: AccountKeeper, address: Uint8Array): Account {
  const account = auth.getAccount(ctx, address);
  if (account !== undefined) return account;
  throw errUnknownAddress.wrap(`account ${toBech32(ctx.chain.bech32Prefix, address)} does not exist`);
}
