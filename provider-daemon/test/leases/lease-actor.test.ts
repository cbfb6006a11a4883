import { beforeEach, expect, test } from '@jest/globals';
import { LeaseState, type MsgSubmitLeaseConfirmation } from '@mu/proto/market';
import type { ManifestRecord } from '../../src/journal/journal.ts';
import { EngineError } from '../../src/workloads/container/engine.ts';
import { KeeperWorld, lease, record } from './keeper-world.ts';

let world: KeeperWorld;

beforeEach(() => {
  world = new KeeperWorld();
});

test('what cannot be stopped while the engine is away is stopped with a later block, and the end comes after it', async () => {
  world.held = [record(1n)];
  await world.keeper.lease(lease(1n));
  await world.settle();
  world.engineIsAway = true;
  await world.keeper.lease(lease(1n, { state: LeaseState.LEASE_STATE_CLOSED, closedHeight: 8n }));
  await world.settle();
  await world.keeper.height(9n);
  await world.settle();
  expect(world.ran).toEqual(['start 1/1', 'stop 1', 'stop 1']);
  world.engineIsAway = false;
  await world.keeper.height(10n);
  await world.settle();
  expect(world.ran.slice(3)).toEqual(['stop 1', 'end 1']);
  expect(world.keeper.leases()).toEqual([]);
});

test('a pause that failed is not made up for when there are funds again', async () => {
  world.held = [record(1n)];
  await world.keeper.lease(lease(1n));
  await world.settle();
  world.engineIsAway = true;
  await world.keeper.lease(lease(1n, { state: LeaseState.LEASE_STATE_OUT_OF_FUNDS }));
  await world.settle();
  world.engineIsAway = false;
  await world.keeper.lease(lease(1n));
  await world.keeper.height(9n);
  await world.settle();
  expect(world.ran).toEqual(['start 1/1', 'stop 1', 'start 1/1']);
});

test('nothing is started, confirmed or reported for a lease that is over while its end waits for the engine', async () => {
  // The deployment has another lease here, so its manifest stays.
  world.held = [record(1n)];
  await world.keeper.lease(lease(1n));
  await world.keeper.lease(lease(2n, { order: { owner: 'mu1owner', dseq: 1n, infrastructure: 0, round: 2 } }));
  await world.settle();
  await world.keeper.height(6n);
  await world.settle();
  [world.ran, world.sent] = [[], []];
  world.engineIsAway = true;
  const over = lease(1n, { state: LeaseState.LEASE_STATE_CLOSED, closedHeight: 7n });
  await world.keeper.lease(over);
  await world.keeper.lease(over);
  world.held = [record(1n), { ...record(1n), revision: 2n }];
  world.keeper.manifest(world.held[1] as ManifestRecord);
  await world.keeper.height(19n);
  await world.settle();
  expect(world.ran).toEqual(['stop 1', 'start 2/2', 'stop 1']);
  expect((world.lastSent() as MsgSubmitLeaseConfirmation).confirmation?.lease).toBe(2n);
  expect(world.ticked).toEqual([1n, 2n, 2n]);
  world.engineIsAway = false;
  await world.keeper.height(20n);
  await world.settle();
  expect(world.ran.slice(3)).toEqual(['stop 1', 'end 1']);
});

test('an update that the engine could not try is tried again, also after three times', async () => {
  world.held = [record(1n)];
  await world.keeper.lease(lease(1n));
  await world.settle();
  world.starting = Promise.reject(new EngineError('the engine is away'));
  world.starting.catch(() => undefined);
  world.held = [record(1n), { ...record(1n), revision: 2n }];
  world.keeper.manifest(world.held[1] as ManifestRecord);
  await world.settle();
  for (let height = 6n; height <= 106n; height += 1n) {
    await world.keeper.height(height);
    await world.settle();
  }
  expect(world.ran.filter((what) => what === 'start 1/2').length).toBeGreaterThan(10);
  world.starting = Promise.resolve();
  for (let height = 107n; height <= 112n; height += 1n) {
    await world.keeper.height(height);
    await world.settle();
  }
  expect(world.keeper.status(1n)).toEqual({ work: 'running', revision: 2n, endpoints: ['http://a'] });
});

test('what was about to start when the lease ended does not come up behind its end', async () => {
  world.held = [record(1n)];
  await world.keeper.lease(lease(2n, { order: { owner: 'mu1owner', dseq: 1n, infrastructure: 0, round: 2 } }));
  await world.settle();
  world.ran = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  world.starting = promise;
  await world.keeper.lease(lease(1n));
  await world.keeper.lease(lease(1n, { state: LeaseState.LEASE_STATE_CLOSED, closedHeight: 7n }));
  world.held = [record(1n), { ...record(1n), revision: 2n }];
  resolve();
  await world.settle();
  expect(world.ran).toEqual(['start 1/1', 'stop 1', 'end 1']);
});
