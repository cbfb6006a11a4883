/** Methods about validators, parameters and the state of consensus. */
import { toHex } from '@mu/lib/bytes';
import type { Commit } from 'cosmjs-types/tendermint/types/types';
import { nextHeight } from '../engine/executor.ts';
import { consensusParamsJson } from '../engine/genesis.ts';
import type { SoloEngine } from '../engine/solo-engine.ts';
import { formatTime } from '../engine/time.ts';
import type { ValidatorSet } from '../engine/validator-set.ts';
import { validatorJson } from './block-shapes.ts';
import { hex } from './go-json.ts';
import { heightOrLatest, latestHeight, method, pageOf, type RpcMethod } from './method.ts';

/** RoundStepNewHeight: between blocks, where every answer of this engine is given. */
const stepNewHeight = 1;
const withHeight = ({ height }: { readonly height: bigint | undefined }): boolean => height !== undefined;

export const consensusMethods: Readonly<Record<string, RpcMethod>> = {
  validators: method(
    { height: 'int', page: 'int', per_page: 'int' },
    ({ engine }, { height, page, per_page }) => {
      const at = heightOrLatest(engine, height, nextHeight(engine.state));
      const set = engine.store.validators(at);
      if (set === undefined) throw new Error(`could not find validator set for height #${at}`);
      const shown = pageOf(set.validators, page, per_page);
      return {
        block_height: at.toString(),
        validators: shown.map(validatorJson),
        count: shown.length.toString(),
        total: set.validators.length.toString(),
      };
    },
    withHeight,
  ),

  consensus_params: method(
    { height: 'int' },
    ({ engine }, { height }) => {
      const at = heightOrLatest(engine, height, nextHeight(engine.state));
      const params = engine.store.consensusParams(at);
      if (params === undefined) throw new Error(`could not find consensus params for height #${at}`);
      return { block_height: at.toString(), consensus_params: consensusParamsJson(params) };
    },
    withHeight,
  ),

  consensus_state: method({}, ({ engine }) => {
    const { state } = engine;
    const { validators } = state.validators;
    const proposer = state.validators.proposer;
    return {
      round_state: {
        'height/round/step': `${nextHeight(state)}/0/${stepNewHeight}`,
        start_time: formatTime(state.lastBlockTime),
        proposal_block_hash: '',
        locked_block_hash: '',
        valid_block_hash: '',
        height_vote_set: heightVotes(state.validators),
        proposer: {
          address: hex(proposer?.address ?? new Uint8Array()),
          index: validators.findIndex(
            ({ address }) => proposer !== undefined && toHex(address) === toHex(proposer.address),
          ),
        },
      },
    };
  }),

  dump_consensus_state: method({}, ({ engine }) => {
    const { state } = engine;
    const none = { proposal: null, proposal_block: null, proposal_block_parts: null };
    const locked = { locked_round: -1, locked_block: null, locked_block_parts: null };
    const valid = { valid_round: -1, valid_block: null, valid_block_parts: null };
    return {
      round_state: {
        height: nextHeight(state).toString(),
        round: 0,
        step: stepNewHeight,
        start_time: formatTime(state.lastBlockTime),
        commit_time: formatTime(state.lastBlockTime),
        validators: setJson(state.validators),
        ...none,
        ...locked,
        ...valid,
        votes: heightVotes(state.validators),
        commit_round: -1,
        last_commit: lastCommitJson(engine),
        last_validators: setJson(state.lastValidators),
        triggered_timeout_precommit: false,
      },
      peers: [],
    };
  }),
};

function setJson(set: ValidatorSet): object {
  const { proposer } = set;
  return {
    validators: set.validators.map(validatorJson),
    proposer: proposer === undefined ? null : validatorJson(proposer),
  };
}

/** Votes for the block to come: none yet. */
function heightVotes(set: ValidatorSet): object[] {
  const nobody = set.validators.map(() => 'nil-Vote');
  const bits = bitArray(set, () => false);
  return [{ round: 0, prevotes: nobody, prevotes_bit_array: bits, precommits: nobody, precommits_bit_array: bits }];
}

/** As CometBFT prints it: who voted, their power of all power, and the fraction. */
function bitArray(set: ValidatorSet, hasVoted: (index: number) => boolean): string {
  const marks = set.validators.map((_, index) => (hasVoted(index) ? 'x' : '_')).join('');
  const total = set.totalPower;
  const voted = set.validators.reduce((sum, { votingPower }, index) => sum + (hasVoted(index) ? votingPower : 0n), 0n);
  const hundredths = total === 0n ? 0 : Math.round(Number((voted * 10_000n) / total) / 100) / 100;
  return `BA{${set.validators.length}:${marks}} ${voted}/${total} = ${hundredths.toFixed(2)}`;
}

function lastCommitJson(engine: SoloEngine): object | null {
  const commit = engine.store.commit(latestHeight(engine));
  if (commit === undefined) return null;
  const hasVoted = (index: number): boolean => (commit.signatures[index]?.signature.length ?? 0) > 0;
  return {
    votes: commit.signatures.map((_, index) => (hasVoted(index) ? voteText(commit, index) : 'nil-Vote')),
    votes_bit_array: bitArray(engine.state.lastValidators, hasVoted),
    peer_maj_23s: {},
  };
}

/** CometBFT's text of a vote, with the first six bytes of address, block, signature and (no) extension. */
function voteText({ height, round, blockId, signatures }: Commit, index: number): string {
  const { validatorAddress, signature, timestamp } = signatures[index]!;
  const brief = (bytes: Uint8Array): string => hex(bytes.subarray(0, 6)).padEnd(12, '0');
  const place = `${height}/${round.toString().padStart(2, '0')}/SIGNED_MSG_TYPE_PRECOMMIT(Precommit)`;
  const parts = [brief(blockId.hash), brief(signature), brief(new Uint8Array())].join(' ');
  return `Vote{${index}:${brief(validatorAddress)} ${place} ${parts} @ ${formatTime(timestamp)}}`;
}
