import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Commit } from 'cosmjs-types/tendermint/types/types';
import { loadOrCreateNodeKey, loadOrCreateValidator } from '../../src/engine/private-validator.ts';
import { addMs } from '../../src/engine/time.ts';
import { Home } from './harness.ts';
import { fromHex, vectors } from './vectors.ts';

const { commit: sample } = vectors.hashes;
const commit = Commit.decode(fromHex(sample.commit));
const vote = { ...commit, timestamp: commit.signatures[0]!.timestamp };

let home: Home;
beforeEach(() => {
  home = new Home();
});
afterEach(() => home.remove());

const validator = () => loadOrCreateValidator(home.validatorPaths, () => fromHex(sample.seed));

test('the files are those of CometBFT', () => {
  const { address } = validator();
  expect(Buffer.from(address).toString('hex').toUpperCase()).toBe(sample.address);
  expect(readFileSync(home.validatorPaths.key, 'utf8')).toBe(
    JSON.stringify(JSON.parse(vectors.shapes.validatorKey), null, 2),
  );
  const path = join(home.path, 'node_key.json');
  const { id } = loadOrCreateNodeKey(path, () => fromHex(vectors.shapes.inputs.seeds[1]));
  expect(id).toBe(vectors.shapes.nodeId);
  expect(readFileSync(path, 'utf8')).toBe(vectors.shapes.nodeKey);
  expect(loadOrCreateNodeKey(path).id).toBe(id);
});

test('the signature is that of CometBFT, and is on the disk', () => {
  const signature = validator().signPrecommit(sample.chainId, vote);
  expect(Buffer.from(signature).toString('hex')).toBe(sample.signature);
  expect(JSON.parse(readFileSync(home.validatorPaths.state, 'utf8'))).toEqual({
    height: '41',
    round: 0,
    step: 3,
    signature: Buffer.from(signature).toString('base64'),
    signbytes: sample.signBytes.toUpperCase(),
  });
});

test('the same vote again, after a restart too; no other one', () => {
  const signature = validator().signPrecommit(sample.chainId, vote);
  expect(validator().signPrecommit(sample.chainId, vote)).toEqual(signature);
  const other = { ...vote, blockId: { ...vote.blockId, hash: new Uint8Array(32) } };
  expect(() => validator().signPrecommit(sample.chainId, other)).toThrow('conflicting data');
  expect(() => validator().signPrecommit(sample.chainId, { ...vote, timestamp: addMs(vote.timestamp, 1) })).toThrow(
    'conflicting data',
  );
  expect(() => validator().signPrecommit(sample.chainId, { ...vote, height: 40n })).toThrow('is not after height 41');
  expect(validator().signPrecommit(sample.chainId, { ...vote, height: 42n })).not.toEqual(signature);
});
