/** Evidence that a light client was shown a false block (types/evidence.go of CometBFT 0.38). */
import { compareBytes, equalBytes, toHex } from '@mu/lib/bytes';
import { LightClientAttackEvidence } from 'cosmjs-types/tendermint/types/evidence';
import type { Header } from 'cosmjs-types/tendermint/types/types';
import { BlockIDFlag, type Validator, ValidatorSet } from 'cosmjs-types/tendermint/types/validator';
import { LightError } from './errors.ts';
import { hashOf, hex, type LightBlock, totalPower } from './light-block.ts';

/** Where two sides part: both blocks are validly signed, and of one height or, in an attack from the future, near it. */
export interface Divergence {
  /** the block of the side that is accused */
  readonly conflicting: LightBlock;
  /** the block of the side that is held for true */
  readonly trusted: LightBlock;
  /** the last block that both sides share */
  readonly common: LightBlock;
  /** address of the accused node */
  readonly accused: string;
  /** as a chain takes it */
  readonly evidence: LightClientAttackEvidence;
}

/** Two valid headers of one height: the network is forked, or a node or its validators attack. Nothing is trusted. */
export class AttackError extends LightError {
  /** what either side showed, with evidence for the chain */
  readonly divergences: readonly Divergence[];

  constructor(primary: string, witness: string, divergences: readonly Divergence[]) {
    const [first] = divergences;
    const height = first?.conflicting.header.height;
    const text =
      first === undefined
        ? ''
        : `: at height ${height} one has ${hex(hashOf(first.conflicting))}, the other ${hex(hashOf(first.trusted))}`;
    super(
      `${primary} and its witness ${witness} show different blocks, both signed${text}. Trust neither before you know which is right.`,
      { kind: 'attack', fault: 'header_hash', source: primary, ...(height === undefined ? {} : { height }) },
    );
    this.divergences = divergences;
  }
}

/** The divergence of two verified blocks, with the evidence that names the validators who lied. */
export function divergenceOf(
  conflicting: LightBlock,
  trusted: LightBlock,
  common: LightBlock,
  accused: string,
): Divergence {
  // With the same validators on both sides the chain looks at the block's own height, else at the last common one.
  const base = lunatic(conflicting.header, trusted.header) ? common : trusted;
  const evidence = LightClientAttackEvidence.fromPartial({
    conflictingBlock: {
      signedHeader: { header: conflicting.header, commit: conflicting.commit },
      validatorSet: ValidatorSet.fromPartial({ validators: [...conflicting.validators] }),
    },
    commonHeight: base.header.height,
    byzantineValidators: byzantineValidators(conflicting, trusted, common),
    totalVotingPower: totalPower(base.validators),
    timestamp: base.header.time,
  });
  return { conflicting, trusted, common, accused, evidence };
}

/** True when the false header contains what no correct node could have computed. */
function lunatic(conflicting: Header, trusted: Header): boolean {
  const computed = [
    'validatorsHash',
    'nextValidatorsHash',
    'consensusHash',
    'appHash',
    'lastResultsHash',
  ] as const satisfies readonly (keyof Header)[];
  return computed.some((field) => !equalBytes(conflicting[field], trusted[field]));
}

/** Who can be shown to have lied; after an attack over several rounds (amnesia) that cannot be told. */
function byzantineValidators(conflicting: LightBlock, trusted: LightBlock, common: LightBlock): Validator[] {
  const votes = (block: LightBlock, index: number): boolean =>
    block.commit.signatures[index]?.blockIdFlag === BlockIDFlag.BLOCK_ID_FLAG_COMMIT;
  const isLunatic = lunatic(conflicting.header, trusted.header);
  if (!isLunatic && trusted.commit.round !== conflicting.commit.round) return [];
  const known = new Map(
    (isLunatic ? common : conflicting).validators.map((validator) => [toHex(validator.address), validator]),
  );
  return conflicting.commit.signatures
    .filter((_, index) => votes(conflicting, index) && (isLunatic || votes(trusted, index)))
    .flatMap(({ validatorAddress }) => known.get(toHex(validatorAddress)) ?? [])
    .toSorted(byPower);
}

function byPower(a: Validator, b: Validator): number {
  if (a.votingPower !== b.votingPower) return a.votingPower > b.votingPower ? -1 : 1;
  return compareBytes(a.address, b.address);
}
