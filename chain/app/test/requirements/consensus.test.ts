/** CometBFT's requirements for the application, 1 to 12 (spec/abci/abci++_app_requirements.md), each under its name. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import {
  RequestFinalizeBlock,
  RequestPrepareProposal,
  RequestVerifyVoteExtension,
  type ResponseFinalizeBlock,
  ResponseProcessProposal_ProposalStatus as Status,
  ResponseVerifyVoteExtension_VerifyStatus as VerifyStatus,
} from 'cosmjs-types/tendermint/abci/types';
import fc from 'fast-check';
import type { MuChain } from '../app/mu-chain.ts';
import { mempools, type Nodes, nodesWithDueOrder, poolOf, sizeOf } from './proposals.ts';

const height = 8n;
/** What evidence and the largest commit leave of the smallest block (framework/src/consensus-params.ts). */
const leastTxBytes = 70_000n;

let nodes: Nodes;
let pool: ReadonlyMap<string, Uint8Array>;
beforeAll(async () => {
  nodes = await nodesWithDueOrder();
  pool = await poolOf(nodes);
});

const tx = (name: string): Uint8Array => pool.get(name) as Uint8Array;
const prepare = (node: MuChain, txs: readonly Uint8Array[], maxTxBytes = 2_000_000n): Uint8Array[] =>
  node.app.prepareProposal(RequestPrepareProposal.fromPartial({ height, txs: [...txs], maxTxBytes })).txs;
const finalize = (node: MuChain, txs: readonly Uint8Array[]): ResponseFinalizeBlock =>
  node.app.finalizeBlock(
    RequestFinalizeBlock.fromPartial({ height, txs: [...txs], time: { seconds: 1_767_225_608n, nanos: 0 } }),
  );
const extend = (node: MuChain): Uint8Array => node.app.extendVote().voteExtension;
const verify = (node: MuChain, voteExtension: Uint8Array): VerifyStatus =>
  node.app.verifyVoteExtension(RequestVerifyVoteExtension.fromPartial({ height, voteExtension })).status;

/** What other nodes must agree on (CometBFT's deterministic part of results). */
const agreed = ({ appHash, txResults }: ResponseFinalizeBlock): unknown => [
  appHash,
  txResults.map(({ code, data, gasWanted, gasUsed }) => [code, data, gasWanted, gasUsed]),
];

test('Requirement 1 [PrepareProposal, timeliness]: nothing is executed to propose it', () => {
  // A transaction that would fail, and one behind a gap in the sequence, are proposed as they are.
  const wished = [tx('good, one later'), tx('all gas of a block')];
  expect(prepare(nodes.p, [tx('good, one later')])).toEqual([nodes.first, wished[0]]);
  expect(prepare(nodes.p, [wished[1] as Uint8Array])).toEqual([nodes.first, wished[1]]);
});

test('Requirement 2 [PrepareProposal, tx-size]: a proposal has at most max_tx_bytes, for any mempool', () => {
  const limits = fc.bigInt({ min: leastTxBytes, max: 2_097_152n });
  fc.assert(
    fc.property(mempools(pool), limits, (mempool, limit) => {
      expect(sizeOf(prepare(nodes.p, mempool, limit))).toBeLessThanOrEqual(Number(limit));
    }),
    { numRuns: 150 },
  );
});

test('Requirement 3 [PrepareProposal, ProcessProposal, coherence]: a proposal is accepted by all, for any mempool', () => {
  const limits = fc.bigInt({ min: leastTxBytes, max: 2_097_152n });
  fc.assert(
    fc.property(mempools(pool), limits, (mempool, limit) => {
      const proposed = prepare(nodes.p, mempool, limit);
      expect(nodes.p.process(proposed)).toBe(Status.ACCEPT);
      expect(nodes.q.process(proposed)).toBe(Status.ACCEPT);
      expect(proposed[0]).toEqual(nodes.first);
    }),
    { numRuns: 150 },
  );
});

describe('Requirements 4 and 5 [ProcessProposal, determinism]', () => {
  test('any block is judged alike again, after anything else, and by a node of other settings', () => {
    const blocks = fc.tuple(fc.boolean(), mempools(pool));
    fc.assert(
      fc.property(blocks, mempools(pool), ([begins, txs], other) => {
        const block = begins ? [nodes.first, ...txs] : txs;
        const judged = nodes.p.process(block);
        prepare(nodes.p, other);
        nodes.p.process(other);
        for (const raw of other.slice(0, 3)) nodes.p.app.checkTx({ tx: raw, type: 0 });
        expect(nodes.p.process(block)).toBe(judged);
        expect(nodes.q.process(block)).toBe(judged);
      }),
      { numRuns: 100 },
    );
  });

  test('each kind of transaction is judged by what it is', () => {
    const accepted = [...pool].filter(([, raw]) => nodes.q.process([nodes.first, raw]) === Status.ACCEPT);
    expect(accepted.map(([name]) => name)).toEqual([
      'good',
      'good, one later',
      'all gas of a block',
      'most gas of a block',
      'what is due, signed',
      'a memo of 90,000',
      'a memo of 500,000',
      'the largest',
    ]);
  });
});

describe('vote extensions', () => {
  test('Requirement 6 [ExtendVote, VerifyVoteExtension, coherence]: what one says, the other accepts', () => {
    expect(verify(nodes.q, extend(nodes.p))).toBe(VerifyStatus.ACCEPT);
    expect(verify(nodes.p, extend(nodes.q))).toBe(VerifyStatus.ACCEPT);
  });

  test('Requirements 7 and 8 [VerifyVoteExtension, determinism]: any extension is judged alike, again and elsewhere', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), (extension) => {
        const judged = verify(nodes.p, extension);
        expect(judged).toBe(extension.length === 0 ? VerifyStatus.ACCEPT : VerifyStatus.REJECT);
        expect([verify(nodes.p, extension), verify(nodes.q, extension)]).toEqual([judged, judged]);
      }),
    );
  });
});

test('Requirement 9 [all, no side effects]: nothing but Commit changes the state', () => {
  const { app } = nodes.p;
  const [state, info] = [app.exportState(), app.info()];
  const block = [nodes.first, tx('good')];
  const before = agreed(finalize(nodes.p, block));
  for (const raw of pool.values()) {
    const proposed = prepare(nodes.p, [raw, raw]);
    nodes.p.process(proposed);
    nodes.p.process([raw]);
    verify(nodes.p, raw);
    app.checkTx({ tx: raw, type: 0 });
  }
  extend(nodes.p);
  expect(app.exportState()).toEqual(state);
  expect(app.info()).toEqual(info);
  expect(agreed(finalize(nodes.p, block))).toEqual(before);
});

test('Requirement 10 [ExtendVote, FinalizeBlock, non-dependency]: no extension changes what a block leaves', () => {
  const block = [nodes.first, tx('good')];
  const [alone] = [agreed(finalize(nodes.q, block))];
  extend(nodes.q);
  for (const said of [new Uint8Array(), Uint8Array.of(1), tx('noise')]) verify(nodes.q, said);
  expect(agreed(finalize(nodes.q, block))).toEqual(alone);
});

test('Requirements 11 and 12 [FinalizeBlock, determinism]: any block leaves one state and one list of results', () => {
  const blocks = fc.tuple(fc.boolean(), mempools(pool));
  fc.assert(
    fc.property(blocks, ([begins, txs]) => {
      const block = begins ? [nodes.first, ...txs] : txs;
      const done = agreed(finalize(nodes.p, block));
      expect(agreed(finalize(nodes.q, block))).toEqual(done);
      expect(agreed(finalize(nodes.p, block))).toEqual(done);
    }),
    { numRuns: 60 },
  );
});
