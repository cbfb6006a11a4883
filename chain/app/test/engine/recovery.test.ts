/** A crash at every point between two writes: the next start goes on, and no block changes. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '@mu/lib/bytes';
import { txHash } from '../../src/engine/block.ts';
import type { Step } from '../../src/engine/executor.ts';
import { bytes, Home, type Node } from './harness.ts';

const steps: Step[] = ['block-saved', 'vote-signed', 'finalized', 'response-saved', 'committed', 'state-saved'];

let home: Home;
beforeEach(() => {
  home = new Home();
});
afterEach(() => home.remove());

/** A node that made two blocks and dies in the third, at the step. */
async function crashed(step: Step, at = 3): Promise<Node> {
  let seen = 0;
  const onStep = (current: Step): void => {
    if (current === step && ++seen === at) throw new Error(`crash after ${step}`);
  };
  const node = await home.started({ onStep });
  await node.engine.advance(at - 1);
  await node.engine.checkTx(bytes('k=v'));
  await expect(node.engine.advance()).rejects.toThrow('crash after');
  await node.engine.stop();
  return node;
}

describe.each(steps)('a crash after %s', (step) => {
  test.each([1, 3])('in block %d loses nothing and signs nothing twice', async (height) => {
    await crashed(step, height);
    const signedBefore = JSON.parse(readFileSync(home.validatorPaths.state, 'utf8'));
    const { engine, app } = await home.started();
    expect(engine.state.lastBlockHeight).toBe(BigInt(height));
    expect(app.saved).toMatchObject({ height, values: { k: 'v' } });
    expect(toHex(engine.state.appHash)).toBe(app.saved.hash);
    const found = engine.store.txs.get(txHash(bytes('k=v')));
    expect(found).toMatchObject({ height: BigInt(height), index: 0 });
    const commit = engine.store.commit(BigInt(height))!;
    expect(commit.blockId).toEqual(engine.store.meta(BigInt(height))!.blockId);
    const signed = JSON.parse(readFileSync(home.validatorPaths.state, 'utf8'));
    expect(signed.height).toBe(String(height));
    if (signedBefore.height === signed.height) expect(signed).toEqual(signedBefore);
    expect(Buffer.from(commit.signatures[0]!.signature).toString('base64')).toBe(signed.signature);
    await engine.advance(2);
    expect(engine.store.block(BigInt(height + 1))!.header.lastBlockId).toEqual(commit.blockId);
  });
});

test('an application that lost its data gets all blocks again, and ends with the same hash', async () => {
  const first = await home.started();
  await first.engine.checkTx(bytes('a=1'));
  await first.engine.advance(4);
  const { hash } = first.app.saved;
  await first.engine.stop();
  rmSync(join(home.path, 'app.json'));
  const { app } = await home.started();
  expect(app.genesis).toHaveLength(1);
  expect(app.executed.map(({ height }) => height)).toEqual([1n, 2n, 3n, 4n]);
  expect(app.saved.hash).toBe(hash);
  expect(app.executed[1]!.decidedLastCommit.votes).toHaveLength(1);
});

test('an application behind and an interrupted block: both are made up for', async () => {
  const first = await crashed('block-saved');
  const path = join(home.path, 'app.json');
  expect(first.app.saved.height).toBe(2);
  rmSync(path);
  const { app, engine } = await home.started();
  expect(app.executed.map(({ height }) => height)).toEqual([1n, 2n, 3n]);
  expect(engine.state.lastBlockHeight).toBe(3n);
});

test('another app hash is named and nothing starts', async () => {
  const first = await home.started();
  await first.engine.advance(2);
  await first.engine.stop();
  const path = join(home.path, 'app.json');
  const saved = JSON.parse(readFileSync(path, 'utf8'));
  writeFileSync(path, JSON.stringify({ ...saved, hash: 'ab'.repeat(32) }));
  await expect(home.started()).rejects.toThrow(/app hash mismatch at height 2: the application has ABAB/);
});

test('an application ahead of the blocks is refused', async () => {
  const first = await home.started();
  await first.engine.advance(2);
  await first.engine.stop();
  rmSync(join(home.path, 'data'), { recursive: true });
  await expect(home.started()).rejects.toThrow('the application is at height 2 and the block store only at 0');
});

test('a lost application below the oldest block is refused', async () => {
  const first = await home.started();
  first.app.retainHeight = 3n;
  await first.engine.advance(4);
  await first.engine.stop();
  rmSync(join(home.path, 'app.json'));
  await expect(home.started()).rejects.toThrow('the oldest one kept is 3');
});

test('another chain in the same folder is refused', async () => {
  const first = await home.started();
  await first.engine.advance(1);
  await first.engine.stop();
  await expect(home.started({}, { chain_id: 'kv-2' })).rejects.toThrow('are of chain kv-1, genesis is of kv-2');
});

test('a lost file of signatures is refused, not made anew', async () => {
  const first = await home.started();
  await first.engine.advance(1);
  await first.engine.stop();
  rmSync(home.validatorPaths.state);
  expect(() => home.node()).toThrow('could sign a height twice');
});
