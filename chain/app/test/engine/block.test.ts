import { headerHash, precommitSignBytes } from '@mu/lib/comet-header';
import { ResponseFinalizeBlock } from 'cosmjs-types/tendermint/abci/types';
import { Block } from 'cosmjs-types/tendermint/types/block';
import { Commit, Header } from 'cosmjs-types/tendermint/types/types';
import {
  blockIdOf,
  commitHash,
  dataHash,
  emptyCommit,
  evidenceHash,
  maxDataBytes,
  partSetHeader,
  resultsHash,
} from '../../src/engine/block.ts';
import { consensusHash, defaultConsensusParams } from '../../src/engine/consensus-params.ts';
import { ValidatorSet } from '../../src/engine/validator-set.ts';
import { fromHex, vectors } from './vectors.ts';

const { hashes } = vectors;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const upper = (bytes: Uint8Array): string => hex(bytes).toUpperCase();

describe('hashes of CometBFT', () => {
  test('headers, with and without a previous block', () => {
    for (const { header, hash } of hashes.headers) expect(upper(headerHash(Header.decode(fromHex(header))))).toBe(hash);
  });

  test('a changed header has another hash', () => {
    const header = Header.decode(fromHex(hashes.headers[0].header));
    expect(upper(headerHash({ ...header, height: header.height + 1n }))).not.toBe(hashes.headers[0].hash);
  });

  test('commits and the bytes that are signed for them', () => {
    const { chainId, commit: bytes, hash, signBytes } = hashes.commit;
    const commit = Commit.decode(fromHex(bytes));
    expect(upper(commitHash(commit))).toBe(hash);
    expect(upper(commitHash(emptyCommit()))).toBe(hashes.emptyCommitHash);
    const { timestamp } = commit.signatures[0]!;
    expect(hex(precommitSignBytes(chainId, { ...commit, timestamp }))).toBe(signBytes);
  });

  test('part sets from one byte to several parts', () => {
    for (const { length, total, hash } of hashes.partSets) {
      const bytes = Uint8Array.from({ length }, (_, i) => i * 5);
      expect({ total: partSetHeader(bytes).total, hash: upper(partSetHeader(bytes).hash) }).toEqual({ total, hash });
    }
  });

  test('whole blocks are encoded to the same bytes', () => {
    for (const { block, total, hash } of hashes.blocks) {
      const { blockId, bytes } = blockIdOf(Block.decode(fromHex(block)));
      expect(hex(bytes)).toBe(block);
      expect(blockId.partSetHeader.total).toBe(total);
      expect(upper(blockId.partSetHeader.hash)).toBe(hash);
    }
  });

  test('consensus parameters', () => {
    for (const { maxBytes, maxGas, hash } of hashes.params) {
      const block = { maxBytes: BigInt(maxBytes), maxGas: BigInt(maxGas) };
      expect(hex(consensusHash({ ...defaultConsensusParams(), block }))).toBe(hash);
    }
  });

  test('results, transactions and evidence', () => {
    const { txResults } = ResponseFinalizeBlock.decode(fromHex(hashes.results.response));
    expect(hex(resultsHash(txResults))).toBe(hashes.results.hash);
    expect(hex(resultsHash([]))).toBe(hashes.results.empty);
    expect(hex(dataHash({ txs: hashes.data.txs.map(fromHex) }))).toBe(hashes.data.hash);
    expect(hex(dataHash({ txs: [] }))).toBe(hashes.data.empty);
    expect(Buffer.from(evidenceHash([])).toString('base64')).toBe(hashes.emptyEvidence);
  });

  test('room for transactions', () => {
    for (const { maxBytes, validators, data } of hashes.maxDataBytes) {
      expect(maxDataBytes(BigInt(maxBytes), validators)).toBe(BigInt(data));
    }
  });
});

describe('validator sets of CometBFT', () => {
  const described = (set: ValidatorSet) => ({
    validators: set.validators.map(({ address, votingPower, proposerPriority }) => ({
      address: upper(address),
      power: votingPower.toString(),
      priority: proposerPriority.toString(),
    })),
    proposer: upper(set.proposer!.address),
    hash: hex(set.hash()),
  });

  test('members, turns and hashes over changes', () => {
    let set: ValidatorSet | undefined;
    for (const { changes, after } of vectors.validatorSets) {
      const updates = (changes ?? []).map(({ pubKey, power }: { pubKey: string; power: string }) => ({
        pubKey: { ed25519: fromHex(pubKey) },
        power: BigInt(power),
      }));
      set = set === undefined ? ValidatorSet.from(updates) : set.update(updates).increment();
      set = ValidatorSet.decode(set.encode());
      expect(described(set)).toEqual(after);
    }
  });

  test('refuses what CometBFT refuses', () => {
    const pubKey = { ed25519: new Uint8Array(32) };
    const other = { ed25519: new Uint8Array(32).fill(1) };
    const set = ValidatorSet.from([{ pubKey, power: 1n }]);
    expect(() => set.update([{ pubKey, power: 0n }])).toThrow('empty set');
    expect(() => set.update([{ pubKey: other, power: 0n }])).toThrow('failed to find validator');
    expect(() => set.update([{ pubKey, power: -1n }])).toThrow('negative');
    expect(() =>
      set.update([
        { pubKey, power: 1n },
        { pubKey, power: 2n },
      ]),
    ).toThrow('duplicate');
    expect(() => set.update([{ pubKey: other, power: (1n << 63n) / 8n - 1n }])).toThrow('exceeds maximum');
    expect(() => ValidatorSet.from([{ pubKey, power: 0n }])).toThrow('voting power of 0');
  });
});
