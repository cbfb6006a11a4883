/** A seeded source of damaged ABCI frames: real requests of every method, changed where decoders go wrong. */
import { Damage } from './damage.ts';
import { delimited, frameOf } from './peer.ts';

const bytes = (length: number): Buffer => Buffer.alloc(length, length % 251);
const vote = { validator: { address: bytes(20), power: 10n }, blockIdFlag: 2 };
const block = {
  height: 12n,
  time: { seconds: 1_700_000_000n, nanos: 5 },
  hash: bytes(32),
  nextValidatorsHash: bytes(32),
};

/** One of each, as CometBFT sends them. */
const real: readonly Buffer[] = [
  frameOf({ echo: { message: 'hellö' } }),
  frameOf({ flush: {} }),
  frameOf({ info: { version: '0.38.26', blockVersion: 11n, p2pVersion: 8n, abciVersion: '2.0.0' } }),
  frameOf({
    initChain: {
      time: { seconds: 1_700_000_000n, nanos: 1 },
      chainId: 'mu-1',
      consensusParams: { block: { maxBytes: 1_048_576n, maxGas: -1n }, version: { app: 1n } },
      validators: [{ pubKey: { ed25519: bytes(32) }, power: 10n }],
      appStateBytes: Buffer.from('{"bank":{}}'),
      initialHeight: 1n,
    },
  }),
  frameOf({ query: { path: 'store/bank/key', data: bytes(21), height: 9n, prove: true } }),
  frameOf({ checkTx: { tx: bytes(250), type: 1 } }),
  frameOf({ commit: {} }),
  frameOf({ listSnapshots: {} }),
  frameOf({ offerSnapshot: { snapshot: { height: 5n, format: 1, chunks: 3, hash: bytes(32) }, appHash: bytes(32) } }),
  frameOf({ loadSnapshotChunk: { height: 5n, format: 1, chunk: 2 } }),
  frameOf({ applySnapshotChunk: { index: 2, chunk: bytes(400), sender: 'p2p' } }),
  frameOf({
    prepareProposal: { ...block, maxTxBytes: 1000n, txs: [bytes(10), bytes(200)], localLastCommit: { votes: [vote] } },
  }),
  frameOf({ processProposal: { ...block, txs: [bytes(10)], proposedLastCommit: { round: 1, votes: [vote] } } }),
  frameOf({ extendVote: { ...block } }),
  frameOf({ verifyVoteExtension: { hash: bytes(32), height: 12n, voteExtension: bytes(7) } }),
  frameOf({ finalizeBlock: { ...block, txs: [bytes(10), bytes(0)], decidedLastCommit: { votes: [vote, vote] } } }),
];

export class Mutator {
  readonly #damage: Damage;

  constructor(seed: number) {
    this.#damage = new Damage(seed);
  }

  /** An integer from 0 to below the bound. */
  below(bound: number): number {
    return this.#damage.below(bound);
  }

  /** The next input: one to three frames, of which some byte, length or end is wrong; one in ten is left whole. */
  next(): Buffer {
    const frames = Array.from({ length: 1 + this.below(3) }, () => real[this.below(real.length)] as Buffer);
    const whole = Buffer.concat(frames);
    if (this.below(10) === 0) return whole;
    // Half of the damage is inside a frame whose length is right again: it gets past the first check.
    if (this.below(2) === 0)
      return Buffer.concat([...frames.slice(1), delimited(this.#damage.damage(bodyOf(frames[0] as Buffer)))]);
    return this.#damage.damage(whole);
  }
}

function bodyOf(frame: Buffer): Buffer {
  let at = 0;
  while ((frame[at] as number) >= 0x80) at++;
  return frame.subarray(at + 1);
}
