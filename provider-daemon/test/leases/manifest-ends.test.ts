import { beforeEach, describe, expect, it, test } from '@jest/globals';
import { CloseReason, type Lease, LeaseState } from '@mu/proto/market';
import type { ManifestRecord } from '../../src/journal/journal.ts';
import { ended, KeeperWorld, lease, record } from './keeper-world.ts';

let world: KeeperWorld;

beforeEach(() => {
  world = new KeeperWorld();
});

test('a manifest whose last lease has ended normally is kept for its peers, up to a height', async () => {
  world.held = [record(1n)];
  await world.keeper.lease(lease(1n));
  await world.keeper.lease(ended(1n, CloseReason.CLOSE_REASON_BY_USER));
  await world.settle();
  expect(world.ran).toEqual(['start 1/1', 'stop 1', 'end 1']);
  expect(world.held).toMatchObject([{ dseq: 1n, eraseAt: 108n }]);
  await world.keeper.height(107n);
  expect(world.held).toHaveLength(1);
  await world.keeper.height(108n);
  expect(world.held).toEqual([]);
});

test.each<[string, Lease]>([
  ['broken', ended(1n, CloseReason.CLOSE_REASON_NOT_CONFIRMED, LeaseState.LEASE_STATE_BROKEN)],
  ['closed for want of a manifest', ended(1n, CloseReason.CLOSE_REASON_MANIFEST_MISSING)],
  ['closed for a wrong manifest', ended(1n, CloseReason.CLOSE_REASON_MANIFEST_INVALID)],
  ['closed with its deployment', ended(1n, CloseReason.CLOSE_REASON_DEPLOYMENT_CANCELED)],
])('the manifest of a lease that was %s goes at once', async (_what, end) => {
  world.held = [record(1n)];
  await world.keeper.lease(lease(1n));
  await world.keeper.lease(end);
  await world.settle();
  expect(world.held).toEqual([]);
});

test('a new lease of the deployment has a manifest stay that was to go', async () => {
  world.held = [{ ...record(1n), eraseAt: 50n }];
  await world.keeper.lease(lease(1n));
  await world.keeper.height(60n);
  await world.settle();
  expect(world.held).toEqual([record(1n)]);
  expect(world.ran).toEqual(['start 1/1']);
});

test('a sweep keeps a manifest for as long as its last lease says, and does not make that longer', async () => {
  world.held = [record(2n), { ...record(3n), eraseAt: 50n }];
  world.started = [2n, 3n].map((number) => ({
    ...{ lease: number, owner: 'mu1owner', dseq: number, revision: 1n, endpoints: [] },
  }));
  world.onChain = [2n, 3n].map((number) => ended(number, CloseReason.CLOSE_REASON_BY_USER));
  await world.keeper.sweep();
  expect(world.held.map(({ dseq, eraseAt }) => [dseq, eraseAt])).toEqual([
    [2n, 108n],
    [3n, 50n],
  ]);
  expect(world.started).toEqual([]);
});

test('a sweep erases manifests of leases that ended while the daemon was away, and no others', async () => {
  world.held = [record(1n), record(2n), record(3n)];
  world.started = [2n, 3n].map((number) => ({
    ...{ lease: number, owner: 'mu1owner', dseq: number, revision: 1n, endpoints: [] },
  }));
  await world.keeper.lease(lease(1n));
  world.onChain = [lease(2n, { state: LeaseState.LEASE_STATE_BROKEN }), lease(3n)];
  world.deployed = [1n, 2n, 3n];
  await world.keeper.sweep();
  expect(world.held.map(({ dseq }) => dseq)).toEqual([1n, 3n]);
  expect(world.started.map((one) => one.lease)).toEqual([3n]);
});

test('a manifest of which nothing was started goes with its deployment, whatever a list of leases says', async () => {
  world.held = [record(1n), record(2n)];
  world.deployed = [2n];
  await world.keeper.sweep();
  expect(world.held.map(({ dseq }) => dseq)).toEqual([2n]);
});

test('one of which nothing was started goes as its last lease here has ended while the daemon was away', async () => {
  world.held = [record(1n), record(2n), record(3n), record(4n)];
  world.deployed = [1n, 2n, 3n, 4n];
  world.onChain = [
    ended(1n, CloseReason.CLOSE_REASON_NOT_CONFIRMED, LeaseState.LEASE_STATE_BROKEN),
    ended(2n, CloseReason.CLOSE_REASON_BY_USER),
    ended(3n, CloseReason.CLOSE_REASON_NOT_CONFIRMED, LeaseState.LEASE_STATE_BROKEN),
    // Of which the watch has not told yet.
    lease(5n, { order: { owner: 'mu1owner', dseq: 3n, infrastructure: 0, round: 2 } }),
    lease(4n, { provider: 'mu1other', state: LeaseState.LEASE_STATE_BROKEN }),
  ];
  await world.keeper.sweep();
  expect(world.held.map(({ dseq, eraseAt }) => [dseq, eraseAt])).toEqual([
    [2n, 108n],
    [3n, undefined],
    [4n, undefined],
  ]);
});

test('a delivery that came whole when its lease had ended is found out, one for a lease of the next block is not', async () => {
  world.deployed = [1n, 2n];
  await world.keeper.lease(lease(1n));
  await world.keeper.lease(ended(1n, CloseReason.CLOSE_REASON_NOT_CONFIRMED, LeaseState.LEASE_STATE_BROKEN));
  await world.settle();
  world.onChain = [ended(1n, CloseReason.CLOSE_REASON_NOT_CONFIRMED, LeaseState.LEASE_STATE_BROKEN)];
  world.held = [record(1n)];
  await world.keeper.height(40n);
  await world.settle();
  expect(world.held).toEqual([record(1n)]);
  world.held = [record(1n), record(2n)];
  world.onChain.push(ended(2n, CloseReason.CLOSE_REASON_NOT_CONFIRMED, LeaseState.LEASE_STATE_BROKEN));
  await world.keeper.height(59n);
  await world.settle();
  expect(world.held).toHaveLength(2);
  await world.keeper.height(60n);
  await world.settle();
  expect(world.held).toEqual([record(2n)]);
});

describe('old revisions', () => {
  const of = (revision: bigint, infrastructures = ['main']): ManifestRecord => ({
    ...record(1n),
    ...{ revision, infrastructures },
  });
  const revisions = (): bigint[] => world.held.map(({ revision }) => revision);
  const comes = async (one: ManifestRecord): Promise<void> => {
    world.held = [...world.held, one];
    world.keeper.manifest(one);
    await world.settle();
  };

  it('go when nothing here runs them and the newest two are others', async () => {
    world.held = [of(1n), { ...record(2n) }];
    await world.keeper.lease(lease(1n));
    await world.settle();
    await comes(of(2n));
    expect(revisions()).toEqual([1n, 1n, 2n]);
    await comes(of(3n));
    expect(world.held.map(({ dseq, revision }) => [dseq, revision])).toEqual([
      [2n, 1n],
      [1n, 2n],
      [1n, 3n],
    ]);
  });

  it('stay while they run: updates that do not come up erase nothing but one another', async () => {
    world.held = [of(1n)];
    await world.keeper.lease(lease(1n));
    await world.settle();
    world.starting = Promise.reject(new Error('it does not come up'));
    world.starting.catch(() => undefined);
    for (const revision of [2n, 3n, 4n]) await comes(of(revision));
    await world.keeper.height(20n);
    await world.settle();
    expect(revisions()).toEqual([1n, 3n, 4n]);
    world.starting = Promise.resolve();
    await comes(of(5n));
    expect(revisions()).toEqual([4n, 5n]);
  });

  it('stay while they are being started, and while another lease of the deployment runs them', async () => {
    world.held = [of(1n)];
    await world.keeper.lease(lease(1n));
    await world.settle();
    await world.keeper.lease(lease(2n, { order: { owner: 'mu1owner', dseq: 1n, infrastructure: 1, round: 1 } }));
    await world.settle();
    world.started = [{ lease: 2n, owner: 'mu1owner', dseq: 1n, revision: 1n, endpoints: [] }];
    const { promise, resolve } = Promise.withResolvers<void>();
    world.starting = promise;
    world.held = [of(1n), of(2n), of(3n), of(4n)];
    world.keeper.manifest(of(4n));
    await world.keeper.height(20n);
    expect(revisions()).toEqual([1n, 3n, 4n]);
    resolve();
    await world.settle();
    expect(revisions()).toEqual([1n, 3n, 4n]);
    world.started = [];
    await world.keeper.lease(
      lease(2n, {
        order: { owner: 'mu1owner', dseq: 1n, infrastructure: 1, round: 1 },
        ...{ state: LeaseState.LEASE_STATE_CLOSED, closedHeight: 30n },
      }),
    );
    await world.settle();
    expect(revisions()).toEqual([3n, 4n]);
  });

  it('go after a restart, once it is known what ran', async () => {
    world.held = [of(1n), of(2n), of(3n), of(4n), of(5n)];
    world.started = [{ lease: 7n, owner: 'mu1owner', dseq: 1n, revision: 2n, endpoints: [] }];
    world.onChain = [lease(7n, { order: { owner: 'mu1owner', dseq: 1n, infrastructure: 1, round: 1 } })];
    await world.keeper.sweep();
    expect(revisions()).toEqual([2n, 4n, 5n]);
  });

  it('one that cannot be erased is tried again with the next block', async () => {
    world.held = [of(1n), of(2n), of(3n)];
    world.diskIsBroken = true;
    await world.keeper.lease(lease(1n));
    await world.settle();
    expect(revisions()).toEqual([1n, 2n, 3n]);
    expect(world.keeper.status(1n)).toMatchObject({ work: 'running', revision: 3n });
    world.diskIsBroken = false;
    await world.keeper.height(20n);
    await world.settle();
    expect(revisions()).toEqual([2n, 3n]);
  });
});
