import { beforeEach, expect, test } from '@jest/globals';
import { LeaseState, ManifestState, MsgSubmitLeaseConfirmation, MsgSubmitLeaseConfirmations } from '@mu/proto/market';
import { KeeperWorld, lease, record } from './keeper-world.ts';

let world: KeeperWorld;

beforeEach(() => {
  world = new KeeperWorld();
});

test('a new lease is confirmed with the next block; several are confirmed by one message', async () => {
  await world.keeper.lease(lease(1n));
  await world.keeper.height(6n);
  await world.settle();
  expect(world.sent.map(({ typeUrl }) => typeUrl)).toEqual([`/${MsgSubmitLeaseConfirmation.$type}`]);
  await world.keeper.lease(lease(2n));
  await world.keeper.lease(lease(3n));
  await world.keeper.height(7n);
  await world.settle();
  expect(world.sent[1]?.typeUrl).toBe(`/${MsgSubmitLeaseConfirmations.$type}`);
  expect((world.lastSent() as MsgSubmitLeaseConfirmations).confirmations.map((one) => one.lease)).toEqual([2n, 3n]);
});

test('a manifest starts the workloads, and the next confirmation carries the address', async () => {
  await world.keeper.lease(lease(1n));
  world.keeper.manifest(record(1n));
  await world.settle();
  expect(world.ran).toEqual(['start 1/1']);
  world.held = [{ ...record(1n), from: ['a'] }];
  const running = { work: 'running', revision: 1n, endpoints: ['http://a'], manifestFrom: ['a'] };
  expect(world.keeper.status(1n)).toEqual(running);
  await world.keeper.height(6n);
  await world.settle();
  expect((world.lastSent() as MsgSubmitLeaseConfirmation).confirmation).toMatchObject({
    lease: 1n,
    endpoints: ['http://a'],
    manifestState: ManifestState.MANIFEST_STATE_RUNNING,
    manifestRevision: 1n,
  });
});

test('after a restart what is on the disk is started without anybody’s doing', async () => {
  world.held = [record(1n)];
  await world.keeper.lease(lease(1n, { firstConfirmedHeight: 6n, manifestRevision: 1n }));
  await world.settle();
  expect(world.ran).toEqual(['start 1/1']);
});

test('a lease that is over is stopped once, and its manifest goes with it', async () => {
  world.held = [record(1n)];
  await world.keeper.lease(lease(1n));
  await world.settle();
  await world.keeper.lease(lease(1n, { state: LeaseState.LEASE_STATE_BROKEN, closedHeight: 8n }));
  await world.settle();
  await world.keeper.lease(lease(1n, { state: LeaseState.LEASE_STATE_BROKEN, closedHeight: 8n }));
  await world.settle();
  expect(world.ran).toEqual(['start 1/1', 'stop 1', 'end 1']);
  expect(world.held).toEqual([]);
});

test('a sweep ends what runs for leases that are over on the chain, not for those that a list has left out', async () => {
  world.onChain = [lease(2n), lease(3n, { state: LeaseState.LEASE_STATE_CLOSED })];
  await world.keeper.lease(lease(1n));
  await world.keeper.sweep();
  expect(world.ran).toEqual(['swept 3', 'swept 4']);
});

test('what is kept for a lease is kept by its record, not by a list', async () => {
  world.onChain = [lease(2n), lease(3n, { state: LeaseState.LEASE_STATE_CLOSED }), lease(4n, { provider: 'mu1other' })];
  await world.keeper.lease(lease(1n));
  expect([...(await world.keeper.living([1n, 2n, 3n, 4n, 5n]))]).toEqual([1n, 2n]);
});

test('a sweep stops what runs for a lease that ran out of funds while nobody looked', async () => {
  world.held = [record(1n)];
  await world.keeper.lease(lease(1n, { state: LeaseState.LEASE_STATE_OUT_OF_FUNDS }));
  await world.keeper.sweep();
  await world.settle();
  expect(world.ran).toContain('stop 1');
  await world.keeper.lease(lease(1n));
  await world.keeper.sweep();
  await world.settle();
  expect(world.ran.filter((what) => what === 'stop 1')).toHaveLength(1);
  expect(world.ran).toContain('start 1/1');
});

test('a disk that is full keeps no lease from being confirmed', async () => {
  await world.keeper.lease(lease(1n));
  await world.keeper.lease(lease(2n));
  world.diskIsFull = true;
  await world.keeper.height(6n);
  await world.settle();
  expect(world.sent.map(({ typeUrl }) => typeUrl)).toEqual([`/${MsgSubmitLeaseConfirmations.$type}`]);
});
