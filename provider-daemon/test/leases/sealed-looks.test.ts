import { beforeEach, expect, test } from '@jest/globals';
import type { MsgSubmitLeaseConfirmations } from '@mu/proto/market';
import { pino } from 'pino';
import { maxLooks, SealedLooks } from '../../src/leases/sealed-looks.ts';
import { KeeperWorld, lease, record } from './keeper-world.ts';

let world: KeeperWorld;

beforeEach(() => {
  world = new KeeperWorld();
});

test('a manifest that is sealed on the chain starts a lease that waits, and an update is looked at again', async () => {
  world.sealed = record(5n);
  await world.keeper.lease(lease(5n));
  await world.keeper.settled();
  expect(world.ran).toEqual(['start 5/1']);
  world.sealed = { ...record(5n), revision: 2n };
  world.keeper.deployment('mu1owner', 5n);
  await world.keeper.settled();
  expect(world.ran).toEqual(['start 5/1', 'start 5/2']);
  world.keeper.deployment('mu1owner', 6n);
  await world.keeper.settled();
  expect(world.asked).toEqual([5n, 5n]);
});

test('one that cannot be opened leaves the lease waiting', async () => {
  world.sealed = new Error('another key');
  await world.keeper.lease(lease(5n));
  await world.keeper.settled();
  expect(world.keeper.status(5n)?.work).toBe('waiting');
});

test('leases are confirmed while sealed manifests are looked for, however long the chain takes to prove them', async () => {
  const { promise: proved, resolve } = Promise.withResolvers<void>();
  world.sealed = proved.then(() => undefined);
  for (let number = 1n; number <= 40n; number += 1n) await world.keeper.lease(lease(number));
  await world.keeper.height(6n);
  expect((world.lastSent() as MsgSubmitLeaseConfirmations).confirmations).toHaveLength(40);
  expect(world.asked).toHaveLength(16);
  resolve();
  await world.settle();
  expect(world.asked).toHaveLength(40);
});

test('a look that fails is in nobody’s way: those behind it are made, in their order', async () => {
  const taken: bigint[] = [];
  const looks = new SealedLooks({
    takeSealed: (_owner, dseq) =>
      dseq === 0n ? Promise.reject(new Error('another key')) : Promise.resolve({ ...record(dseq) }),
    onTaken: ({ dseq }) => taken.push(dseq),
    log: pino({ level: 'silent' }),
  });
  for (let dseq = 0n; dseq <= BigInt(maxLooks); dseq += 1n) looks.look('mu1owner', dseq);
  await looks.settled();
  expect(taken).toHaveLength(maxLooks);
  expect(taken.at(-1)).toBe(BigInt(maxLooks));
});
