/** Snapshots of a whole node: taken on their thread while blocks go on, restored into a node that goes on with the chain. */
import { expect, test } from '@jest/globals';
import type { BaseApp } from '@mu/framework/base-app';
import { toHex } from '@mu/lib/bytes';
import { MsgSend } from 'cosmjs-types/cosmos/bank/v1beta1/tx';
import { createMuApp, muStoreNames } from '../../src/mu-app.ts';
import { Restore } from '../../src/snapshots/restore.ts';
import { SnapshotFiles } from '../../src/snapshots/snapshot-files.ts';
import { SnapshotThread } from '../../src/snapshots/snapshot-thread.ts';
import type { TakenSnapshot } from '../../src/snapshots/take.ts';
import { LmdbCommitStore } from '../../src/store/lmdb-store.ts';
import { accountOf, any, denom, genesisFor, MuChain, type Wish } from '../app/mu-chain.ts';
import { grow, names, openStore, temporaryFolder } from './states.ts';

async function restoreInto(store: LmdbCommitStore, files: SnapshotFiles, snapshot: TakenSnapshot, appHash: Uint8Array) {
  const restore = new Restore({ target: store, names: muStoreNames, snapshot, appHash });
  for (let index = 0; index < snapshot.chunkHashes.length; index += 1) {
    await restore.add((await files.chunk(snapshot.height, snapshot.format, index)) as Uint8Array);
  }
  await restore.finish();
}

test('a node that begins with a snapshot executes the next blocks as the one that took it', async () => {
  const [alice, bob] = [await accountOf('alice'), await accountOf('bob')];
  const state = temporaryFolder();
  const files = new SnapshotFiles(temporaryFolder());
  const store = new LmdbCommitStore(state, muStoreNames);
  const other = new LmdbCommitStore(temporaryFolder(), muStoreNames);
  const thread = new SnapshotThread({ state, names: muStoreNames, snapshots: files.root });
  try {
    const chain = MuChain.begin(genesisFor([alice, bob]), store);
    const send: Wish = {
      from: alice,
      messages: [
        any(
          { $type: 'cosmos.bank.v1beta1.MsgSend', encode: MsgSend.encode },
          MsgSend.fromPartial({ fromAddress: alice.address, toAddress: bob.address, amount: [{ denom, amount: '7' }] }),
        ),
      ],
    };
    for (let block = 0; block < 4; block += 1) await chain.block(send);
    const { appHash } = store.last;
    await store.settled();
    const taking = thread.take(4n);
    const later = [await chain.block(send), await chain.block(send)];
    const snapshot = await taking;
    expect(snapshot.height).toBe(4n);
    // The application was opened before there was a state, as a node does that state-syncs.
    const app: BaseApp = createMuApp({ store: other });
    expect(app.info()).toMatchObject({ lastBlockHeight: 0n });
    await restoreInto(other, files, snapshot, appHash);
    app.reload();
    expect(app.info()).toMatchObject({ lastBlockHeight: 4n, lastBlockAppHash: appHash });
    const synced = MuChain.resume(other);
    expect(synced.balance(bob.address)).toBe(chain.balance(bob.address) - 14n);
    for (const { height, txs, appHash: expected } of later) {
      expect(synced.feed({ height, txs }).appHash).toBe(expected);
    }
    expect(toHex(other.last.appHash)).toBe(toHex(store.last.appHash));
  } finally {
    await thread.close();
    await store.close();
    await other.close();
  }
}, 60_000);

test('one thread takes any number of snapshots; a version that is not there is said, and the next one is taken', async () => {
  const state = temporaryFolder();
  const store = openStore(state);
  const files = new SnapshotFiles(temporaryFolder());
  const thread = new SnapshotThread({ state, names, snapshots: files.root, chunkBytes: 500 });
  try {
    for (let height = 1n; height <= 12n; height += 1n) {
      grow(store, { blocks: 1 });
      await store.settled();
      expect((await thread.take(height)).height).toBe(height);
      if (height % 4n === 0n) await expect(thread.take(height + 9n)).rejects.toThrow(/future/);
      await files.prune(3);
    }
    expect((await files.list()).map(({ height }) => height)).toEqual([12n, 11n, 10n]);
    const [first, second] = [thread.take(12n), thread.take(12n)];
    await expect(second).rejects.toThrow(/is being taken/);
    await first;
  } finally {
    await thread.close();
  }
}, 60_000);

test('a thread that ends is started anew with the next snapshot', async () => {
  const state = temporaryFolder();
  const store = openStore(state);
  grow(store, { blocks: 2, keys: 5_000, perBlock: 3_000 });
  await store.settled();
  const files = new SnapshotFiles(temporaryFolder());
  const thread = new SnapshotThread({ state, names, snapshots: files.root });
  for (let round = 0; round < 3; round += 1) {
    const cut = thread.take(2n);
    const [outcome] = await Promise.allSettled([cut, thread.close()]);
    if (outcome.status === 'rejected') expect(String(outcome.reason)).toMatch(/thread that takes snapshots ended/);
  }
  expect((await thread.take(2n)).height).toBe(2n);
  await thread.close();
  await files.removeUnfinished();
  expect((await files.list()).map(({ height }) => height)).toEqual([2n]);
}, 60_000);
