/** Whether one header follows from another that is trusted (light/verifier.go of CometBFT 0.38). Pure. */
import { equalBytes } from '@mu/lib/bytes';
import { headerHash } from '@mu/lib/comet-header';
import type { Header } from 'cosmjs-types/tendermint/types/types';
import { LightError, type LightFault } from './errors.ts';
import {
  headerProblem,
  hex,
  type LightBlock,
  nanosOf,
  type Problem,
  signedHeaderProblem,
  validatorsHashProblem,
} from './light-block.ts';
import { defaultTrustLevel, type TrustLevel, verifyCommitLight, verifyCommitLightTrusting } from './verify-commit.ts';

/** Under which rules headers are verified. */
export interface VerifyRules {
  /** for so long after its time a header is a base for others */
  readonly trustingPeriodNs: bigint;
  /** for so much a header may be ahead of the clock */
  readonly maxClockDriftNs: bigint;
  readonly trustLevel: TrustLevel;
  /** nanoseconds since 1970 */
  readonly nowNs: bigint;
}

/** CometBFT's ten seconds. */
export const defaultMaxClockDriftNs = 10_000_000_000n;
/** Two weeks: well below the three weeks for which stake is usually bound. */
export const defaultTrustingPeriodNs = 14n * 24n * 3600n * 1_000_000_000n;

export { defaultTrustLevel };

/** True when the header is no base for others any more. */
export function headerExpired(header: Header, { trustingPeriodNs, nowNs }: VerifyRules): boolean {
  return nanosOf(header.time) + trustingPeriodNs <= nowNs;
}

/**
 * Verifies a later block against a trusted one: the next one by its validators, which the trusted header names; another
 * one by the trust level of the trusted validators and two thirds of its own.
 * @throws LightError
 */
export function verify(trusted: LightBlock, untrusted: LightBlock, rules: VerifyRules): void {
  if (untrusted.header.height === trusted.header.height + 1n) verifyAdjacent(trusted, untrusted, rules);
  else verifyNonAdjacent(trusted, untrusted, rules);
}

/** Verifies the block after the trusted one. @throws LightError */
export function verifyAdjacent(trusted: LightBlock, untrusted: LightBlock, rules: VerifyRules): void {
  if (untrusted.header.height !== trusted.header.height + 1n) {
    throw new LightError('headers must be adjacent in height', { kind: 'unverifiable', fault: 'height' });
  }
  checkNewBlock(trusted, untrusted, rules);
  const { validatorsHash, height } = untrusted.header;
  if (!equalBytes(validatorsHash, trusted.header.nextValidatorsHash)) {
    throw new LightError(
      `the trusted header says that the validators of height ${height} are ${hex(trusted.header.nextValidatorsHash)}, the header there has ${hex(validatorsHash)}`,
      { kind: 'unverifiable', fault: 'next_validators_hash', height },
    );
  }
  verifyOwnCommit(trusted, untrusted);
}

/** Verifies a later block that is not the next one. @throws LightError */
export function verifyNonAdjacent(trusted: LightBlock, untrusted: LightBlock, rules: VerifyRules): void {
  if (untrusted.header.height === trusted.header.height + 1n) {
    throw new LightError('headers must not be adjacent in height', { kind: 'unverifiable', fault: 'height' });
  }
  checkNewBlock(trusted, untrusted, rules);
  verifyCommitLightTrusting(trusted.header.chainId, trusted.validators, untrusted.commit, rules.trustLevel);
  // Last, since the untrusted set may have been made large on purpose.
  verifyOwnCommit(trusted, untrusted);
}

/** Verifies the header before a trusted one by its hash. @throws LightError */
export function verifyBackwards(untrusted: Header, trusted: Header): void {
  const refuse = (problem: Problem): never => invalid(problem, untrusted.height);
  const problem = headerProblem(untrusted);
  if (problem !== undefined) refuse(problem);
  if (untrusted.chainId !== trusted.chainId) refuse({ fault: 'chain_id', text: 'it belongs to another chain' });
  if (nanosOf(untrusted.time) >= nanosOf(trusted.time)) {
    refuse({ fault: 'time', text: 'its time is not before that of the header after it' });
  }
  const hash = headerHash(untrusted);
  if (equalBytes(hash, trusted.lastBlockId.hash)) return;
  refuse({
    fault: 'last_block_hash',
    text: `its hash is ${hex(hash)}, the header after it follows ${hex(trusted.lastBlockId.hash)}`,
  });
}

function verifyOwnCommit(trusted: LightBlock, { commit, header, validators }: LightBlock): void {
  const { chainId } = trusted.header;
  verifyCommitLight(chainId, validators, { blockId: commit.blockId, height: header.height }, commit);
}

/** What both ways check before they look at signatures. */
function checkNewBlock(trusted: LightBlock, untrusted: LightBlock, rules: VerifyRules): void {
  if (headerExpired(trusted.header, rules)) {
    const { height } = trusted.header;
    throw new LightError(
      `the trusted block of height ${height} is older than the trusting period: name a newer trusted height and hash`,
      { kind: 'expired', fault: 'time', height },
    );
  }
  const problem = newBlockProblem(trusted, untrusted, rules);
  if (problem !== undefined) invalid(problem, untrusted.header.height);
}

function newBlockProblem(trusted: LightBlock, untrusted: LightBlock, rules: VerifyRules): Problem | undefined {
  const of = (fault: LightFault, text: string): Problem => ({ fault, text });
  const basic = signedHeaderProblem(untrusted, trusted.header.chainId);
  if (basic !== undefined) return basic;
  const { height, time } = untrusted.header;
  if (height <= trusted.header.height) {
    return of('height', `it is not above the trusted height ${trusted.header.height}`);
  }
  if (nanosOf(time) <= nanosOf(trusted.header.time)) return of('time', 'its time is not after the trusted one');
  if (nanosOf(time) >= rules.nowNs + rules.maxClockDriftNs) return of('future_time', 'its time is in the future');
  return validatorsHashProblem(untrusted);
}

function invalid({ fault, text }: Problem, height: bigint): never {
  throw new LightError(`the header of height ${height} is not valid: ${text}`, {
    kind: 'invalid_header',
    fault,
    height,
  });
}
