/** Sequences and signatures (SigVerificationDecorator). */
import type { AnteStep } from '@mu/framework/ante';
import type { Context } from '@mu/framework/context';
import { errInvalidPubKey, errNotSupported, errUnauthorized, errWrongSequence } from '@mu/framework/errors';
import { perTx, type Tx } from '@mu/framework/tx';
import { equalBytes } from '@mu/lib/bytes';
import { WireWriter } from '@mu/lib/wire-writer';
import { SignMode } from 'cosmjs-types/cosmos/tx/signing/v1beta1/signing';
import type { Any } from 'cosmjs-types/google/protobuf/any';
import { type Account, secp256k1KeyOf, secp256k1Url } from '../account.ts';
import type { AccountKeeper } from '../keeper.ts';
import type { SignatureVerifier, UnverifiedClaim } from '../signatures.ts';
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
        if (ctx.mode !== 'simulate' && ctx.mode !== 'recheck') checkSignature(ctx, { verifier, tx, account, data, at });
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
  /** place of the signature */
  readonly at: number;
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
function refusal(ctx: Context, { verifier, tx, account, data, at }: Claim, accountNumber: bigint): string | undefined {
  if (data.mode === undefined) return 'multi-signatures are not supported';
  if (data.mode !== SignMode.SIGN_MODE_DIRECT) return unsupported(data.mode);
  const key = secp256k1KeyOf(account.pubKey as Any);
  const said = { verifier, key, chainId: ctx.chain.chainId, accountNumber };
  if (isProven(tx, at, said)) {
    verifier.recall();
    return undefined;
  }
  const signBytes = signBytesOf(tx, said.chainId, accountNumber);
  if (!verifier.verify(key, signBytes, data.signature)) return 'unable to verify single signer signature';
  if (verifier.remembers) provenOf(tx)[at] = said;
  return undefined;
}

const writer = new WireWriter();

/** What SIGN_MODE_DIRECT signs: a SignDoc. */
export function signBytesOf({ bodyBytes, authInfoBytes }: Tx, chainId: string, accountNumber: bigint): Uint8Array {
  return writer.start().bytes(1, bodyBytes).bytes(2, authInfoBytes).text(3, chainId).uint(4, accountNumber).finish();
}

/** Under what a signature of a transaction was found right: together with the transaction that is the whole claim. */
interface Proven {
  readonly verifier: SignatureVerifier;
  readonly key: Uint8Array;
  readonly chainId: string;
  readonly accountNumber: bigint;
}

/**
 * Successes by place of the signature, in front of the verifier's own memory: a transaction that was checked and is now
 * executed is one object, and neither its sign bytes nor their hash are made again.
 */
const provenOf = perTx((): (Proven | undefined)[] => []);

function isProven(tx: Tx, at: number, said: Proven): boolean {
  const proven = provenOf(tx)[at];
  return (
    proven !== undefined &&
    proven.verifier === said.verifier &&
    proven.accountNumber === said.accountNumber &&
    proven.chainId === said.chainId &&
    equalBytes(proven.key, said.key)
  );
}

/**
 * The signatures of a transaction that the checks will have to compute on this state, for whoever computes them
 * beforehand. Only a hint: what is refused for other reasons, or has no account yet, is left out.
 */
export function unverifiedClaims(
  ctx: Context,
  { auth, verifier }: { readonly auth: AccountKeeper; readonly verifier: SignatureVerifier },
  tx: Tx,
): UnverifiedClaim[] {
  const { signerInfos, fee } = tx.authInfo;
  // A fee payer who is none of the signers signs as well; such transactions are rare enough to be computed in place.
  if (fee.payer !== '' || signerInfos.length !== tx.signers.length || !verifier.remembers) return [];
  const claims: UnverifiedClaim[] = [];
  tx.signers.forEach((signer, at) => {
    const signature = tx.signatures[at];
    const info = signerInfos[at];
    if (signature === undefined || info?.modeInfo?.single?.mode !== SignMode.SIGN_MODE_DIRECT) return;
    if (provenOf(tx)[at] !== undefined) return;
    const account = auth.getAccount(ctx, signer);
    const named = account?.pubKey ?? info.publicKey;
    if (account === undefined || named?.typeUrl !== secp256k1Url) return;
    const key = secp256k1KeyOf(named);
    const said = { verifier, key, chainId: ctx.chain.chainId, accountNumber: account.accountNumber };
    const claim = verifier.unverified({ key, signBytes: signBytesOf(tx, said.chainId, said.accountNumber), signature });
    if (claim === undefined) return;
    const accept = (): void => {
      claim.accept();
      provenOf(tx)[at] = said;
    };
    claims.push({ ...claim, accept });
  });
  return claims;
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
