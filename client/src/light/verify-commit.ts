/** Whether enough of a set of validators signed a commit (types/validation.go of CometBFT 0.38). */

import { equalBytes, toHex } from '@mu/lib/bytes';
import { emptyBlockId, precommitSignBytes } from '@mu/lib/comet-header';
import type { BlockID, Commit, CommitSig } from 'cosmjs-types/tendermint/types/types';
import { BlockIDFlag, type Validator } from 'cosmjs-types/tendermint/types/validator';
import { LightError, type LightErrorKind, type LightFault, NotEnoughPowerError } from './errors.ts';
import { hex, sameBlockId, signatureProblem, totalPower } from './light-block.ts';
import { verifySignature } from './signatures.ts';

/** A share of the trusted validators' power: from 1/3 to 1. */
export interface TrustLevel {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

export const defaultTrustLevel: TrustLevel = { numerator: 1n, denominator: 3n };

/** @throws LightError outside of 1/3 … 1 */
export function checkTrustLevel({ numerator, denominator }: TrustLevel): void {
  if (denominator > 0n && numerator * 3n >= denominator && numerator <= denominator) return;
  throw new LightError(`the trust level must be from 1/3 to 1, not ${numerator}/${denominator}`, {
    kind: 'config',
    fault: 'trust_level',
  });
}

interface SignedBy {
  readonly index: number;
  readonly signature: CommitSig;
  readonly validator: Validator;
}

/** From which validator a signature is; undefined where it is from none of them and does not count. */
type Lookup = (signature: CommitSig, index: number) => Validator | undefined;

/**
 * Checks that more than two thirds of the validators signed this block. Not more signatures are looked at than needed.
 * @throws LightError of the kind that the caller names
 */
export function verifyCommitLight(
  chainId: string,
  validators: readonly Validator[],
  expected: { readonly blockId: BlockID; readonly height: bigint },
  commit: Commit,
  kind: LightErrorKind = 'invalid_header',
): void {
  const refuse = (fault: LightFault, text: string): never => {
    throw new LightError(text, { kind, fault, height: commit.height });
  };
  if (validators.length !== commit.signatures.length) {
    refuse('commit_size', `the commit has ${commit.signatures.length} signatures for ${validators.length} validators`);
  }
  if (expected.height !== commit.height) {
    refuse('commit_height', `the commit is of height ${commit.height}, not ${expected.height}`);
  }
  if (!sameBlockId(expected.blockId, commit.blockId)) refuse('block_id', 'the commit is for another block');
  const lookup: Lookup = (signature, index) => {
    const validator = validators[index] as Validator;
    if (!equalBytes(validator.address, signature.validatorAddress)) {
      refuse(
        'validator_address',
        `signature ${index} is said to be from ${hex(signature.validatorAddress)}, the validator there is ${hex(validator.address)}`,
      );
    }
    return validator;
  };
  const needed = (totalPower(validators) * 2n) / 3n;
  verifySignatures({ chainId, validators, commit, needed, lookup, kind, lacking: kind });
}

/**
 * Checks that more than the trust level of these validators, who need not be the commit's own, signed it.
 * @throws LightError of kind untrusted_validators when too few did, unverifiable when a signature is wrong or doubled
 */
export function verifyCommitLightTrusting(
  chainId: string,
  validators: readonly Validator[],
  commit: Commit,
  level: TrustLevel,
): void {
  const kind = 'unverifiable';
  const byAddress = new Map<string, Validator>();
  for (const validator of validators) {
    const name = toHex(validator.address);
    if (!byAddress.has(name)) byAddress.set(name, validator);
  }
  const seen = new Map<string, number>();
  const lookup: Lookup = (signature, index) => {
    const name = toHex(signature.validatorAddress);
    const validator = byAddress.get(name);
    if (validator === undefined) return undefined;
    const first = seen.get(name);
    if (first !== undefined) {
      const text = `validator ${name.toUpperCase()} signed twice, at ${first} and ${index}`;
      throw new LightError(text, { kind, fault: 'double_vote', height: commit.height });
    }
    seen.set(name, index);
    return validator;
  };
  const needed = (totalPower(validators) * level.numerator) / level.denominator;
  verifySignatures({ chainId, validators, commit, needed, lookup, kind, lacking: 'untrusted_validators' });
}

interface Check {
  readonly chainId: string;
  readonly validators: readonly Validator[];
  readonly commit: Commit;
  /** the power must be above it */
  readonly needed: bigint;
  readonly lookup: Lookup;
  /** of errors about a signature */
  readonly kind: LightErrorKind;
  /** of too little power */
  readonly lacking: LightErrorKind;
}

/**
 * Takes signatures for the block in their order until their power suffices. CometBFT verifies a batch of Ed25519
 * signatures only after it has counted, others one by one as it counts: what it says of a commit with two faults
 * depends on that, so it is done alike.
 */
function verifySignatures(check: Check): void {
  const { commit, validators, needed } = check;
  const batch = commit.signatures.length >= 2 && validators.every(({ pubKey }) => pubKey.ed25519 !== undefined);
  const taken: SignedBy[] = [];
  let power = 0n;
  for (const [index, signature] of commit.signatures.entries()) {
    if (signature.blockIdFlag !== BlockIDFlag.BLOCK_ID_FLAG_COMMIT) continue;
    if (!batch && signatureProblem(signature) !== undefined) refuseSignature(check, index);
    const validator = check.lookup(signature, index);
    if (validator === undefined) continue;
    const signed = { index, signature, validator };
    if (!batch) checkSignature(check, signed);
    else if (signature.signature.length !== 64) refuseSignature(check, index);
    taken.push(signed);
    power += validator.votingPower;
    if (power > needed) break;
  }
  if (power <= needed) throw new NotEnoughPowerError(power, needed, { kind: check.lacking, height: commit.height });
  if (batch) for (const signed of taken) checkSignature(check, signed);
}

function checkSignature(check: Check, { index, signature, validator }: SignedBy): void {
  const { height, round, blockId } = check.commit;
  const about = signature.blockIdFlag === BlockIDFlag.BLOCK_ID_FLAG_COMMIT ? blockId : emptyBlockId();
  const bytes = precommitSignBytes(check.chainId, { height, round, blockId: about, timestamp: signature.timestamp });
  if (!verifySignature(validator.pubKey, bytes, signature.signature)) refuseSignature(check, index);
}

function refuseSignature({ commit, kind }: Check, index: number): never {
  const address = hex(commit.signatures[index]?.validatorAddress ?? new Uint8Array());
  const text = `signature ${index} of the commit, said to be from ${address}, is wrong`;
  throw new LightError(text, { kind, fault: 'signature', height: commit.height });
}
