/** A header with the commit that proves it and the validators who signed, as CometBFT 0.38 checks it (types/light.go). */
import { equalBytes, toHex } from '@mu/lib/bytes';
import { blockProtocol, headerHash } from '@mu/lib/comet-header';
import { addressOfKey, maxTotalPower, validatorsHash } from '@mu/lib/comet-validators';
import type { Timestamp } from 'cosmjs-types/google/protobuf/timestamp';
import {
  type BlockID,
  type Commit,
  type CommitSig,
  type Header,
  LightBlock as LightBlockProto,
} from 'cosmjs-types/tendermint/types/types';
import { BlockIDFlag, type Validator, ValidatorSet } from 'cosmjs-types/tendermint/types/validator';
import { LightError, type LightFault } from './errors.ts';

/** The basis of the light client. The order of the validators is that of the commit's signatures. */
export interface LightBlock {
  readonly header: Header;
  readonly commit: Commit;
  readonly validators: readonly Validator[];
}

const hashBytes = 32;
const addressBytes = 20;
const maxChainIdBytes = 50;
/** The longest signature that CometBFT 0.38.26 knows. */
const maxSignatureBytes = 3309;
const zeroSeconds = -62_135_596_800n;

/** Upper-case hex, as CometBFT writes hashes. */
export function hex(bytes: Uint8Array): string {
  return toHex(bytes).toUpperCase();
}

/** Nanoseconds since 1970. */
export function nanosOf({ seconds, nanos }: Timestamp): bigint {
  return seconds * 1_000_000_000n + BigInt(nanos);
}

export function hashOf(block: LightBlock): Uint8Array {
  return headerHash(block.header);
}

export function sameBlockId(a: BlockID, b: BlockID): boolean {
  return (
    equalBytes(a.hash, b.hash) &&
    a.partSetHeader.total === b.partSetHeader.total &&
    equalBytes(a.partSetHeader.hash, b.partSetHeader.hash)
  );
}

/** Sum of the powers. @throws LightError above CometBFT's bound */
export function totalPower(validators: readonly Validator[]): bigint {
  const total = validators.reduce((sum, { votingPower }) => sum + votingPower, 0n);
  if (total > maxTotalPower) {
    throw new LightError(`the validators' total power ${total} is above ${maxTotalPower}`, {
      kind: 'bad_block',
      fault: 'voting_power',
    });
  }
  return total;
}

/** What is wrong with something, and which part of it. */
export interface Problem {
  readonly fault: LightFault;
  readonly text: string;
}

/** First problem of a header and its commit taken together (SignedHeader.ValidateBasic). */
export function signedHeaderProblem({ header, commit }: LightBlock, chainId: string): Problem | undefined {
  const problem = headerProblem(header) ?? commitProblem(commit);
  if (problem !== undefined) return problem;
  if (header.chainId !== chainId) {
    return { fault: 'chain_id', text: `the header is of chain "${header.chainId}", not of "${chainId}"` };
  }
  if (commit.height !== header.height) {
    return { fault: 'commit_height', text: `the commit is of height ${commit.height}, the header of ${header.height}` };
  }
  const hash = headerHash(header);
  if (equalBytes(hash, commit.blockId.hash)) return undefined;
  return {
    fault: 'header_hash',
    text: `the commit signs block ${hex(commit.blockId.hash)}, the header is ${hex(hash)}`,
  };
}

/** First problem of a header by itself (Header.ValidateBasic). */
export function headerProblem(header: Header): Problem | undefined {
  const of = (fault: LightFault, text: string): Problem => ({ fault, text });
  if (header.version.block !== blockProtocol) {
    return of('version', `the header's block protocol is ${header.version.block}, not ${blockProtocol}`);
  }
  if (Buffer.byteLength(header.chainId) > maxChainIdBytes) return of('chain_id', 'the chain id is too long');
  if (header.height <= 0n) return of('height', `the header's height is ${header.height}`);
  if (!validBlockId(header.lastBlockId)) return of('header', 'the last block id is malformed');
  if (header.proposerAddress.length !== addressBytes) {
    return of('header', `the proposer's address has ${header.proposerAddress.length} bytes`);
  }
  // Without its validators a header has no hash at all.
  if (header.validatorsHash.length === 0) return of('validators_hash', 'the header names no validators');
  const hashes: readonly [keyof Header & `${string}Hash`, Uint8Array][] = [
    ['lastCommitHash', header.lastCommitHash],
    ['dataHash', header.dataHash],
    ['evidenceHash', header.evidenceHash],
    ['validatorsHash', header.validatorsHash],
    ['nextValidatorsHash', header.nextValidatorsHash],
    ['consensusHash', header.consensusHash],
    ['lastResultsHash', header.lastResultsHash],
  ];
  const bad = hashes.find(([, hash]) => !validHash(hash));
  return bad === undefined ? undefined : of('header', `${bad[0]} has ${bad[1].length} bytes`);
}

/** First problem of a commit by itself (Commit.ValidateBasic). */
export function commitProblem(commit: Commit): Problem | undefined {
  const of = (text: string): Problem => ({ fault: 'commit', text });
  if (commit.height < 0n || commit.round < 0) return of('the commit has a negative height or round');
  if (commit.height === 0n) return undefined;
  const { hash, partSetHeader } = commit.blockId;
  if (hash.length === 0 && partSetHeader.total === 0 && partSetHeader.hash.length === 0) {
    return of('the commit is for no block');
  }
  if (commit.signatures.length === 0) return of('the commit has no signatures');
  for (const [index, signature] of commit.signatures.entries()) {
    const text = signatureProblem(signature);
    if (text !== undefined) return of(`signature ${index} of the commit: ${text}`);
  }
  return undefined;
}

/** What is wrong with the form of a commit's signature (CommitSig.ValidateBasic). */
export function signatureProblem(signature: CommitSig): string | undefined {
  const { blockIdFlag, validatorAddress, timestamp } = signature;
  if (blockIdFlag === BlockIDFlag.BLOCK_ID_FLAG_ABSENT) {
    if (validatorAddress.length > 0) return 'an absent validator has an address';
    if (timestamp.seconds !== zeroSeconds || timestamp.nanos !== 0) return 'an absent validator has a time';
    return signature.signature.length > 0 ? 'an absent validator has a signature' : undefined;
  }
  if (blockIdFlag !== BlockIDFlag.BLOCK_ID_FLAG_COMMIT && blockIdFlag !== BlockIDFlag.BLOCK_ID_FLAG_NIL) {
    return `unknown block id flag ${blockIdFlag}`;
  }
  if (validatorAddress.length !== addressBytes) return `the address has ${validatorAddress.length} bytes`;
  const { length } = signature.signature;
  return length === 0 || length > maxSignatureBytes ? `the signature has ${length} bytes` : undefined;
}

/** First problem of a set of validators by itself (ValidatorSet.ValidateBasic; priorities are never used here). */
export function validatorsProblem(validators: readonly Validator[]): Problem | undefined {
  const of = (fault: LightFault, text: string): Problem => ({ fault, text });
  if (validators.length === 0) return of('validators', 'the validator set is empty');
  let total = 0n;
  for (const [index, { pubKey, address, votingPower }] of validators.entries()) {
    if (pubKey.ed25519 === undefined && pubKey.secp256k1 === undefined) {
      return of('validators', `validator ${index} has no key of a known type`);
    }
    if (votingPower < 0n) return of('voting_power', `validator ${index} has a power of ${votingPower}`);
    const expected = addressOfKey(pubKey);
    if (!equalBytes(address, expected)) {
      return of('validator_address', `validator ${index} has address ${hex(address)}, its key ${hex(expected)}`);
    }
    total += votingPower;
  }
  if (total > maxTotalPower) return of('voting_power', `the total power ${total} is above ${maxTotalPower}`);
  return undefined;
}

/**
 * Checks that a light block's parts belong together. Signatures are not checked.
 * @throws LightError of kind bad_block
 */
export function checkLightBlock(block: LightBlock, chainId: string): void {
  const problem =
    signedHeaderProblem(block, chainId) ?? validatorsProblem(block.validators) ?? validatorsHashProblem(block);
  if (problem === undefined) return;
  throw new LightError(`the block of height ${block.header.height} contradicts itself: ${problem.text}`, {
    kind: 'bad_block',
    fault: problem.fault,
    height: block.header.height,
  });
}

/** The validators are not the header's. */
export function validatorsHashProblem({ header, validators }: LightBlock): Problem | undefined {
  const hash = validatorsHash(validators);
  if (equalBytes(hash, header.validatorsHash)) return undefined;
  return {
    fault: 'validators_hash',
    text: `the header's validators are ${hex(header.validatorsHash)}, those given are ${hex(hash)}`,
  };
}

/** As CometBFT's protobuf. */
export function encodeLightBlock({ header, commit, validators }: LightBlock): Uint8Array {
  const validatorSet = ValidatorSet.fromPartial({ validators: [...validators] });
  return LightBlockProto.encode({ signedHeader: { header, commit }, validatorSet }).finish();
}

/** @throws LightError of kind malformed */
export function decodeLightBlock(bytes: Uint8Array): LightBlock {
  const malformed = (cause?: unknown): LightError =>
    new LightError('these bytes are no light block', { kind: 'malformed', fault: 'answer', cause });
  let proto: LightBlockProto;
  try {
    proto = LightBlockProto.decode(bytes);
  } catch (error) {
    throw malformed(error);
  }
  const { header, commit } = proto.signedHeader ?? {};
  if (header === undefined || commit === undefined) throw malformed();
  return { header, commit, validators: proto.validatorSet?.validators ?? [] };
}

function validHash(hash: Uint8Array): boolean {
  return hash.length === 0 || hash.length === hashBytes;
}

function validBlockId({ hash, partSetHeader }: BlockID): boolean {
  return validHash(hash) && validHash(partSetHeader.hash);
}
