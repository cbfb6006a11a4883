/** Sequences and signatures (SigVerificationDecorator). */
import type { AnteStep } from '@mu/framework/ante';
import type { Context } from '@mu/framework/context';
import { errInvalidPubKey, errNotSupported, errUnauthorized, errWrongSequence } from '@mu/framework/errors';
import type { Tx } from '@mu/framework/tx';
import { PubKey } from 'cosmjs-types/cosmos/crypto/secp256k1/keys';
import { SignMode } from 'cosmjs-types/cosmos/tx/signing/v1beta1/signing';
import { SignDoc } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import type { Account } from '../account.ts';
import type { AccountKeeper } from '../keeper.ts';
import type { SignatureVerifier } from '../signatures.ts';
import { requiredSigners, type SignatureData, signatureData, signerAccount } from './signers.ts';

export function verifySignatures(auth: AccountKeeper, verifier: SignatureVerifier): AnteStep {
  return {
    name: 'verify-signatures',
    run(ctx, tx) {
      if (tx.body.unordered) throw errNotSupported.wrap('unordered transactions are not enabled');
      const signers = requiredSigners(ctx, tx);
      const signatures = signatureData(tx);
      if (signatures.length !== signers.length) {
        throw errUnauthorized.wrap(`invalid number of signer;  expected: ${signers.length}, got ${signatures.length}`);
      }
      signatures.forEach((data, at) => {
        const account = signerAccount(ctx, auth, signers[at] as Uint8Array);
        checkSequence(ctx, account, data);
        // A recheck follows a check of the same bytes; a simulation comes without signatures.
        if (ctx.mode !== 'simulate' && ctx.mode !== 'recheck') checkSignature(ctx, { verifier, tx, account, data });
      });
      return undefined;
    },
  };
}

function checkSequence(ctx: Context, account: Account, { sequence }: SignatureData): void {
  if (ctx.mode !== 'simulate' && account.pubKey === undefined) {
    throw errInvalidPubKey.wrap('pubkey on account is not set');
  }
  if (sequence !== account.sequence) {
    throw errWrongSequence.wrap(`account sequence mismatch, expected ${account.sequence}, got ${sequence}`);
  }
}

interface Claim {
  readonly verifier: SignatureVerifier;
  readonly tx: Tx;
  readonly account: Account;
  readonly data: SignatureData;
}

/** @throws AbciError unauthorized (4) with the text that wallets match on */
function checkSignature(ctx: Context, claim: Claim): void {
  // At genesis no account has its number yet, so that genesis transactions can be signed beforehand.
  const accountNumber = ctx.mode === 'genesis' ? 0n : claim.account.accountNumber;
  const reason = refusal(ctx, claim, accountNumber);
  if (reason === undefined) return;
  throw errUnauthorized.wrap(
    `signature verification failed; please verify account number (${accountNumber}) and chain-id (${ctx.chain.chainId}): (${reason})`,
  );
}

/** Why the signature is refused; undefined when it is right. */
function refusal(ctx: Context, { verifier, tx, account, data }: Claim, accountNumber: bigint): string | undefined {
  if (data.mode === undefined) return 'multi-signatures are not supported';
  if (data.mode !== SignMode.SIGN_MODE_DIRECT) return unsupported(data.mode);
  const { bodyBytes, authInfoBytes } = tx;
  const signBytes = SignDoc.encode({ bodyBytes, authInfoBytes, chainId: ctx.chain.chainId, accountNumber }).finish();
  const { key } = PubKey.decode((account.pubKey as { value: Uint8Array }).value);
  return verifier.verify(key, signBytes, data.signature) ? undefined : 'unable to verify single signer signature';
}

/** The SDK's two texts for modes that it knows and does not handle, and for ones that it does not know. */
function unsupported(mode: SignMode): string {
  const known: readonly SignMode[] = [
    SignMode.SIGN_MODE_TEXTUAL,
    SignMode.SIGN_MODE_DIRECT_AUX,
    SignMode.SIGN_MODE_LEGACY_AMINO_JSON,
  ];
  const name = SignMode[mode] ?? mode;
  return known.includes(mode) ? `unsuppored sign mode ${name}` : `unsupported sign mode ${name}`;
}
